//! How much memory a rule needs, estimated before it is compiled. The rules of users must not exhaust a server.
//!
//! `mimic-k8s/tests/memory.rs` measures the worst lists with these estimates.

use crate::glob::is_literal;
use crate::rule_error::RuleError;
use crate::rule_spec::RuleSpec;
use crate::selector::{Operator, PodSelector};

/// Most memory of one rule, in bytes.
const LARGEST: u64 = 16 << 20;
/// A rule with one mirror and short strings, and its entries in the index. Such rules cost nothing while a document is
/// parsed, so this is less than what they take: 100,000 of them fit into a list.
const RULE: u64 = 640;
/// An entry of `aliases`.
const ALIAS: u64 = 1 << 10;
/// Each further mirror.
const MIRROR: u64 = 512;
/// Conditions of any kind.
const CONDITIONS: u64 = 1 << 10;
/// Bytes of strings that [`RULE`] includes.
const SHORT: u64 = 80;
/// A string that is kept in a few places, per byte. Templates are split into pieces, of three bytes at least.
const LETTER: u64 = 4;
const TEMPLATE_LETTER: u64 = 16;
/// A set of globs.
const SET: u64 = 16 << 10;
/// A glob in a set, and each of its bytes.
const GLOB: u64 = 2 << 10;
const GLOB_LETTER: u64 = 256;
/// A glob over tags or digests, compiled on its own.
const MATCHER: u64 = 12 << 10;
const REQUIREMENT: u64 = 128;
/// A compiled pattern, and each byte of its program, alone and in a set.
const PATTERN: u64 = 20 << 10;
const PROGRAM_BYTE: u64 = 8;

/// Longest strings of a rule, in bytes.
const LONGEST: usize = 1 << 10;
const LONGEST_PATTERN: usize = 16 << 10;

/// Memory of the rule without its pattern, in bytes.
///
/// # Errors
/// A string is too long, or a list has too many globs.
pub(crate) fn of_spec(spec: &RuleSpec) -> Result<u32, RuleError> {
    let mut strings = 0;
    for (field, text, longest) in [
        ("name", &spec.name, LONGEST),
        ("upstream", &spec.upstream, LONGEST),
        ("pattern", &spec.pattern, LONGEST_PATTERN),
    ] {
        let text = text.as_deref().unwrap_or_default();
        strings += limited(field, text, longest)?;
    }
    let mut sum = RULE;
    for (number, mirror) in spec.mirrors.iter().enumerate() {
        let length = limited("mirrors", &mirror.location, LONGEST)?;
        let is_template = mirror.location.contains('{');
        sum += if number == 0 { 0 } else { MIRROR };
        sum += if is_template { MIRROR + length * TEMPLATE_LETTER } else { 0 };
        strings += if is_template { 0 } else { length };
    }
    sum += LETTER * strings.saturating_sub(SHORT);
    let include = spec.include.as_deref().unwrap_or_default();
    let include_namespaces = spec.include_namespaces.as_deref().unwrap_or_default();
    for (field, list, over) in [
        ("include", include, Over::Images),
        ("exclude", &*spec.exclude, Over::Images),
        ("namespaces", include_namespaces, Over::Names),
        ("namespaces", &*spec.exclude_namespaces, Over::Names),
    ] {
        sum += globs(field, list, over)?;
    }
    if let Some(selector) = &spec.pod_selector {
        sum += selector_memory(selector)?;
    }
    bounded(None, sum)
}

/// Memory of a rule whose pattern has a program of this size.
///
/// # Errors
/// It is too large.
pub(crate) fn with_pattern(rest: u32, program: u64) -> Result<u32, RuleError> {
    bounded(Some("pattern"), u64::from(rest) + PATTERN + program * PROGRAM_BYTE)
}

/// Memory of an entry of `aliases`.
///
/// # Errors
/// A string is too long.
pub(crate) fn of_alias(alias: &str, of: &str) -> Result<u32, RuleError> {
    let strings = limited("aliases", alias, LONGEST)? + limited("aliases", of, LONGEST)?;
    bounded(None, ALIAS + LETTER * strings)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Images,
    Names,
}

fn globs(field: &'static str, globs: &[String], over: Over) -> Result<u64, RuleError> {
    let mut sum = if globs.is_empty() { 0 } else { CONDITIONS + SET };
    for glob in globs {
        sum += GLOB + GLOB_LETTER * limited(field, glob, LONGEST)?;
        if over == Over::Images {
            let name_end = glob.rfind('/').unwrap_or_default();
            let parts = glob[name_end..].split([':', '@']).skip(1);
            sum += parts.filter(|part| !is_literal(part)).map(|_| MATCHER).sum::<u64>();
        }
    }
    bounded(Some(field), sum).map(u64::from)
}

fn selector_memory(selector: &PodSelector) -> Result<u64, RuleError> {
    let mut sum = CONDITIONS;
    for requirement in &selector.requirements {
        sum += REQUIREMENT + limited("podSelector", &requirement.key, LONGEST)?;
        if let Operator::In(values) | Operator::NotIn(values) = &requirement.operator {
            for value in values {
                sum += REQUIREMENT + limited("podSelector", value, LONGEST)?;
            }
        }
    }
    bounded(Some("podSelector"), sum).map(u64::from)
}

/// The length of a string, if it is not too long.
fn limited(field: &'static str, text: &str, longest: usize) -> Result<u64, RuleError> {
    if text.len() <= longest {
        return Ok(text.len() as u64);
    }
    let start = &text[..text.floor_char_boundary(32)];
    let message = format!("`{start}…` in `{field}` is longer than {longest} bytes");
    Err(RuleError::new(field, message, "shorten it"))
}

fn bounded(field: Option<&'static str>, memory: u64) -> Result<u32, RuleError> {
    if let Some(memory) = u32::try_from(memory).ok().filter(|memory| u64::from(*memory) <= LARGEST) {
        return Ok(memory);
    }
    let needs = format!("needs more than {} MiB of memory", LARGEST >> 20);
    Err(match field {
        Some(field) => {
            let hint = "use fewer or shorter expressions, or several rules";
            RuleError::new(field, format!("`{field}` {needs}"), hint)
        }
        None => RuleError::whole(&needs, "write several rules"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;
    use crate::rule_spec::{MirrorSpec, References};
    use crate::selector::Requirement;

    fn mirrors(locations: &[&str]) -> Vec<MirrorSpec> {
        let mirror = |location: &&str| MirrorSpec { location: (*location).to_owned(), references: References::Any };
        locations.iter().map(mirror).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn spec() -> RuleSpec {
        RuleSpec { upstream: Some("a.b".to_owned()), mirrors: mirrors(&["c.d"]), ..RuleSpec::default() }
    }

    #[test]
    fn every_part_of_a_rule_is_counted() {
        let none = || CONDITIONS + SET;
        let glob = |length: u64| GLOB + GLOB_LETTER * length;
        let requirement =
            |operator| PodSelector { requirements: vec![Requirement { key: "abc".to_owned(), operator }] };
        let long = "x".repeat(100);
        for (spec, expected) in [
            (spec(), RULE),
            (RuleSpec { name: Some(long.clone()), ..spec() }, RULE + LETTER * (106 - SHORT)),
            (RuleSpec { mirrors: mirrors(&[&format!("c.d/{long}")]), ..spec() }, RULE + LETTER * (107 - SHORT)),
            (RuleSpec { mirrors: mirrors(&["c.d", "e.f", "g.h"]), ..spec() }, RULE + 2 * MIRROR),
            (
                RuleSpec { mirrors: mirrors(&["c.d/{repository}"]), ..spec() },
                RULE + MIRROR + TEMPLATE_LETTER * "c.d/{repository}".len() as u64,
            ),
            (RuleSpec { exclude: texts(&["a.b/c", "a.b/de"]), ..spec() }, RULE + none() + glob(5) + glob(6)),
            (RuleSpec { exclude: texts(&["a.b/c:*"]), ..spec() }, RULE + none() + glob(7) + MATCHER),
            (RuleSpec { exclude: texts(&["a.b/c:1"]), ..spec() }, RULE + none() + glob(7)),
            (RuleSpec { exclude: texts(&["a.b/c:1*@*"]), ..spec() }, RULE + none() + glob(10) + 2 * MATCHER),
            (RuleSpec { include: Some(texts(&["a.b/*"])), ..spec() }, RULE + none() + glob(5)),
            (RuleSpec { include_namespaces: Some(texts(&["a*"])), ..spec() }, RULE + none() + glob(2)),
            (RuleSpec { exclude_namespaces: texts(&["a:*"]), ..spec() }, RULE + none() + glob(3)),
            (
                RuleSpec { pod_selector: Some(requirement(Operator::Exists)), ..spec() },
                RULE + CONDITIONS + REQUIREMENT + 3,
            ),
            (
                RuleSpec { pod_selector: Some(requirement(Operator::In(texts(&["a", "bc"])))), ..spec() },
                RULE + CONDITIONS + REQUIREMENT + 3 + 2 * REQUIREMENT + 3,
            ),
        ] {
            let rule = spec.clone().check().unwrap();
            assert_eq!(rule.memory() as u64, expected, "{spec:?}");
        }
        let of_pattern = |pattern: &str| {
            let mirrors = mirrors(&["c.d/e"]);
            let spec = RuleSpec { upstream: None, pattern: Some(pattern.to_owned()), mirrors, ..spec() };
            spec.check().unwrap()
        };
        let rule = of_pattern("a/.*");
        let crate::Upstream::Pattern(pattern) = rule.upstream() else { panic!("it has a pattern") };
        assert_eq!(rule.memory() as u64, RULE + PATTERN + PROGRAM_BYTE * pattern.size());
        assert!(of_pattern("a/[a-z]{1000}").memory() > 3 * rule.memory());
        assert_eq!(Rule::alias("a.b", "c.de").unwrap().memory() as u64, ALIAS + LETTER * 7);
    }

    #[test]
    fn what_a_rule_can_hold_is_limited() {
        let error = |spec: RuleSpec| spec.check().map(|_| ()).unwrap_err().to_string();
        let (fits, long) = ("a".repeat(LONGEST - 4), "é".repeat(600));
        assert!(RuleSpec { mirrors: mirrors(&[&format!("c.d/{}", &fits[..250])]), ..spec() }.check().is_ok());
        assert!(RuleSpec { name: Some(format!("abcd{fits}")), ..spec() }.check().is_ok());
        for (spec, field) in [
            (RuleSpec { name: Some(long.clone()), ..spec() }, "name"),
            (RuleSpec { upstream: Some(long.clone()), ..spec() }, "upstream"),
            (RuleSpec { mirrors: mirrors(&[&long]), ..spec() }, "mirrors"),
            (RuleSpec { include: Some(vec![long.clone()]), ..spec() }, "include"),
            (RuleSpec { exclude: vec![long.clone()], ..spec() }, "exclude"),
            (RuleSpec { include_namespaces: Some(vec![long.clone()]), ..spec() }, "namespaces"),
            (RuleSpec { exclude_namespaces: vec![long.clone()], ..spec() }, "namespaces"),
        ] {
            assert_eq!(error(spec), format!("`{}…` in `{field}` is longer than 1024 bytes", "é".repeat(16)));
        }
        assert!(error(RuleSpec { pattern: Some("a".repeat(16_385)), ..spec() }).ends_with("longer than 16384 bytes"));
        let many = RuleSpec { mirrors: vec![mirrors(&["c.d"]).remove(0); 40_000], ..spec() };
        assert_eq!(error(many), "rule needs more than 16 MiB of memory");
        let excludes = vec!["a.b/c".to_owned(); 6_000];
        assert_eq!(error(RuleSpec { exclude: excludes, ..spec() }), "`exclude` needs more than 16 MiB of memory");
        let values = Operator::NotIn(vec![String::new(); 200_000]);
        let selector = PodSelector { requirements: vec![Requirement { key: "a".to_owned(), operator: values }] };
        let expected = "`podSelector` needs more than 16 MiB of memory";
        assert_eq!(error(RuleSpec { pod_selector: Some(selector), ..spec() }), expected);
    }
}
