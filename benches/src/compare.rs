//! Compares the core and the command with other programs, for the same references in the same run.

mod child;
mod measure;
mod subject;

use std::fmt;

use anyhow::Result;

pub use measure::Bench;
pub use subject::Subject;

/// Nanoseconds per reference, one figure for each round.
#[derive(Debug, Default)]
pub struct Figures(Vec<Vec<Option<f64>>>);

impl Figures {
    /// Measures everything once.
    ///
    /// # Errors
    /// When something cannot be measured, other than the Go library where there is no Go.
    pub fn add_round(&mut self, bench: &Bench) -> Result<()> {
        let round = Subject::ALL.iter().map(|(subject, ..)| bench.measure(*subject)).collect::<Result<_>>()?;
        self.0.push(round);
        Ok(())
    }

    /// The median of all rounds.
    fn median(&self, of: impl Fn(&[Option<f64>]) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.0.iter().filter_map(|round| of(round)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | ns of processor time per reference | relative to |\n|---|---|---|")?;
        for (at, (_, name, others)) in Subject::ALL.iter().enumerate() {
            let Some(time) = self.median(|round| round[at]) else {
                writeln!(f, "| {name} | not measured: Go not found | |")?;
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
