//! The recorded counts.

use std::fmt::{self, Write as _};

use anyhow::{Context as _, Result};

/// How far a count can be from the recorded one, as a fraction: other versions of the C library and other processors run
/// the same code with slightly different counts.
const TOLERANCE: f64 = 0.05;

/// Counts by case, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<(String, u64)>);

/// A count that differs from the recorded one.
#[derive(Debug, PartialEq)]
pub struct Finding {
    case: String,
    recorded: Option<u64>,
    counted: Option<u64>,
}

impl Record {
    /// Reads lines of a case and its count.
    ///
    /// # Errors
    /// When a line is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let line = |line: &str| {
            let (case, count) = line.split_once(' ').with_context(|| format!("no count in `{line}`"))?;
            let count = count.trim().parse().with_context(|| format!("no number in `{line}`"))?;
            Ok((case.to_owned(), count))
        };
        text.lines().filter(|line| !line.starts_with('#')).map(line).collect::<Result<_>>().map(Self)
    }

    /// Adds a case.
    pub fn push(&mut self, case: &str, count: u64) {
        self.0.push((case.to_owned(), count));
    }

    fn get(&self, case: &str) -> Option<u64> {
        self.0.iter().find(|(name, _)| name == case).map(|(_, count)| *count)
    }

    /// Where `counted` differs from this record by more than the tolerance, or has other cases. Lower counts are
    /// differences too: unless they are recorded, a later change can lose them unnoticed.
    pub fn differences(&self, counted: &Self) -> Vec<Finding> {
        let cases = self.0.iter().chain(counted.0.iter().filter(|(case, _)| self.get(case).is_none()));
        let findings =
            cases.map(|(case, _)| Finding { case: case.clone(), recorded: self.get(case), counted: counted.get(case) });
        findings.filter(|finding| finding.change().is_none_or(|change| change.abs() > TOLERANCE)).collect()
    }
}

impl fmt::Display for Record {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(case, count)| writeln!(f, "{case:20} {count:>10}"))
    }
}

impl Finding {
    /// The relative change.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn change(&self) -> Option<f64> {
        Some(self.counted? as f64 / self.recorded? as f64 - 1.0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = String::new();
        for (name, count) in [("recorded", self.recorded), ("counted", self.counted)] {
            match count {
                Some(count) => write!(counts, ", {name} {count}")?,
                None => write!(counts, ", not {name}")?,
            }
        }
        match self.change() {
            Some(change) => write!(f, "{}: {:+.1} %{counts}", self.case, 100.0 * change),
            None => write!(f, "{}{counts}", self.case),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(recorded: &str, counted: &str) -> Vec<String> {
        let parse = |text: &str| Record::parse(text).expect("the record can be read");
        parse(recorded).differences(&parse(counted)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn counts_beyond_the_tolerance_are_found_in_both_directions() {
        assert_eq!(findings("a 1000\nb 1000\n", "a 1049\nb 951\n"), [""; 0]);
        assert_eq!(findings("a 1000\nb 1000\n", "a 1051\nb 1000\n"), ["a: +5.1 %, recorded 1000, counted 1051"]);
        assert_eq!(findings("a 1000\nb 1000\n", "a 1000\nb 949\n"), ["b: -5.1 %, recorded 1000, counted 949"]);
    }

    #[test]
    fn cases_on_one_side_only_are_found() {
        let expected = ["a, recorded 1, not counted", "b, not recorded, counted 2"];
        assert_eq!(findings("a 1\nc 3\n", "b 2\nc 3\n"), expected);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut record = Record::default();
        record.push("a/b", 12);
        record.push("a-name-that-is-longer-than-its-column", 1_234_567);
        assert_eq!(Record::parse(&record.to_string()).expect("it can be read"), record);
    }
}
