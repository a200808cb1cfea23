//! What is odd about a table as a whole. Nothing here changes a decision.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::location::Claim;
use crate::outcome::RuleRef;
use crate::table::Table;
use crate::upstream::Upstream;

/// Longest list of warnings; a table of a hundred thousand rules can be wrong in as many places.
const MAX: usize = 32;

pub(crate) fn warnings(table: &Table) -> Vec<String> {
    let mut warnings: Vec<String> =
        shadowed(table).chain(on_a_mirror(table)).chain(feeding(table)).chain(confusing(table)).take(MAX + 1).collect();
    if warnings.len() > MAX {
        warnings[MAX] = format!("more than {MAX} warnings; the rest are not listed");
    }
    warnings
}

/// Rules that come after one of the same upstream which always applies.
fn shadowed(table: &Table) -> impl Iterator<Item = String> {
    table.same_upstream().flat_map(move |ids| {
        let first = ids.iter().position(|&id| !table.rule(id).rule.is_conditional());
        let (winner, losers) = match first {
            Some(first) => (ids.get(first), &ids[first + 1..]),
            None => (None, &ids[..0]),
        };
        losers.iter().filter_map(move |&loser| {
            let (winner, loser) = (table.rule(*winner?), table.rule(loser));
            let upstream = loser.rule.upstream();
            Some(format!("{loser} never applies: {winner} is for the same upstream `{upstream}` and comes first"))
        })
    })
}

/// Rules whose upstream lies at a configured location, where everything is final.
fn on_a_mirror(table: &Table) -> impl Iterator<Item = String> {
    table.rules().filter(|rule| !rule.rule.keep()).filter_map(|rule| {
        let Upstream::Prefix { registry, path } = rule.rule.upstream() else { return None };
        let place =
            table.registries().get(registry.as_bytes())?.places(("", path), |place| place.location.is_some())?;
        let location = table.location(place.location?);
        Some(format!("{rule} never applies: its upstream lies at the mirror `{location}`, where images are final"))
    })
}

/// Locations that another rule would rewrite again.
fn feeding(table: &Table) -> impl Iterator<Item = String> {
    let of_rule = move |rule: RuleRef<'_>| {
        let this = std::ptr::from_ref(rule.rule);
        rule.rule
            .mirrors()
            .iter()
            .filter_map(|mirror| {
                let Claim::Prefix { registry, path } = mirror.location().claim() else { return None };
                let mut other = None;
                table.registries().get(registry.as_bytes())?.places(("", path), |place| {
                    other = place
                        .rules
                        .iter()
                        .map(|&id| table.rule(id))
                        .find(|other| !other.rule.keep() && !std::ptr::eq(other.rule, this));
                    other.is_some()
                });
                let (other, location) = (other?, mirror.location().as_str());
                Some(format!(
                    "{rule} leads to `{location}`, which {other} is for: images are rewritten once, by the first"
                ))
            })
            .collect::<Vec<_>>()
    };
    table.rules().flat_map(of_rule)
}

/// Locations where images of different registries would have the same name.
fn confusing(table: &Table) -> impl Iterator<Item = String> {
    let mut seen: HashMap<&str, RuleRef<'_>, FixedState> = HashMap::default();
    table.rules().flat_map(move |rule| {
        let mut found = Vec::new();
        for mirror in rule.rule.mirrors() {
            let location = mirror.location();
            if location.names_registry() {
                continue;
            }
            let many = matches!(rule.rule.upstream(), Upstream::All | Upstream::Wildcard(_));
            let other = *seen.entry(location.as_str()).or_insert(rule);
            if many {
                found.push(format!(
                    "{rule} sends many registries to `{location}`, where images of the same name become one; \
                     a location with `{{registry}}` in it tells them apart",
                    location = location.as_str()
                ));
            } else if let (Upstream::Prefix { registry: a, path: x }, Upstream::Prefix { registry: b, path: y }) =
                (rule.rule.upstream(), other.rule.upstream())
                && (a, x) != (b, y)
            {
                found.push(format!(
                    "{rule} and {other} both lead to `{}`, where images of the same name become one",
                    location.as_str()
                ));
            }
        }
        found
    })
}
