//! The index over all rules: finds the selected rule for an image. The cost of a lookup depends on the image, not on the
//! number of rules.

use std::cmp::Reverse;
use std::sync::Arc;

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::host::{docker_hub_alias, names_https_port, without_https_port, without_port};
use crate::location::Claim;
use crate::outcome::RuleRef;
use crate::prefix_index::{LocationId, Map, PrefixEntry, Registry, RuleId, RuleIds};
use crate::reference::{ImageRef, LIBRARY};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::upstream::{ANY_PORT, Upstream, anchored};

/// Expressions per automaton. With more of them, building it is slow.
const PATTERN_GROUP: usize = 64;
/// Largest automaton, in bytes.
const PATTERN_GROUP_LIMIT: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct RuleIndex {
    lists: Vec<List>,
    /// Registries that are aliases by configuration, with the rule that says so.
    aliases: Map<RuleId>,
    /// By name without port 443 and with aliases replaced.
    registries: Map<Registry>,
    /// By domain with its leading dot, as in `.gcr.io` or `.gcr.io:5000`.
    domains: Map<PrefixEntry>,
    /// As `domains`, for hosts with any port.
    domains_any_port: Map<PrefixEntry>,
    domain_locations: bool,
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
    pub(crate) fn new(lists: Vec<(Box<str>, Arc<[Rule]>)>) -> Self {
        let mut index = Self {
            lists: Vec::new(),
            aliases: Map::default(),
            registries: Map::default(),
            domains: Map::default(),
            domains_any_port: Map::default(),
            domain_locations: false,
            stems: Map::default(),
            highest_priority: 0,
            https_port: false,
            patterns: Vec::new(),
            all: Vec::new(),
        };
        let mut before = 0;
        for (number, (source, rules)) in (0..).zip(lists) {
            for (rule, _) in (0..).zip(rules.iter()).filter(|(_, content)| content.alias_of().is_some()) {
                index.insert_alias(RuleId { list: number, rule }, &rules);
            }
            let list = List { source, rules, before };
            before += list.rules.len();
            index.lists.push(list);
        }
        let mut patterns = Vec::new();
        let lists: Vec<_> = index.lists.iter().map(|list| Arc::clone(&list.rules)).collect();
        for (list, rules) in (0..).zip(&lists) {
            for (rule, content) in (0..).zip(rules.iter()).filter(|(_, content)| content.alias_of().is_none()) {
                index.insert(RuleId { list, rule }, content, &mut patterns);
            }
        }
        let (lowest, highest) = index
            .rules()
            .map(|rule| rule.rule.priority())
            .fold((i32::MAX, i32::MIN), |range, p| (range.0.min(p), range.1.max(p)));
        index.highest_priority = highest;
        if lowest < highest {
            index.sort_by_priority(&mut patterns);
        }
        for stems in index.stems.values_mut() {
            stems.sort_by(|a, b| a.0.cmp(&b.0));
            stems.dedup_by(|stem, before| stem.0.starts_with(&*before.0));
        }
        index.patterns = patterns
            .chunks(PATTERN_GROUP)
            .map(|rules| {
                let texts = rules.iter().filter_map(|&id| match index.rule(id).rule.upstream() {
                    Upstream::Pattern(pattern) => Some(anchored(pattern.as_str())),
                    _ => None,
                });
                let set = RegexSetBuilder::new(texts).unicode(false).size_limit(PATTERN_GROUP_LIMIT).build();
                PatternGroup { set: set.ok(), rules: rules.to_vec() }
            })
            .collect();
        index
    }

    fn insert_alias(&mut self, id: RuleId, rules: &[Rule]) {
        if let Upstream::Prefix { registry, .. } = rules[id.rule as usize].upstream() {
            // Of two sources that name the same alias, the first is used.
            self.aliases.entry(without_https_port(registry).as_bytes().into()).or_insert(id);
        }
    }

    fn insert(&mut self, id: RuleId, rule: &Rule, patterns: &mut Vec<RuleId>) {
        match rule.upstream() {
            Upstream::Prefix { registry, path } => {
                self.https_port |= names_https_port(registry);
                if rule.upstream().is_official() {
                    self.registry_mut(registry).has_official = true;
                }
                self.entry(registry, path).rules.push(id);
            }
            Upstream::Wildcard(domain) => {
                self.https_port |= names_https_port(domain);
                self.domain(domain).rules.push(id);
            }
            Upstream::All => self.all.push(id),
            Upstream::Pattern(_) => patterns.push(id),
        }
        for (mirror, content) in (0..).zip(rule.mirrors()) {
            let location = content.location();
            let location_id = LocationId { rule: id, mirror };
            let entry = match location.claim() {
                Claim::Prefix { registry, path } => {
                    self.registry_mut(registry).has_locations = true;
                    self.entry(registry, path)
                }
                Claim::Stem { registry, stem } => {
                    let key = self.canonical(registry).as_bytes().into();
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
        let key = self.canonical(registry).as_bytes().into();
        self.registries.entry(key).or_default()
    }

    fn domain(&mut self, domain: &str) -> &mut PrefixEntry {
        match domain.strip_suffix(ANY_PORT) {
            Some(domain) => self.domains_any_port.entry(domain.as_bytes().into()),
            None => self.domains.entry(without_https_port(domain).as_bytes().into()),
        }
        .or_default()
    }

    fn entry(&mut self, registry: &str, path: &str) -> &mut PrefixEntry {
        let registry = self.registry_mut(registry);
        if path.is_empty() {
            return &mut registry.whole;
        }
        registry.longest = registry.longest.max(path.len());
        registry.paths.entry(path.as_bytes().into()).or_default()
    }

    /// Sorts the rules of every entry, and the patterns. Among equal priorities, the order stays.
    fn sort_by_priority(&mut self, patterns: &mut [RuleId]) {
        let lists: Vec<_> = self.lists.iter().map(|list| Arc::clone(&list.rules)).collect();
        let sort = |ids: &mut [RuleId]| {
            ids.sort_by_key(|id| Reverse(lists[id.list as usize][id.rule as usize].priority()));
        };
        let registries = self.registries.values_mut();
        let entries = registries.flat_map(|registry| registry.paths.values_mut().chain([&mut registry.whole]));
        for entry in entries.chain(self.domains.values_mut()).chain(self.domains_any_port.values_mut()) {
            if let RuleIds::Several(ids) = &mut entry.rules {
                sort(ids);
            }
        }
        sort(&mut self.all);
        sort(patterns);
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
        if self.aliases.is_empty() { None } else { self.find_alias(host) }
    }

    #[cold]
    fn find_alias(&self, host: &str) -> Option<&str> {
        self.aliases.get(host.as_bytes()).and_then(|&id| self.rule(id).rule.alias_of())
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

    #[cfg(feature = "lint")]
    pub(crate) fn registry(&self, registry: &str) -> Option<&Registry> {
        self.registries.get(self.canonical(registry).as_bytes())
    }

    /// The most specific rule, except for patterns and `*`, that `wanted` accepts and whose upstream includes this prefix.
    #[cfg(feature = "lint")]
    pub(crate) fn find_upstream<'t>(
        &'t self,
        registry: &str,
        path: &str,
        wanted: impl Fn(RuleRef<'t>) -> bool,
    ) -> Option<RuleRef<'t>> {
        let among = |entry: &PrefixEntry| entry.rules.iter().map(|&id| self.rule(id)).find(|&rule| wanted(rule));
        let in_registry = self.registry(registry).and_then(|registry| {
            let mut found = None;
            registry.prefixes(("", path), |entry| {
                found = among(entry);
                found.is_some()
            });
            found
        });
        in_registry.or_else(|| self.domains_of(registry).find_map(among))
    }

    /// Rules that share an upstream, in order of precedence.
    #[cfg(feature = "lint")]
    pub(crate) fn same_upstream(&self) -> impl Iterator<Item = &[RuleId]> {
        let in_registries =
            self.registries.values().flat_map(|registry| registry.paths.values().chain([&registry.whole]));
        let in_domains = self.domains.values().chain(self.domains_any_port.values());
        in_registries.chain(in_domains).map(|entry| &*entry.rules).chain([&*self.all])
    }

    /// The location that the image already points at.
    pub(crate) fn location_of(&self, subject: &Subject<'_>) -> Option<&str> {
        let mut found = None;
        if let Some(registry) = self.registry_of(subject).filter(|r| r.has_locations) {
            found = registry.prefixes(subject.repository_parts(), |entry| entry.location.is_some());
        }
        if found.is_none() && self.domain_locations {
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
        mut applies: impl FnMut(RuleRef<'t>) -> bool,
    ) -> Option<RuleRef<'t>> {
        let mut winner: Option<RuleRef<'t>> = None;
        // Whether the search is over.
        let mut among = |ids: &[RuleId]| {
            let found = if self.https_port {
                self.as_written_first(ids, subject).into_iter().find(|&rule| applies(rule))
            } else {
                ids.iter().map(|&id| self.rule(id)).find(|&rule| applies(rule))
            };
            let Some(found) = found else { return false };
            if winner.is_none_or(|winner| winner.rule.priority() < found.rule.priority()) {
                winner = Some(found);
            }
            found.rule.priority() >= self.highest_priority
        };
        let parts = subject.repository_parts();
        let in_registry = self.registry_of(subject).is_some_and(|registry| {
            if registry.has_official && (!parts.0.is_empty() || parts.1.starts_with(LIBRARY)) {
                registry.with_official(parts, |ids| among(&self.in_order(ids)))
            } else {
                registry.prefixes(parts, |entry| among(&entry.rules)).is_some()
            }
        });
        let _over = in_registry
            || (self.has_domains() && self.domains_of(subject.registry()).any(|entry| among(&entry.rules)))
            || self.patterns.iter().any(|group| group.matches(self, subject.text(), |id| among(&[id])))
            || among(&self.all);
        winner
    }

    /// Rules of two entries, in order of precedence.
    fn in_order(&self, mut ids: Vec<RuleId>) -> Vec<RuleId> {
        ids.sort_by_key(|&id| (Reverse(self.rule(id).rule.priority()), id));
        ids
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

    fn has_domains(&self) -> bool {
        !self.domains.is_empty() || !self.domains_any_port.is_empty()
    }

    /// Domains of which the registry is a subdomain, the longest first.
    fn domains_of<'t, 'r>(&'t self, registry: &'r str) -> impl Iterator<Item = &'t PrefixEntry> + use<'t, 'r> {
        let host = if self.domains_any_port.is_empty() { "" } else { without_port(registry) };
        registry.match_indices('.').flat_map(move |(dot, _)| {
            let any_port = host.as_bytes().get(dot..).and_then(|domain| self.domains_any_port.get(domain));
            self.domains.get(&registry.as_bytes()[dot..]).into_iter().chain(any_port)
        })
    }
}

impl List {
    fn rule(&self, index: usize) -> RuleRef<'_> {
        RuleRef { rule: &self.rules[index], source: &self.source, number: self.before + index }
    }
}

impl PatternGroup {
    /// Whether `wanted` accepts one of the expressions that match, tried in the order written.
    fn matches(&self, index: &RuleIndex, text: &str, mut wanted: impl FnMut(RuleId) -> bool) -> bool {
        match &self.set {
            Some(set) => set.matches(text.as_bytes()).iter().any(|index| wanted(self.rules[index])),
            None => self.rules.iter().any(|&id| match index.rule(id).rule.upstream() {
                Upstream::Pattern(pattern) => pattern.regex().is_match(text.as_bytes()) && wanted(id),
                _ => false,
            }),
        }
    }
}
