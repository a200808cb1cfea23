//! The index as data.

use super::{List, RuleIndex};
use crate::host::{ANY_PORT, DOCKER_HUB_NAMES};
use crate::outcome::RuleRef;
use crate::prefix_index::{PrefixEntry, RuleId};
use crate::reference::DOCKER_HUB;
use crate::table::{Entry, EntryKey};

impl RuleIndex {
    /// Hosts that mean another registry, with that registry.
    pub(crate) fn all_aliases(&self) -> Vec<(&str, &str)> {
        let configured = self.aliases.iter().map(|(host, of)| (text(host), &**of));
        let hub = self.alias_of(DOCKER_HUB).unwrap_or(DOCKER_HUB);
        let mut aliases: Vec<_> = configured.chain(DOCKER_HUB_NAMES.iter().map(|name| (*name, hub))).collect();
        aliases.sort_unstable();
        aliases
    }

    /// What has rules or locations by registry and path, or by domain.
    pub(crate) fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        for (registry, content) in &self.registries {
            let registry = text(registry);
            entries.push(self.entry_of(EntryKey::Prefix { registry, path: "" }, &content.whole));
            for (path, entry) in &content.paths {
                entries.push(self.entry_of(EntryKey::Prefix { registry, path: text(path) }, entry));
            }
        }
        for (any_port, domains) in [(false, &self.domains), (true, &self.domains_any_port)] {
            for (domain, entry) in domains {
                debug_assert!(!text(domain).ends_with(ANY_PORT), "the suffix is not part of the key");
                entries.push(self.entry_of(EntryKey::Domain { domain: text(domain), any_port }, entry));
            }
        }
        entries.retain(|entry| entry.is_location || !entry.rules.is_empty());
        entries.sort_unstable_by_key(|entry| entry.key);
        entries
    }

    /// Registries, with the beginnings of the repositories in them that are locations.
    pub(crate) fn all_stems(&self) -> Vec<(&str, &str)> {
        let stems = self.stems.iter();
        let mut stems: Vec<_> =
            stems.flat_map(|(registry, stems)| stems.iter().map(|(stem, _)| (text(registry), &**stem))).collect();
        stems.sort_unstable();
        stems
    }

    /// Rules with a pattern, in the order in which they are tried.
    pub(crate) fn pattern_rules(&self) -> Vec<RuleRef<'_>> {
        self.patterns.iter().flat_map(|group| &group.rules).map(|&id| self.rule(id)).collect()
    }

    /// Rules for every registry, in the order in which they are tried.
    pub(crate) fn rules_for_all(&self) -> Vec<RuleRef<'_>> {
        self.refs(&self.all)
    }

    fn entry_of<'t>(&'t self, key: EntryKey<'t>, entry: &'t PrefixEntry) -> Entry<'t> {
        let rules = self.refs(&entry.rules);
        let named = rules.iter().filter(|rule| rule.rule.upstream().names_https_port()).count();
        let depends_on_port = named > 0 && named < rules.len();
        Entry { key, depends_on_port, rules, is_location: entry.location.is_some() }
    }

    fn refs(&self, ids: &[RuleId]) -> Vec<RuleRef<'_>> {
        ids.iter().map(|&id| self.rule(id)).collect()
    }

    /// Number of the rules that are aliases.
    pub(crate) fn alias_rules(&self) -> usize {
        self.lists.iter().flat_map(|List { rules, .. }| rules.iter()).filter(|rule| rule.alias_of().is_some()).count()
    }
}

/// A key, which was a string.
fn text(key: &[u8]) -> &str {
    std::str::from_utf8(key).unwrap_or_default()
}
