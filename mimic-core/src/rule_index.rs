//! The index over all rules: finds the selected rule for an image. The cost of a lookup depends on the image, not on the
//! number of rules.

use std::cmp::Reverse;
use std::sync::Arc;

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::host::{ANY_PORT, docker_hub_alias, names_https_port, without_https_port, without_port};
use crate::location::Claim;
use crate::outcome::RuleRef;
use crate::prefix_index::{LocationId, Map, PrefixEntry, Registry, RuleId};
use crate::reference::{ImageRef, LIBRARY};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::upstream::{Upstream, anchored};
use crate::work::{DOMAIN_BYTE, RULE, Work};

#[cfg(feature = "lint")]
mod lint;
#[cfg(feature = "table")]
mod table;

/// Expressions per automaton. With more of them, building it is slow.
const PATTERN_GROUP: usize = 64;
/// Largest automaton, in bytes. Building it takes ten times as much.
const PATTERN_GROUP_LIMIT: usize = 4 << 20;
/// Most memory that a thread caches to match with one automaton, in bytes.
const PATTERN_GROUP_CACHE: usize = 512 << 10;

#[derive(Debug, Default)]
pub(crate) struct RuleIndex {
    lists: Vec<List>,
    /// Registries that are aliases by configuration, with the registries that they mean.
    aliases: Map<Box<str>>,
    /// By name without port 443 and with aliases replaced.
    registries: Map<Registry>,
    /// By domain with its leading dot, as in `.gcr.io` or `.gcr.io:5000`.
    domains: Map<PrefixEntry>,
    /// As `domains`, for hosts with any port.
    domains_any_port: Map<PrefixEntry>,
    domain_locations: bool,
    /// Length of the longest domain, in bytes.
    longest_domain: usize,
    /// Locations that end inside a component, by registry: sorted, and none begins with another one.
    stems: Map<Vec<(Box<str>, LocationId)>>,
    highest_priority: i32,
    /// Whether an upstream names port 443. Such a rule comes first for images that name it, too.
    https_port: bool,
    patterns: Vec<PatternGroup>,
    all: Vec<RuleId>,
}

#[derive(Debug)]
struct List {
    source: Box<str>,
    rules: Arc<[Rule]>,
    /// Number of rules in the lists before this one.
    before: usize,
}

#[derive(Debug)]
struct PatternGroup {
    /// `None` if the automaton would be too large. The expressions are then tried one by one.
    set: Option<RegexSet>,
    rules: Vec<RuleId>,
}

impl RuleIndex {
    pub(crate) fn new(sources: Vec<(Box<str>, Arc<[Rule]>)>) -> Self {
        let mut index = Self::default();
        let mut lists = Vec::new();
        let mut before = 0;
        for (source, rules) in sources {
            let list = List { source, rules, before };
            before += list.rules.len();
            lists.push(list);
        }
        let mut rules = Vec::with_capacity(before);
        for (list, content) in (0..).zip(&lists) {
            for (rule, content) in (0..).zip(content.rules.iter()) {
                match content.alias_of() {
                    // Of two sources that name the same alias, the first is used.
                    Some(of) => _ = index.aliases.entry(content.name().as_bytes().into()).or_insert(of.into()),
                    None => rules.push((RuleId { list, rule }, content)),
                }
            }
        }
        // Every entry gets its rules in this order.
        rules.sort_by_key(|(_, rule)| Reverse(rule.priority()));
        index.highest_priority = rules.first().map_or(0, |(_, rule)| rule.priority());
        let mut patterns = Vec::new();
        for (id, rule) in rules {
            if let Upstream::Pattern(pattern) = rule.upstream() {
                patterns.push((id, pattern.as_str()));
            }
            index.insert(id, rule);
        }
        index.patterns = patterns.chunks(PATTERN_GROUP).map(PatternGroup::new).collect();
        for stems in index.stems.values_mut() {
            stems.sort_by(|a, b| a.0.cmp(&b.0));
            stems.dedup_by(|stem, before| stem.0.starts_with(&*before.0));
        }
        index.lists = lists;
        index
    }

    fn insert(&mut self, id: RuleId, rule: &Rule) {
        let upstream = rule.upstream();
        self.https_port |= upstream.names_https_port();
        match upstream {
            Upstream::Prefix { registry, path } => {
                let registry = self.registry_mut(registry);
                registry.entry(path).rules.push(id);
                if upstream.is_official() {
                    registry.entry(&format!("{LIBRARY}{path}")).rules.push(id);
                }
            }
            Upstream::Wildcard(domain) => self.domain(domain).rules.push(id),
            Upstream::All => self.all.push(id),
            Upstream::Pattern(_) => {}
        }
        for (mirror, content) in (0..).zip(rule.mirrors()) {
            let location_id = LocationId { rule: id, mirror };
            let entry = match content.location().claim() {
                Claim::Prefix { registry, path } => {
                    let registry = self.registry_mut(registry);
                    registry.has_locations = true;
                    registry.entry(path)
                }
                Claim::Stem { registry, stem } => {
                    let key = self.key(registry);
                    self.stems.entry(key).or_default().push((stem.into(), location_id));
                    continue;
                }
                Claim::Domain(domain) => {
                    self.domain_locations = true;
                    self.domain(domain)
                }
            };
            entry.location.get_or_insert(location_id);
        }
    }

    fn registry_mut(&mut self, registry: &str) -> &mut Registry {
        let key = self.key(registry);
        self.registries.entry(key).or_default()
    }

    fn domain(&mut self, domain: &str) -> &mut PrefixEntry {
        self.longest_domain = self.longest_domain.max(domain.len());
        match domain.strip_suffix(ANY_PORT) {
            Some(domain) => self.domains_any_port.entry(domain.as_bytes().into()),
            None => self.domains.entry(without_https_port(domain).as_bytes().into()),
        }
        .or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.last().map_or(0, |list| list.before + list.rules.len())
    }

    pub(crate) fn rule(&self, id: RuleId) -> RuleRef<'_> {
        self.lists[id.list as usize].rule(id.rule as usize)
    }

    /// The registry that a host is an alias of by configuration.
    #[inline]
    fn alias_of(&self, host: &str) -> Option<&str> {
        self.aliases.get(host.as_bytes()).map(|of| &**of)
    }

    /// The name in `registries` of a written `host[:port]`.
    fn key(&self, registry: &str) -> Box<[u8]> {
        // A location of one label is in upper case.
        if registry.bytes().any(|b| b.is_ascii_uppercase()) {
            self.canonical(&registry.to_ascii_lowercase()).as_bytes().into()
        } else {
            self.canonical(registry).as_bytes().into()
        }
    }

    /// The name in `registries` of a `host[:port]` in lower case.
    fn canonical<'r>(&'r self, registry: &'r str) -> &'r str {
        let host = without_https_port(registry);
        let host = docker_hub_alias(host).unwrap_or(host);
        self.alias_of(host).unwrap_or(host)
    }

    pub(crate) fn subject<'a>(&'a self, image: ImageRef<'a>) -> Subject<'a> {
        Subject::new(image, |host| self.alias_of(host))
    }

    /// A location as written.
    pub(crate) fn location(&self, id: LocationId) -> &str {
        self.rule(id.rule).rule.mirrors()[id.mirror as usize].location().as_str()
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleRef<'_>> {
        self.lists.iter().flat_map(|list| (0..list.rules.len()).map(|index| list.rule(index)))
    }

    /// The location that the image already points at.
    pub(crate) fn location_of(&self, subject: &Subject<'_>, work: &Work) -> Option<&str> {
        let mut found = None;
        if let Some(registry) = self.registry_of(subject).filter(|r| r.has_locations) {
            found = registry.prefixes(subject.repository_parts(), work, |entry| entry.location.is_some());
        }
        if found.is_none() && self.domain_locations {
            self.spend_on_domains(subject, work);
            let hosts = [Some(subject.registry()), subject.alias()].into_iter().flatten();
            found = hosts.flat_map(|host| self.domains_of(host)).find(|entry| entry.location.is_some());
        }
        let mut location = found.and_then(|entry| entry.location);
        if location.is_none() && !self.stems.is_empty() {
            let registry = subject.known_registry()?;
            location = self.stem_of(registry, &subject.text()[registry.len() + 1..]);
        }
        location.map(|location| self.location(location))
    }

    /// The location that a repository begins with, if the location ends inside a component.
    pub(crate) fn stem_of(&self, registry: &str, repository: &str) -> Option<LocationId> {
        let stems = self.stems.get(registry.as_bytes())?;
        // As none begins with another one, only the one that sorts before the repository can be its beginning.
        let before = stems.partition_point(|(stem, _)| **stem <= *repository).checked_sub(1)?;
        let (stem, location) = &stems[before];
        repository.starts_with(&**stem).then_some(*location)
    }

    /// The rule that matches and that `applies` accepts: of those with the highest priority, the most specific.
    pub(crate) fn find<'t>(
        &'t self,
        subject: &Subject<'_>,
        work: &Work,
        mut applies: impl FnMut(RuleRef<'t>) -> bool,
    ) -> Option<RuleRef<'t>> {
        let mut selected: Option<RuleRef<'t>> = None;
        // Whether the search is over.
        let mut among = |ids: &[RuleId]| {
            work.spend(RULE * ids.len() as u64);
            if work.is_spent() {
                return true;
            }
            let found = if self.https_port {
                work.spend(RULE * ids.len() as u64);
                self.as_written_first(ids, subject).into_iter().find(|&rule| applies(rule))
            } else {
                ids.iter().map(|&id| self.rule(id)).find(|&rule| applies(rule))
            };
            let Some(found) = found else { return false };
            if selected.is_none_or(|selected| selected.rule.priority() < found.rule.priority()) {
                selected = Some(found);
            }
            found.rule.priority() >= self.highest_priority
        };
        let in_registry = self.registry_of(subject).is_some_and(|registry| {
            registry.prefixes(subject.repository_parts(), work, |entry| among(&entry.rules)).is_some()
        });
        let has_domains = !in_registry && (!self.domains.is_empty() || !self.domains_any_port.is_empty());
        if has_domains {
            self.spend_on_domains(subject, work);
        }
        let _over = in_registry
            || (has_domains && self.domains_of(subject.registry()).any(|entry| among(&entry.rules)))
            || self.patterns.iter().any(|group| group.matches(self, subject.text(), work, |id| among(&[id])))
            || among(&self.all);
        selected
    }

    /// Rules with the same upstream: first those that name port 443 if the image does, or do not if it does not.
    #[cold]
    fn as_written_first(&self, ids: &[RuleId], subject: &Subject<'_>) -> Vec<RuleRef<'_>> {
        let names_port = names_https_port(subject.image().registry());
        let mut rules: Vec<_> = ids.iter().map(|&id| self.rule(id)).collect();
        rules
            .sort_by_key(|rule| (Reverse(rule.rule.priority()), rule.rule.upstream().names_https_port() != names_port));
        rules
    }

    fn registry_of(&self, subject: &Subject<'_>) -> Option<&Registry> {
        self.registries.get(subject.known_registry()?.as_bytes())
    }

    /// Each dot within the longest domain is a lookup, and each one before it a comparison.
    fn spend_on_domains(&self, subject: &Subject<'_>, work: &Work) {
        let length = subject.registry().len();
        work.spend(length as u64 + DOMAIN_BYTE * length.min(self.longest_domain) as u64);
    }

    /// Domains of which the registry is a subdomain, the longest first.
    fn domains_of<'t, 'r>(&'t self, registry: &'r str) -> impl Iterator<Item = &'t PrefixEntry> + use<'t, 'r> {
        let host = if self.domains_any_port.is_empty() { "" } else { without_port(registry) };
        // A longer text is not hashed: a registry can have any length.
        let longest = self.longest_domain;
        let short = move |domain: &&[u8]| domain.len() <= longest;
        registry.match_indices('.').flat_map(move |(dot, _)| {
            let domain = registry.as_bytes().get(dot..).filter(short).and_then(|domain| self.domains.get(domain));
            let any_port = host.as_bytes().get(dot..).filter(short);
            domain.into_iter().chain(any_port.and_then(|domain| self.domains_any_port.get(domain)))
        })
    }
}

impl List {
    fn rule(&self, index: usize) -> RuleRef<'_> {
        RuleRef { rule: &self.rules[index], source: &self.source, number: self.before + index }
    }
}

impl PatternGroup {
    fn new(rules: &[(RuleId, &str)]) -> Self {
        let texts = rules.iter().map(|(_, pattern)| anchored(pattern));
        let mut builder = RegexSetBuilder::new(texts);
        builder.unicode(false).size_limit(PATTERN_GROUP_LIMIT).dfa_size_limit(PATTERN_GROUP_CACHE);
        let set = builder.build();
        Self { set: set.ok(), rules: rules.iter().map(|(id, _)| *id).collect() }
    }

    /// Whether `wanted` accepts one of the expressions that match, tried in the order written.
    fn matches(&self, index: &RuleIndex, text: &str, work: &Work, mut wanted: impl FnMut(RuleId) -> bool) -> bool {
        work.spend(RULE * self.rules.len() as u64);
        let mut can_match = false;
        for &id in &self.rules {
            if let Upstream::Pattern(pattern) = index.rule(id).rule.upstream()
                && pattern.can_match(text)
            {
                can_match = true;
                work.spend(pattern.steps(text));
            }
        }
        if work.is_spent() || !can_match {
            return work.is_spent();
        }
        match &self.set {
            Some(set) => set.matches(text.as_bytes()).iter().any(|index| wanted(self.rules[index])),
            None => self.rules.iter().any(|&id| match index.rule(id).rule.upstream() {
                Upstream::Pattern(pattern) => pattern.regex().is_match(text.as_bytes()) && wanted(id),
                _ => false,
            }),
        }
    }
}
