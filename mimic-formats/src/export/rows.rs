//! The rows of a table: for each scope, the tries in order.

use std::collections::{BTreeMap, BTreeSet};

use mimic_core::{DOCKER_HUB, Library, References, Rule, Upstream};

use crate::candidates::{BOTH, DIGEST, kinds, references};
use crate::export::format::ExportFormat;
use crate::export::scope::{Scope, below};

/// A mirror with the prefix that replaces the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) location: String,
    pub(crate) references: References,
}

/// The tries for the images of a scope that no narrower row has. Without targets, only the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scope: Scope,
    pub(crate) targets: Vec<Target>,
}

/// A rule and the scopes of its upstream.
struct Scoped<'r> {
    rule: &'r Rule,
    scopes: Vec<Scope>,
}

/// The rules that a format can express, and why it cannot express the others.
pub(crate) struct Table<'r> {
    format: ExportFormat,
    rules: Vec<Scoped<'r>>,
    /// Other names of registries, with the registries.
    aliases: BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl<'r> Table<'r> {
    pub(crate) fn new(format: ExportFormat, rules: impl IntoIterator<Item = &'r Rule>) -> Self {
        let mut table = Self { format, rules: Vec::new(), aliases: BTreeMap::new(), warnings: Vec::new() };
        for rule in rules {
            if let Some(of) = rule.alias_of() {
                table.aliases.entry(rule.name().to_owned()).or_insert_with(|| of.to_owned());
                continue;
            }
            let conditions = rule.condition_keys();
            if !conditions.is_empty() {
                let keys: Vec<String> = conditions.iter().map(|key| format!("`{key}`")).collect();
                table.warn(rule, &format!("has {}; not exported", keys.join(", ")));
                continue;
            }
            let scopes = Scope::of(rule.upstream());
            if scopes.is_empty() {
                let what = if matches!(rule.upstream(), Upstream::Pattern(_)) { "a pattern" } else { "any port" };
                table.warn(rule, &format!("has {what}; not exported"));
                continue;
            }
            table.rules.push(Scoped { rule, scopes });
        }
        // An alias is decided as its registry, not by rules of its own.
        let aliases = table.aliases.clone();
        table.rules.retain(|scoped| {
            !scoped
                .scopes
                .iter()
                .any(|scope| matches!(scope, Scope::Registry { host, .. } if aliases.contains_key(host)))
        });
        table.rules.sort_by_key(|scoped| std::cmp::Reverse(scoped.rule.priority()));
        table
    }

    fn warn(&mut self, rule: &Rule, what: &str) {
        let warning = format!("rule `{}` {what}", rule.name());
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Whether the format has rows for registries as a whole only.
    fn has_hosts_only(&self) -> bool {
        matches!(self.format, ExportFormat::HostsToml | ExportFormat::RegistriesYaml)
    }

    /// The rows, sorted by scope.
    pub(crate) fn rows(&mut self) -> Vec<Row> {
        let scopes = self.scopes();
        let mut rows = Vec::new();
        for scope in scopes {
            let decided = match &scope {
                Scope::Registry { host, path } => {
                    let host = self.aliases.get(host).unwrap_or(host).clone();
                    Scope::Registry { host, path: path.clone() }
                }
                scope => scope.clone(),
            };
            let targets = self.targets(&decided);
            rows.push(Row { scope, targets });
        }
        // A row without targets matters only if its images would have those of another row.
        let is_covered = |row: &Row, rows: &[Row]| {
            rows.iter()
                .any(|other| other.scope != row.scope && other.scope.covers(&row.scope) && !other.targets.is_empty())
        };
        let needed: Vec<bool> = rows.iter().map(|row| !row.targets.is_empty() || is_covered(row, &rows)).collect();
        let rows: Vec<Row> = rows.into_iter().zip(needed).filter(|(_, needed)| *needed).map(|(row, _)| row).collect();
        if self.has_hosts_only() { rows } else { self.without_shadowed(&rows) }
    }

    /// Without the rows whose images get those of a domain in `registries.conf`, to which OpenShift turns its objects.
    fn without_shadowed(&mut self, rows: &[Row]) -> Vec<Row> {
        let mut kept = Vec::new();
        for row in rows {
            let shadow = rows.iter().find(|other| row.scope.is_shadowed_by(&other.scope));
            match shadow {
                None => kept.push(row.clone()),
                Some(shadow) if shadow.targets == row.targets => {}
                Some(shadow) => self.warnings.push(format!(
                    "`{}`: the tools use `{}` for these images, too; not exported",
                    row.scope.text(),
                    shadow.scope.text()
                )),
            }
        }
        kept
    }

    /// The scopes that need a row.
    fn scopes(&mut self) -> BTreeSet<Scope> {
        let (mut scopes, mut left_out) = (BTreeSet::new(), Vec::new());
        for Scoped { rule, scopes: of_rule } in &self.rules {
            for scope in of_rule {
                let reason = match scope {
                    Scope::Registry { path, .. } if self.has_hosts_only() && !path.is_empty() => {
                        "is for a part of a registry"
                    }
                    Scope::Domain(_) if self.has_hosts_only() => "is for a domain",
                    Scope::All if !self.has_hosts_only() => "is for all registries",
                    _ => {
                        scopes.insert(scope.clone());
                        ""
                    }
                };
                if !reason.is_empty() {
                    left_out.push((*rule, format!("{reason}; not exported")));
                }
            }
            let is_stripped = rule.library() == Library::Strip && !rule.keep();
            let hub = Scope::registry(DOCKER_HUB);
            if is_stripped && of_rule.iter().any(|scope| scope.covers(&hub)) {
                if self.has_hosts_only() {
                    left_out.push((*rule, "has `library: strip`, which is not exported".to_owned()));
                } else {
                    scopes.insert(Scope::Registry { host: DOCKER_HUB.to_owned(), path: "library".to_owned() });
                }
            }
        }
        for (rule, warning) in left_out {
            self.warn(rule, &warning);
        }
        let mut with_aliases = scopes.clone();
        for (alias, registry) in &self.aliases {
            with_aliases.extend(scopes.iter().filter_map(|scope| match scope {
                Scope::Registry { host, path } if host == registry => {
                    Some(Scope::Registry { host: alias.clone(), path: path.clone() })
                }
                _ => None,
            }));
            // The alias must not be decided by a rule that does not decide its registry.
            if scopes
                .iter()
                .any(|scope| !matches!(scope, Scope::Registry { .. }) && scope.covers(&Scope::registry(alias)))
            {
                with_aliases.insert(Scope::registry(alias));
            }
        }
        with_aliases
    }

    /// The tries for the images of a scope: those of the most specific rule, and for references that it does not apply to,
    /// those of the next.
    fn targets(&mut self, scope: &Scope) -> Vec<Target> {
        let mut rules: Vec<(&Scope, &Rule)> = Vec::new();
        for Scoped { rule, scopes } in &self.rules {
            let covering = scopes.iter().filter(|of_rule| of_rule.covers(scope));
            rules.extend(covering.max_by_key(|of_rule| of_rule.rank()).map(|of_rule| (of_rule, *rule)));
        }
        rules.sort_by_key(|(of_rule, rule)| std::cmp::Reverse((rule.priority(), of_rule.rank())));
        let (mut targets, mut open, mut warnings) = (Vec::new(), self.kinds(), Vec::new());
        for (of_rule, rule) in rules {
            let of_this = kinds(rule.references()) & open;
            if of_this == 0 {
                continue;
            }
            open &= !of_this;
            for mirror in rule.mirrors() {
                let Some(accepted) = references(kinds(mirror.references()) & of_this) else { continue };
                match location(rule, of_rule, mirror.location().as_str(), scope) {
                    Ok(Some(location)) => add(&mut targets, Target { location, references: accepted }),
                    Ok(None) => {}
                    Err(reason) => {
                        warnings.push((rule, format!("has the location `{}`, {reason}", mirror.location().as_str())));
                    }
                }
            }
        }
        let expressible = |target: &Target| match self.format {
            ExportFormat::HostsToml => target.references != References::Tag,
            ExportFormat::RegistriesYaml => target.references == References::Any,
            _ => true,
        };
        let (kept, dropped): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(expressible);
        for target in dropped {
            let warning = format!(
                "`{}`: mirror `{}` is for {}s only; not exported",
                scope.text(),
                target.location,
                target.references.as_str()
            );
            self.warnings.push(warning);
        }
        for (rule, warning) in warnings {
            self.warn(rule, &warning);
        }
        kept
    }

    /// The types of reference that the format is for.
    fn kinds(&self) -> u8 {
        match self.format {
            ExportFormat::Idms => DIGEST,
            ExportFormat::Itms => BOTH & !DIGEST,
            _ => BOTH,
        }
    }

    /// The warnings and the note.
    pub(crate) fn finish(mut self, rows: &[Row]) -> (Vec<String>, Option<String>) {
        let all = || self.rules.iter().map(|scoped| scoped.rule);
        let other = match self.format {
            ExportFormat::Idms => Some((References::Digest, "tags", "itms")),
            ExportFormat::Itms => Some((References::Tag, "digests", "idms")),
            _ => None,
        };
        if let Some((only, what, format)) = other
            && all().any(|rule| !rule.keep() && rule.references() != only)
        {
            let this = self.format.as_str();
            self.warnings.push(format!("`{this}` is not for {what}: export to `{format}`, too"));
        }
        let mut notes = vec!["nodes try the upstream if all mirrors fail"];
        if self.rules.iter().any(|scoped| scoped.rule.pull_secret().is_some()) {
            notes.push("nodes need the credentials that `pullSecret` names");
        }
        let on_mirror = |row: &Row| {
            let host = |location: &str| Scope::registry(location.split('/').next().unwrap_or_default());
            let mut locations = rows.iter().flat_map(|row| &row.targets);
            locations.any(|target| row.scope.covers(&host(&target.location)))
        };
        if rows.iter().any(on_mirror) {
            notes.push("nodes apply these mirrors to images that already name a mirror, too");
        }
        (self.warnings, (!rows.is_empty()).then(|| notes.join("; ")))
    }
}

/// Adds a try. Of two for the same location, the first counts.
fn add(targets: &mut Vec<Target>, target: Target) {
    let last = targets.len().saturating_sub(1);
    match targets.iter().position(|other| other.location == target.location) {
        Some(at) if at == last => {
            let both = kinds(targets[at].references) | kinds(target.references);
            targets[at].references = references(both).unwrap_or_default();
        }
        Some(_) => {}
        None => targets.push(target),
    }
}

/// The prefix that replaces `scope` at a location of a rule with the scope `of_rule`. `None` if Mimic does not use the
/// location for these images. The error says why there is no such prefix.
fn location(rule: &Rule, of_rule: &Scope, written: &str, scope: &Scope) -> Result<Option<String>, &'static str> {
    let (host, path) = match scope {
        Scope::Registry { host, path } => (Some(host.as_str()), path.as_str()),
        Scope::Domain(_) | Scope::All => (None, ""),
    };
    let repository = if rule.library() == Library::Strip && host == Some(DOCKER_HUB) { stripped(path) } else { path };
    let join = |prefix: &str, rest: &str| if rest.is_empty() { prefix.to_owned() } else { format!("{prefix}/{rest}") };
    if !written.contains('{') {
        let rest = match of_rule {
            Scope::Registry { path: outer, .. } if !outer.is_empty() => below(outer, path).unwrap_or_default(),
            _ => repository,
        };
        return Ok(Some(join(written, rest)));
    }
    let Some(prefix) = written.strip_suffix("/{repository}") else {
        return Err("which does not end with `/{repository}`; not exported");
    };
    if prefix.contains("{repository}") || prefix.contains("{namespace}") {
        return Err("which is a template of more than the registry; not exported");
    }
    let names_registry = prefix.contains("{registry}") || prefix.contains("{host}");
    let Some(host) = host.or((!names_registry).then_some("")) else {
        return Err("which is different for each registry; not exported for this upstream");
    };
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let in_path = prefix.split_once('/').is_some_and(|(_, path)| path.contains("{registry}"));
    if in_path && without_port.len() < host.len() {
        return Ok(None);
    }
    let prefix = prefix.replace("{registry}", host).replace("{host}", without_port);
    let location = join(&prefix, repository);
    Ok(Upstream::parse(&location).is_ok().then_some(location))
}

/// A path on Docker Hub without `library`.
fn stripped(path: &str) -> &str {
    match below("library", path) {
        Some(rest) if !rest.contains('/') => rest,
        _ => path,
    }
}
