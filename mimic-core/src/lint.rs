//! Finds rules that never apply, and rules that interfere with each other.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::host::without_https_port;
use crate::location::Claim;
use crate::outcome::RuleRef;
use crate::pattern_shape;
use crate::rule_index::RuleIndex;
use crate::upstream::Upstream;
use crate::warning::Warning;
use crate::work::Work;

/// Most warnings listed. A hundred thousand rules can have as many warnings.
const MAX: usize = 32;
/// A registry with a port that no rule is for.
const ANY_WITH_PORT: &str = "any.invalid:5000";

pub(crate) fn warnings(index: &RuleIndex) -> Vec<Warning> {
    let found = shadowed(index)
        .chain(unreached(index))
        .chain(upstream_on_mirror(index))
        .chain(chained(index))
        .chain(colliding(index))
        .chain(ports(index))
        .chain(aliases(index));
    let mut warnings: Vec<Warning> = found.take(MAX + 1).collect();
    if warnings.len() > MAX {
        warnings[MAX] = Warning::More { listed: MAX };
    }
    warnings
}

/// Rules after one with the same upstream that always applies.
fn shadowed(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    index.same_upstream().flat_map(move |(path, ids)| {
        let first = ids.iter().position(|&id| !index.rule(id).rule.is_conditional());
        let (unconditional, later) = match first {
            Some(first) => (ids.get(first), &ids[first + 1..]),
            None => (None, &ids[..0]),
        };
        later.iter().filter_map(move |&rule| {
            let (by, rule) = (index.rule(*unconditional?), index.rule(rule));
            if matches!(rule.rule.upstream(), Upstream::Prefix { path: own, .. } if own.as_bytes() != path) {
                // The rule also applies to a namespace.
                return None;
            }
            if by.rule.upstream().names_https_port() != rule.rule.upstream().names_https_port() {
                // Each comes first for the images that are written as its upstream is.
                return None;
            }
            let upstream = rule.rule.upstream().to_string();
            Some(Warning::Shadowed { rule: rule.into(), by: by.into(), upstream })
        })
    })
}

/// Rules with a pattern that only matches images of upstreams of other rules.
fn unreached(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    index.rules().filter_map(|rule| {
        let Upstream::Pattern(pattern) = rule.rule.upstream() else { return None };
        let mut by = None;
        for start in pattern_shape::starts(pattern.as_str())? {
            let (registry, path) = start.split_once('/')?;
            // The last component may go on.
            let path = path.rsplit_once('/').map_or("", |(path, _)| path);
            let wins =
                |other: RuleRef<'_>| !other.rule.is_conditional() && other.rule.priority() >= rule.rule.priority();
            by = Some(index.find_upstream(registry, path, wins)?);
        }
        Some(Warning::PatternNeverReached { rule: rule.into(), by: by?.into() })
    })
}

/// Rules whose upstream is at the location of some rule.
fn upstream_on_mirror(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    index.rules().filter(|rule| !rule.rule.keep() && rule.rule.alias_of().is_none()).filter_map(|rule| {
        let Upstream::Prefix { registry, path } = rule.rule.upstream() else { return None };
        let in_registry = index.registry(registry);
        let entry = in_registry
            .and_then(|found| found.prefixes(("", path), &Work::unlimited(), |entry| entry.location.is_some()));
        let location = entry.and_then(|entry| entry.location).or_else(|| index.stem_of(registry, path))?;
        let location = index.location(location).to_owned();
        Some(Warning::UpstreamOnMirror { rule: rule.into(), location })
    })
}

/// Rules that map to a location that another rule would rewrite again.
fn chained(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    let of_rule = move |rule: RuleRef<'_>| {
        let this = std::ptr::from_ref(rule.rule);
        rule.rule
            .mirrors()
            .iter()
            .filter_map(|mirror| {
                let (registry, path) = match mirror.location().claim() {
                    Claim::Prefix { registry, path } => (registry, path),
                    Claim::Stem { registry, stem } => (registry, stem.rsplit_once('/').map_or("", |(path, _)| path)),
                    Claim::Domain(_) => return None,
                };
                let mut next = None;
                index.registry(registry)?.prefixes(("", path), &Work::unlimited(), |entry| {
                    next = entry
                        .rules
                        .iter()
                        .map(|&id| index.rule(id))
                        .find(|next| !next.rule.keep() && !std::ptr::eq(next.rule, this));
                    next.is_some()
                });
                let next = next?.into();
                Some(Warning::Chained { rule: rule.into(), location: mirror.location().as_str().to_owned(), next })
            })
            .collect::<Vec<_>>()
    };
    index.rules().flat_map(of_rule)
}

/// Locations where images of different registries get the same name.
fn colliding(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    let mut seen: HashMap<&str, RuleRef<'_>, FixedState> = HashMap::default();
    index.rules().flat_map(move |rule| {
        let mut found = Vec::new();
        for mirror in rule.rule.mirrors() {
            let location = mirror.location();
            if let Upstream::Pattern(pattern) = rule.rule.upstream() {
                if pattern_shape::loses_names(pattern.as_str(), &location.contains()) {
                    let location = location.as_str().to_owned();
                    found.push(Warning::PatternLosesNames { rule: rule.into(), location });
                }
                continue;
            }
            if location.separates_registries() {
                continue;
            }
            let other = *seen.entry(location.as_str()).or_insert(rule);
            let location = || location.as_str().to_owned();
            match (rule.rule.upstream(), other.rule.upstream()) {
                (Upstream::All | Upstream::Wildcard(_), _) => {
                    found.push(Warning::ManyRegistries { rule: rule.into(), location: location() });
                }
                (Upstream::Prefix { registry: a, path: x }, Upstream::Prefix { registry: b, path: y })
                    if (a, x) != (b, y) =>
                {
                    let (rule, other) = (rule.into(), other.into());
                    found.push(Warning::SharedLocation { rule, other, location: location() });
                }
                _ => {}
            }
        }
        found
    })
}

/// Locations that would have a port in their path: of every image of the rule, or of some that `*` matches.
fn ports(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    // The first rule with `*` stands for all of them.
    let mut is_first = true;
    index.rules().filter_map(move |rule| {
        let registry = match rule.rule.upstream() {
            Upstream::Prefix { registry, .. } => registry,
            Upstream::Wildcard(domain) => domain,
            Upstream::All if is_first && !rule.rule.excludes(ANY_WITH_PORT) => ANY_WITH_PORT,
            Upstream::All | Upstream::Pattern(_) => return None,
        };
        let registry = without_https_port(registry);
        let mirror = rule.rule.mirrors().iter().find(|mirror| mirror.location().puts_port_in_path(registry))?;
        is_first &= !matches!(rule.rule.upstream(), Upstream::All);
        Some(Warning::PortInPath { rule: rule.into(), location: mirror.location().as_str().to_owned() })
    })
}

/// Aliases that are not used, and rules that name an alias. Within one file these are errors.
fn aliases(index: &RuleIndex) -> impl Iterator<Item = Warning> {
    let alias_of = |host: &str| index.aliases().get(host.as_bytes()).map(|of| &**of);
    let has_aliases = !index.aliases().is_empty();
    let rules = has_aliases.then(|| index.rules()).into_iter().flatten();
    // Of two with the same name, the first is used.
    let mut used_by_name: HashMap<&str, RuleRef<'_>, FixedState> = HashMap::default();
    if has_aliases {
        for rule in index.rules().filter(|rule| rule.rule.alias_of().is_some()) {
            used_by_name.entry(rule.rule.name()).or_insert(rule);
        }
    }
    rules.filter_map(move |rule| {
        let find = |name: &str| used_by_name.get(name).copied();
        if let Some(of) = rule.rule.alias_of() {
            let used = find(rule.rule.name())?;
            if used.rule.alias_of() != Some(of) {
                let upstream = rule.rule.name().to_owned();
                return Some(Warning::Shadowed { rule: rule.into(), by: used.into(), upstream });
            }
            let (next, registry) = (find(of)?, alias_of(of)?.to_owned());
            return Some(Warning::AliasOfAlias { alias: rule.into(), next: next.into(), registry });
        }
        let found = rule.rule.names_alias(alias_of)?;
        let (key, text) = (found.field.to_owned(), found.text.to_owned());
        let (alias, registry) = (found.alias, found.registry.to_owned());
        Some(Warning::NamesAlias { rule: rule.into(), key, text, alias, registry })
    })
}
