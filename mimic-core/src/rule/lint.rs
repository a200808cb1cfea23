//! What warnings about rules need to know of a rule.

use super::Rule;
use crate::pattern_shape;
use crate::reference::ImageRef;
use crate::rule_spec::References;
use crate::upstream::Upstream;

impl Rule {
    /// Whether the rule applies to some of the images of its upstream, namespaces or pods only. Requires the feature `lint`.
    pub fn is_conditional(&self) -> bool {
        self.references != References::Any
            || self.conditions.as_ref().is_some_and(|conditions| {
                conditions.include.is_some()
                    || conditions.include_namespaces.is_some()
                    || !conditions.exclude_namespaces.is_empty()
                    || conditions.pod_selector.is_some()
            })
    }

    /// The keys of `mirrors.yaml` that limit the rule to some images of its upstream, or to some namespaces or pods;
    /// `{namespace}` if a location contains it. Requires the feature `lint`.
    pub fn condition_keys(&self) -> Vec<&'static str> {
        let Some(conditions) = self.conditions.as_deref() else { return Vec::new() };
        let has_namespaces = conditions.include_namespaces.is_some() || !conditions.exclude_namespaces.is_empty();
        let all = [
            ("include", conditions.include.is_some()),
            ("exclude", !conditions.exclude.is_empty()),
            ("namespaces", has_namespaces),
            ("podSelector", conditions.pod_selector.is_some()),
            ("{namespace}", conditions.needs_namespace),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(key, _)| key).collect()
    }

    /// Whether the rule does not rewrite images of this registry, by `include` or `exclude`.
    pub(crate) fn excludes(&self, registry: &str) -> bool {
        let name = format!("{registry}/a/a");
        let Ok(image) = ImageRef::parse(&name) else { return false };
        let Some(conditions) = self.conditions.as_deref() else { return false };
        conditions.exclude.find(&name, &image).is_some()
            || conditions.include.as_ref().is_some_and(|include| include.find(&name, &image).is_none())
    }

    /// The first glob or pattern that never matches because it names an alias. Rules are matched against the registry
    /// that the alias stands for.
    pub(crate) fn names_alias<'a>(&'a self, alias_of: impl Fn(&str) -> Option<&'a str>) -> Option<NamesAlias<'a>> {
        if let Upstream::Pattern(pattern) = self.upstream() {
            let registries = pattern_shape::registries(pattern.as_str()).unwrap_or_default();
            // Of several registries, others can match.
            if let Some(alias) = registries.first()
                && registries.iter().all(|registry| alias_of(registry).is_some())
            {
                let (alias, registry) = (alias.clone(), alias_of(alias)?);
                return Some(NamesAlias { field: "pattern", text: pattern.as_str(), alias, registry });
            }
        }
        let conditions = self.conditions.as_deref()?;
        let globs = conditions.include.iter().map(|globs| ("include", globs)).chain([("exclude", &conditions.exclude)]);
        let mut names =
            globs.flat_map(|(field, globs)| globs.registries().map(move |(text, host)| (field, text, host)));
        names.find_map(|(field, text, host)| {
            alias_of(host).map(|registry| NamesAlias { field, text, alias: host.to_owned(), registry })
        })
    }
}

/// A glob or a pattern of a rule that names an alias.
pub(crate) struct NamesAlias<'a> {
    /// The key of the rule.
    pub(crate) field: &'static str,
    /// As written.
    pub(crate) text: &'a str,
    pub(crate) alias: String,
    /// The registry that the alias stands for.
    pub(crate) registry: &'a str,
}
