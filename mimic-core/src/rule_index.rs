//! The index over all rules: finds the selected rule for an image. The cost of a lookup depends on the image, not on the
//! number of rules.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use foldhash::fast::FixedState;
use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::grammar::REPOSITORY_MAX;
use crate::location::Claim;
use crate::outcome::RuleRef;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::upstream::{Upstream, anchored};

/// The hash needs no random seed, because all keys come from the configuration.
type Map<T> = HashMap<Box<[u8]>, T, FixedState>;

/// Expressions per automaton. With more of them, building it is slow.
const PATTERN_GROUP: usize = 64;
/// Largest automaton, in bytes.
const PATTERN_GROUP_LIMIT: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct RuleIndex {
    lists: Vec<List>,
    registries: Map<Registry>,
    /// By domain with its leading dot, as in `.gcr.io`.
    domains: Map<PrefixEntry>,
    domain_locations: bool,
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

/// A registry and the prefixes in it that are upstreams or locations.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) whole: PrefixEntry,
    pub(crate) paths: Map<PrefixEntry>,
    /// Length of the longest of `paths`, in bytes.
    longest: usize,
    has_locations: bool,
}

/// One prefix. There can be tens of thousands, so they are small.
#[derive(Debug, Default)]
pub(crate) struct PrefixEntry {
    /// Rules with this upstream, in order of precedence.
    pub(crate) rules: RuleIds,
    /// The location at this prefix.
    pub(crate) location: Option<LocationId>,
}

/// Rules of one prefix. Most prefixes have exactly one.
#[derive(Debug, Default)]
pub(crate) enum RuleIds {
    #[default]
    None,
    One(RuleId),
    Several(Vec<RuleId>),
}

/// A location: the rule and its mirror.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocationId {
    rule: RuleId,
    mirror: u32,
}

#[derive(Debug)]
struct PatternGroup {
    /// `None` if the automaton would be too large. The expressions are then tried one by one.
    set: Option<RegexSet>,
    rules: Vec<RuleId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleId {
    list: u32,
    rule: u32,
}

impl RuleIndex {
    pub(crate) fn new(lists: Vec<(Box<str>, Arc<[Rule]>)>) -> Self {
        let mut index = Self {
            lists: Vec::new(),
            registries: Map::default(),
            domains: Map::default(),
            domain_locations: false,
            patterns: Vec::new(),
            all: Vec::new(),
        };
        let mut patterns = Vec::new();
        for (list, (_, rules)) in (0..).zip(&lists) {
            for (rule, content) in (0..).zip(rules.iter()) {
                index.insert(RuleId { list, rule }, content, &mut patterns);
            }
        }
        let mut before = 0;
        for (source, rules) in lists {
            let list = List { source, rules, before };
            before += list.rules.len();
            index.lists.push(list);
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

    fn insert(&mut self, id: RuleId, rule: &Rule, patterns: &mut Vec<RuleId>) {
        match rule.upstream() {
            Upstream::Prefix { registry, path } => self.entry(registry, path).rules.push(id),
            Upstream::Wildcard(domain) => self.domains.entry(domain.as_bytes().into()).or_default().rules.push(id),
            Upstream::All => self.all.push(id),
            Upstream::Pattern(_) => patterns.push(id),
        }
        for (mirror, content) in (0..).zip(rule.mirrors()) {
            let location = content.location();
            let entry = match location.claim() {
                Claim::Prefix { registry, path } => {
                    self.registries.entry(registry.as_bytes().into()).or_default().has_locations = true;
                    self.entry(registry, path)
                }
                Claim::Domain(domain) => {
                    self.domain_locations = true;
                    self.domains.entry(domain.as_bytes().into()).or_default()
                }
            };
            entry.location.get_or_insert(LocationId { rule: id, mirror });
        }
    }

    fn entry(&mut self, registry: &str, path: &str) -> &mut PrefixEntry {
        let registry = self.registries.entry(registry.as_bytes().into()).or_default();
        if path.is_empty() {
            return &mut registry.whole;
        }
        registry.longest = registry.longest.max(path.len());
        registry.paths.entry(path.as_bytes().into()).or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.last().map_or(0, |list| list.before + list.rules.len())
    }

    pub(crate) fn rule(&self, id: RuleId) -> RuleRef<'_> {
        self.lists[id.list as usize].rule(id.rule as usize)
    }

    /// A location as written.
    pub(crate) fn location(&self, id: LocationId) -> &str {
        self.rule(id.rule).rule.mirrors()[id.mirror as usize].location().as_str()
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleRef<'_>> {
        self.lists.iter().flat_map(|list| (0..list.rules.len()).map(|index| list.rule(index)))
    }

    #[cfg(feature = "lint")]
    pub(crate) fn registries(&self) -> &Map<Registry> {
        &self.registries
    }

    /// Rules that share an upstream, in order of precedence.
    #[cfg(feature = "lint")]
    pub(crate) fn same_upstream(&self) -> impl Iterator<Item = &[RuleId]> {
        let in_registries =
            self.registries.values().flat_map(|registry| registry.paths.values().chain([&registry.whole]));
        in_registries.chain(self.domains.values()).map(|entry| &*entry.rules).chain([&*self.all])
    }

    /// The location that the image already points at.
    pub(crate) fn location_of(&self, subject: &Subject<'_>) -> Option<&str> {
        let mut found = None;
        if let Some(registry) = self.registries.get(subject.registry().as_bytes()).filter(|r| r.has_locations) {
            found = registry.prefixes(subject.repository_parts(), |entry| entry.location.is_some());
        }
        if found.is_none() && self.domain_locations {
            found = self.domains_of(subject.registry()).find(|entry| entry.location.is_some());
        }
        found.and_then(|entry| entry.location).map(|location| self.location(location))
    }

    /// The most specific rule that matches and that `applies` accepts.
    pub(crate) fn find<'t>(
        &'t self,
        subject: &Subject<'_>,
        mut applies: impl FnMut(RuleRef<'t>) -> bool,
    ) -> Option<RuleRef<'t>> {
        let mut winner = None;
        let mut among = |ids: &[RuleId]| {
            winner = ids.iter().map(|&id| self.rule(id)).find(|&rule| applies(rule));
            winner.is_some()
        };
        let registry = self.registries.get(subject.registry().as_bytes());
        if registry.is_some_and(|r| r.prefixes(subject.repository_parts(), |entry| among(&entry.rules)).is_some())
            || self.domains_of(subject.registry()).any(|entry| among(&entry.rules))
            || self.patterns.iter().any(|group| group.matches(self, subject.text(), |id| among(&[id])))
            || among(&self.all)
        {
            return winner;
        }
        None
    }

    /// Domains of which the registry is a subdomain, the longest first.
    fn domains_of<'t, 'r>(&'t self, registry: &'r str) -> impl Iterator<Item = &'t PrefixEntry> + use<'t, 'r> {
        let dots = if self.domains.is_empty() { "" } else { registry };
        dots.match_indices('.').filter_map(|(dot, _)| self.domains.get(&registry.as_bytes()[dot..]))
    }
}

impl List {
    fn rule(&self, index: usize) -> RuleRef<'_> {
        RuleRef { rule: &self.rules[index], source: &self.source, number: self.before + index }
    }
}

impl RuleIds {
    fn push(&mut self, id: RuleId) {
        match self {
            Self::None => *self = Self::One(id),
            Self::One(first) => *self = Self::Several(vec![*first, id]),
            Self::Several(ids) => ids.push(id),
        }
    }
}

impl Deref for RuleIds {
    type Target = [RuleId];

    fn deref(&self) -> &[RuleId] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
        }
    }
}

impl Registry {
    /// The longest prefix that `wanted` accepts.
    pub(crate) fn prefixes<'t>(
        &'t self,
        (library, path): (&str, &str),
        mut wanted: impl FnMut(&'t PrefixEntry) -> bool,
    ) -> Option<&'t PrefixEntry> {
        if !self.paths.is_empty() {
            let mut buffer = [0; REPOSITORY_MAX];
            let repository = if library.is_empty() {
                path.as_bytes()
            } else {
                let length = library.len() + path.len();
                buffer[..library.len()].copy_from_slice(library.as_bytes());
                buffer[library.len()..length].copy_from_slice(path.as_bytes());
                &buffer[..length]
            };
            let mut end = repository.len();
            loop {
                if end <= self.longest
                    && let Some(entry) = self.paths.get(&repository[..end])
                    && wanted(entry)
                {
                    return Some(entry);
                }
                match repository[..end].iter().rposition(|&b| b == b'/') {
                    Some(slash) => end = slash,
                    None => break,
                }
            }
        }
        wanted(&self.whole).then_some(&self.whole)
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
