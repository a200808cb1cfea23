//! References, tables of rules and reviews to measure with.

use std::io::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use mimic_core::{Rewriter, Rule};

/// Thirty references as clusters have them.
pub fn references() -> Vec<&'static str> {
    include_str!("../data/references.txt").lines().collect()
}

/// Where the [`references`] are.
pub const REFERENCES_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/references.txt");

/// Writes so many lines, each one of the [`references`].
///
/// # Errors
/// When they cannot be written.
pub fn write_references(to: impl io::Write, lines: usize) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    references().into_iter().cycle().take(lines).try_for_each(|reference| writeln!(to, "{reference}"))?;
    to.flush()
}

/// The rules of an organisation that mirrors what its clusters use, as `mirrors.yaml`.
pub const MIRRORS: &str = include_str!("../data/mirrors.yaml");

/// Where [`MIRRORS`] are.
pub const MIRRORS_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mirrors.yaml");

/// [`MIRRORS`] and `more` rules that no review asks for.
pub fn mirrors(more: usize) -> String {
    let rules = (0..more).map(|rule| {
        let upstream = Shape::Registries.upstream(rule);
        format!("  - {{upstream: {upstream}, mirrors: [harbor.example.com/mirror-{rule}]}}\n")
    });
    std::iter::once(MIRRORS.to_owned()).chain(rules).collect()
}

/// Reviews by size: about 2, 12 and 100 KiB, with 1, 4 and 20 images. They end with a line break, as the API server's do.
pub const REVIEWS: [(&str, &[u8]); 3] = [
    ("small", concat!(include_str!("../../mimic-k8s/tests/data/sizes/small.json"), "\n").as_bytes()),
    ("typical", concat!(include_str!("../../mimic-k8s/tests/data/sizes/typical.json"), "\n").as_bytes()),
    ("large", concat!(include_str!("../../mimic-k8s/tests/data/sizes/large.json"), "\n").as_bytes()),
];

/// How the upstreams of a table of many rules lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every rule speaks of a registry of its own.
    Registries,
    /// All rules speak of prefixes in one registry.
    Prefixes,
}

impl Shape {
    /// All shapes, each with its name in reports.
    pub const ALL: [(&'static str, Self); 2] = [("registries", Self::Registries), ("prefixes", Self::Prefixes)];

    /// What a rule is for.
    pub fn upstream(self, rule: usize) -> String {
        match self {
            Self::Registries => format!("registry-{rule}.example.org"),
            Self::Prefixes => format!("docker.io/organisation-{rule}"),
        }
    }

    /// A table of `count` rules.
    ///
    /// # Panics
    /// Never: the rules are valid.
    pub fn rules(self, count: usize) -> Arc<[Rule]> {
        (0..count)
            .map(|rule| {
                Rule::mirror(&self.upstream(rule), &format!("harbor.example.com/mirror-{rule}"))
                    .expect("the rule is valid")
            })
            .collect()
    }

    /// An image that the rule is for.
    pub fn hit(self, rule: usize) -> String {
        format!("{}/team/service:v1.2.3", self.upstream(rule))
    }

    /// An image that no rule is for: it lies beside a rule, so that the lookup has the longest way to go.
    pub fn miss(self, rule: usize) -> String {
        match self {
            Self::Registries => format!("registry-{rule}.example.net/team/service:v1.2.3"),
            Self::Prefixes => format!("docker.io/organization-{rule}/team/service:v1.2.3"),
        }
    }
}

/// A table with one source.
pub fn rewriter(rules: Arc<[Rule]>) -> Rewriter {
    Rewriter::new([("bench", rules)])
}

/// Many strings in one piece of memory. Read in order they cost next to nothing to fetch, so that what a benchmark sees
/// of cache misses are those of the code under test.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    ranges: Vec<Range<usize>>,
}

impl Texts {
    /// The string at `index`, counted round and round.
    pub fn get(&self, index: usize) -> &str {
        &self.text[self.ranges[index % self.ranges.len()].clone()]
    }
}

impl FromIterator<String> for Texts {
    fn from_iter<I: IntoIterator<Item = String>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            let start = all.text.len();
            all.text.push_str(&text);
            all.ranges.push(start..all.text.len());
        }
        all
    }
}

/// `amount` numbers below `below` that jump about, the same ones every time.
pub fn scattered(amount: usize, below: usize) -> impl Iterator<Item = usize> {
    // Steps of a prime that divides no power of ten come to every number before one comes again.
    (0..amount).map(move |at| at * 7_368_787 % below)
}
