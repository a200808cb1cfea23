//! The core and the command, beside what others take for the same references in the same run.

mod child;
mod measure;

use std::fmt;

use anyhow::Result;

pub use measure::Bench;

/// What is measured, each in processor time per reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Mimic's parser.
    Parse,
    /// The parser of the Rust library `oci-spec`.
    OciSpec,
    /// The parser of the Go library `distribution/reference`, which is the kubelet's.
    Go,
    /// Parsing, deciding and building with the rules of an organisation.
    Rewrite,
    /// The same with ten thousand rules more.
    RewriteMany,
    /// `mimic rewrite`, from a file to nowhere.
    Command,
    /// `wc -l` on the same file.
    Count,
    /// `sed`, which puts something in front of each line.
    Sed,
}

impl Subject {
    /// All of them, each with its name, and with what it is compared to.
    pub const ALL: [(Self, &'static str, &'static [Self]); 8] = [
        (Self::Parse, "parse", &[Self::OciSpec, Self::Go]),
        (Self::OciSpec, "`oci-spec` parses", &[]),
        (Self::Go, "`distribution/reference` parses", &[]),
        (Self::Rewrite, "parse, decide, build", &[Self::OciSpec, Self::Go]),
        (Self::RewriteMany, "the same, 10,000 rules more", &[Self::Rewrite, Self::OciSpec, Self::Go]),
        (Self::Command, "`mimic rewrite`", &[Self::Count, Self::Sed]),
        (Self::Count, "`wc -l`", &[]),
        (Self::Sed, "`sed 's,^,harbor.example.com/,'`", &[]),
    ];
}

/// Nanoseconds per reference, one figure for each round.
#[derive(Debug, Default)]
pub struct Figures(Vec<Vec<Option<f64>>>);

impl Figures {
    /// Measures everything once more.
    ///
    /// # Errors
    /// When something cannot be measured, other than the Go library where there is no Go.
    pub fn add_round(&mut self, bench: &Bench) -> Result<()> {
        let round = Subject::ALL.iter().map(|(subject, ..)| bench.measure(*subject)).collect::<Result<_>>()?;
        self.0.push(round);
        Ok(())
    }

    /// The middle one of all rounds.
    fn median(&self, of: impl Fn(&[Option<f64>]) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.0.iter().filter_map(|round| of(round)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | ns of processor time per reference | as part of |\n|---|---|---|")?;
        for (at, (_, name, others)) in Subject::ALL.iter().enumerate() {
            let Some(time) = self.median(|round| round[at]) else {
                writeln!(f, "| {name} | not measured: there is no Go | |")?;
                continue;
            };
            let ratios = others.iter().filter_map(|other| {
                let (place, (_, other, _)) = Subject::ALL.iter().enumerate().find(|(_, (one, ..))| one == other)?;
                let ratio = self.median(|round| Some(round[at]? / round[place]?))?;
                Some(format!("{ratio:.3} of {other}"))
            });
            writeln!(f, "| {name} | {time:.1} | {} |", ratios.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
