//! What warnings about rules look up.

use super::RuleIndex;
use crate::outcome::RuleRef;
use crate::prefix_index::{Map, PrefixEntry, Registry, RuleId};
use crate::work::Work;

impl RuleIndex {
    pub(crate) fn registry(&self, registry: &str) -> Option<&Registry> {
        self.registries.get(&self.key(registry))
    }

    /// Registries that are aliases, with the registries that they mean.
    pub(crate) fn aliases(&self) -> &Map<Box<str>> {
        &self.aliases
    }

    /// The most specific rule, except for patterns and `*`, that `wanted` accepts and whose upstream includes this prefix.
    pub(crate) fn find_upstream<'t>(
        &'t self,
        registry: &str,
        path: &str,
        wanted: impl Fn(RuleRef<'t>) -> bool,
    ) -> Option<RuleRef<'t>> {
        let among = |entry: &PrefixEntry| entry.rules.iter().map(|&id| self.rule(id)).find(|&rule| wanted(rule));
        let in_registry = self.registry(registry).and_then(|registry| {
            let mut found = None;
            registry.prefixes(("", path), &Work::unlimited(), |entry| {
                found = among(entry);
                found.is_some()
            });
            found
        });
        in_registry.or_else(|| self.domains_of(registry).find_map(among))
    }

    /// Rules that share an upstream, in order of precedence, with the path of the upstream. Rules for one component of
    /// Docker Hub come twice, also with the path of the official image.
    pub(crate) fn same_upstream(&self) -> impl Iterator<Item = (&[u8], &[RuleId])> {
        let in_registries = self.registries.values().flat_map(|registry| {
            registry.paths.iter().map(|(path, entry)| (&**path, entry)).chain([(&[][..], &registry.whole)])
        });
        let in_domains = self.domains.values().chain(self.domains_any_port.values()).map(|entry| (&[][..], entry));
        in_registries.chain(in_domains).map(|(path, entry)| (path, &*entry.rules)).chain([(&[][..], &*self.all)])
    }
}
