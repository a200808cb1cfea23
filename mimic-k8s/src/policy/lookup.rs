//! The table of the policy: what an image is looked up in.

use std::collections::{BTreeMap, BTreeSet};

use mimic_core::{EntryKey, Rewriter, RuleRef, Table, Upstream};

use super::alternative::{ALTERNATIVE, Alternative, Compiled, Priorities, compile};
use super::expression::{beginning, rewrite};
use super::left::LeftRule;

/// The key of rules for every registry.
pub(super) const EVERYTHING: &str = "*";
/// How the key of a domain begins. Its dot follows.
pub(super) const DOMAIN: &str = "*";
/// How the key of a domain ends that matches hosts with any port.
pub(super) const ANY_PORT: &str = ":*";

/// Longest value of a key, in bytes. Each image that has the key costs a step for each.
const MAX_VALUE: usize = 20_000;

/// The table of the policy.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Hosts, with the registries that they mean.
    pub(super) aliases: BTreeMap<String, String>,
    /// Registries and paths that are on a mirror.
    pub(super) locations: BTreeSet<String>,
    /// Texts with which images on a mirror begin.
    pub(super) stems: Vec<String>,
    /// Texts with which registries end that are mirrors.
    pub(super) domain_locations: Vec<String>,
    /// The alternatives of each key, as the policy has them.
    pub(super) rules: BTreeMap<String, String>,
    /// Expressions over names that are keys, the last to be tried first.
    pub(super) patterns: Vec<String>,
    /// Whether a key is a domain, and whether one is a domain with any port.
    pub(super) domains: (bool, bool),
    pub(super) priorities: Priorities,
    /// Pull secrets, sorted.
    pub(super) secrets: BTreeSet<String>,
    /// Whether a location has placeholders.
    pub(super) has_templates: bool,
    /// Whether a rule has conditions on the image, and whether a rule has alternatives.
    pub(super) has_conditions: bool,
    /// Whether a rule has an `exclude`.
    pub(super) has_excludes: bool,
    /// The rules that stay with the webhook.
    pub(super) left: Vec<LeftRule>,
    /// Number of rules that do not.
    pub(super) claimed: usize,
}

impl Lookup {
    pub(super) fn new(rewriter: &Rewriter) -> Self {
        let table = rewriter.table();
        // An alias has no priority.
        let rules = rewriter.rules().filter(|rule| rule.rule.alias_of().is_none());
        let priorities = Priorities::new(rules.map(|rule| rule.rule.priority()));
        let mut builder = Builder { lookup: Self { priorities, ..Self::default() }, left: BTreeMap::new() };
        builder.fill(table);
        let Builder { mut lookup, left } = builder;
        lookup.claimed = table.rules() - left.len();
        lookup.left = left.into_values().collect();
        lookup
    }
}

struct Builder {
    lookup: Lookup,
    /// By the number of the rule.
    left: BTreeMap<usize, LeftRule>,
}

impl Builder {
    fn fill(&mut self, table: Table<'_>) {
        let aliases = table.aliases();
        self.lookup.aliases = aliases.into_iter().map(|(host, of)| (host.to_owned(), of.to_owned())).collect();
        self.lookup.stems = table.stems().into_iter().map(|(registry, stem)| format!("{registry}/{stem}")).collect();
        for entry in table.entries() {
            let key = match entry.key {
                EntryKey::Prefix { registry, path: "" } => registry.to_owned(),
                EntryKey::Prefix { registry, path } => format!("{registry}/{path}"),
                EntryKey::Domain { domain, any_port: false } => format!("{DOMAIN}{domain}"),
                EntryKey::Domain { domain, any_port: true } => format!("{DOMAIN}{domain}{ANY_PORT}"),
            };
            if entry.is_location {
                match entry.key {
                    EntryKey::Prefix { .. } => _ = self.lookup.locations.insert(key.clone()),
                    EntryKey::Domain { domain, .. } => self.lookup.domain_locations.push(domain.to_owned()),
                }
            }
            if entry.rules.is_empty() {
                continue;
            }
            if let EntryKey::Domain { any_port, .. } = entry.key {
                self.lookup.domains.0 = true;
                self.lookup.domains.1 |= any_port;
            }
            if entry.depends_on_port {
                self.leave_all(key, &entry.rules, "other rules have the same upstream with or without port 443");
            } else {
                self.rules(key, &entry.rules);
            }
        }
        self.rules(EVERYTHING.to_owned(), &table.all());
        for rule in table.patterns() {
            self.pattern(rule);
        }
        self.lookup.patterns.reverse();
    }

    /// Adds the rules of a key, in the order in which they are tried.
    fn rules(&mut self, key: String, rules: &[RuleRef<'_>]) {
        let mut alternatives: Vec<Alternative> = Vec::new();
        for &rule in rules {
            let compiled = self.compile(rule);
            // The others are never tried.
            if !alternatives.iter().any(Alternative::is_unconditional) {
                alternatives.extend(compiled.alternatives);
            }
        }
        let length: usize = alternatives.iter().map(|alternative| alternative.text().len() + 1).sum();
        if length > MAX_VALUE {
            self.leave_all(key, rules, "the rules for its upstream are too many, or have conditions that are too long");
        } else if !alternatives.is_empty() {
            self.add(key, &alternatives);
        }
    }

    /// Leaves all images of a key to the webhook, unless a rule with a higher priority matches.
    fn leave_all(&mut self, key: String, rules: &[RuleRef<'_>], reason: &'static str) {
        for &rule in rules {
            self.leave(rule, reason);
        }
        let priority = rules.iter().map(|rule| rule.rule.priority()).max().unwrap_or_default();
        self.add(key, &[Alternative::unchanged(self.lookup.priorities.text(priority))]);
    }

    fn pattern(&mut self, rule: RuleRef<'_>) {
        let Upstream::Pattern(pattern) = rule.rule.upstream() else { return };
        let Compiled { alternatives, .. } = self.compile(rule);
        let expression = rewrite(&format!("^(?:{})$", pattern.as_str()));
        let (mut key, alternatives) = if let Some(expression) = expression {
            (expression, alternatives)
        } else {
            // Some images that match the beginning do not match the pattern, but none that matches it is lost.
            self.leave(rule, "its pattern is too long, or has no equivalent in CEL");
            let unchanged = Alternative::unchanged(self.lookup.priorities.text(rule.rule.priority()));
            (beginning(pattern.literal_start()), vec![unchanged])
        };
        // Two rules can have the same pattern, with another one in between.
        while self.lookup.rules.contains_key(&key) {
            key.push_str("(?:)");
        }
        self.lookup.patterns.push(key.clone());
        self.add(key, &alternatives);
    }

    fn compile(&mut self, rule: RuleRef<'_>) -> Compiled {
        let compiled = compile(rule.rule, &self.lookup.priorities);
        if let Some(reason) = compiled.left {
            self.leave(rule, reason);
        }
        compiled
    }

    fn leave(&mut self, rule: RuleRef<'_>, reason: &'static str) {
        self.left.entry(rule.number()).or_insert_with(|| LeftRule { rule: rule.rule.name().to_owned(), reason });
    }

    fn add(&mut self, key: String, alternatives: &[Alternative]) {
        let lookup = &mut self.lookup;
        lookup.has_conditions |= alternatives.len() > 1;
        for alternative in alternatives {
            lookup.has_conditions |= !alternative.is_unconditional();
            lookup.has_excludes |= !alternative.exclude.is_empty();
            lookup.has_templates |= alternative.location.contains('{');
            if !alternative.secret.is_empty() {
                lookup.secrets.insert(alternative.secret.clone());
            }
        }
        let texts: Vec<String> = alternatives.iter().map(Alternative::text).collect();
        lookup.rules.insert(key, texts.join(&ALTERNATIVE.to_string()));
    }
}
