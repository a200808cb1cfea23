//! References, rules and reviews for the measurements.

use std::io::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use mimic_core::{Rewriter, Rule};

/// Thirty typical references.
pub fn references() -> Vec<&'static str> {
    include_str!("../data/references.txt").lines().collect()
}

/// The file of the [`references`].
pub const REFERENCES_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/references.txt");

/// Writes this number of lines, each one of the [`references`].
///
/// # Errors
/// When they cannot be written.
pub fn write_references(to: impl io::Write, lines: usize) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    references().into_iter().cycle().take(lines).try_for_each(|reference| writeln!(to, "{reference}"))?;
    to.flush()
}

/// The rules of an organisation, as `mirrors.yaml`.
pub const MIRRORS: &str = include_str!("../data/mirrors.yaml");

/// The file of [`MIRRORS`].
pub const MIRRORS_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mirrors.yaml");

/// [`MIRRORS`] and `more` rules that match no image of the reviews.
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

/// How the upstreams of many rules are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every rule matches its own registry.
    Registries,
    /// All rules match prefixes in one registry.
    Prefixes,
}

impl Shape {
    /// All shapes, each with its name in reports.
    pub const ALL: [(&'static str, Self); 2] = [("registries", Self::Registries), ("prefixes", Self::Prefixes)];

    /// The upstream of a rule.
    pub fn upstream(self, rule: usize) -> String {
        match self {
            Self::Registries => format!("registry-{rule}.example.org"),
            Self::Prefixes => format!("docker.io/organisation-{rule}"),
        }
    }

    /// This number of rules.
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

    /// An image that the rule matches.
    pub fn hit(self, rule: usize) -> String {
        format!("{}/team/service:v1.2.3", self.upstream(rule))
    }

    /// An image that no rule matches; it is close to a rule, so that the lookup takes the most steps.
    pub fn miss(self, rule: usize) -> String {
        match self {
            Self::Registries => format!("registry-{rule}.example.net/team/service:v1.2.3"),
            Self::Prefixes => format!("docker.io/organization-{rule}/team/service:v1.2.3"),
        }
    }
}

/// A rewriter with one source.
pub fn rewriter(rules: Arc<[Rule]>) -> Rewriter {
    Rewriter::new([("bench", rules)])
}

/// Many strings in one piece of memory. Reading them in order causes few cache misses, so that those in a benchmark are
/// caused by the code under test.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    ranges: Vec<Range<usize>>,
}

impl Texts {
    /// The string at `index`, modulo their number.
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

/// `amount` scattered numbers below `below`, the same ones every time.
pub fn scattered(amount: usize, below: usize) -> impl Iterator<Item = usize> {
    // With steps of a prime that divides no power of ten, every number occurs before one repeats.
    (0..amount).map(move |at| at * 7_368_787 % below)
}
