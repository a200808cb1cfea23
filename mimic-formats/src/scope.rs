//! Prefixes of image names, as `registries.conf` and OpenShift have them.

use mimic_core::{DOCKER_HUB, RuleSpec, Upstream};

use crate::endpoint::canonical;

/// What of an image name another tool matches.
pub(crate) struct Scope {
    /// The upstream of the rule.
    pub(crate) upstream: String,
    /// A glob, if the upstream matches more.
    include: Option<String>,
    /// The upstream in the one form that all its names have.
    canonical: String,
}

impl Scope {
    /// Parses a prefix. The error says why it never matches an image, or cannot be a rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if has_suffix(text) {
            return Err(format!(
                "`{text}` has a tag or digest, and never matches: the tools compare names without them"
            ));
        }
        let upstream = Upstream::parse(text).map_err(|error| error.to_string())?;
        if matches!(upstream, Upstream::All) || text.ends_with(":*") {
            return Err(format!("`{text}` is not a prefix of a name"));
        }
        let written = text.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let Upstream::Prefix { registry, path } = &upstream else {
            return Ok(Self { upstream: text.to_owned(), include: None, canonical: canonical(text) });
        };
        if **registry == *DOCKER_HUB && written != DOCKER_HUB {
            return Err(format!("`{text}` never matches, as images name Docker Hub `{DOCKER_HUB}`"));
        }
        // One component on Docker Hub is only a namespace here, because names are normalised.
        let is_namespace = **registry == *DOCKER_HUB && !path.is_empty() && !path.contains('/') && &**path != "library";
        let include = is_namespace.then(|| format!("{text}/**"));
        Ok(Self { upstream: text.to_owned(), include, canonical: canonical(text) })
    }

    /// A rule for the scope, to complete.
    pub(crate) fn rule(&self) -> RuleSpec {
        RuleSpec {
            upstream: Some(self.upstream.clone()),
            include: self.include.clone().map(|glob| vec![glob]),
            ..RuleSpec::default()
        }
    }

    /// Whether the names of another scope are a part of those of this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (outer, inner) = (&self.canonical, &other.canonical);
        if let Some(domain) = outer.strip_prefix('*') {
            let host = inner.split('/').next().unwrap_or_default();
            return host.ends_with(domain) && outer != inner;
        }
        inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether the tools use the table of `other` for all images of this one. A domain matches the whole host, as the host
    /// itself does, and of tables with the same length the first in the order of their names applies.
    pub(crate) fn is_shadowed_by(&self, other: &Self) -> bool {
        !self.upstream.contains('/')
            && other.upstream.starts_with('*')
            && other.covers(self)
            && other.upstream < self.upstream
    }
}

fn has_suffix(text: &str) -> bool {
    text.contains('@') || text.rfind('/').is_some_and(|last| text[last..].contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_become_upstreams() {
        for (text, upstream, include) in [
            ("quay.io", "quay.io", None),
            ("quay.io:5000/a", "quay.io:5000/a", None),
            ("*.quay.io", "*.quay.io", None),
            ("docker.io/library/alpine", "docker.io/library/alpine", None),
            ("docker.io/library", "docker.io/library", None),
            ("docker.io/alpine", "docker.io/alpine", Some("docker.io/alpine/**")),
        ] {
            let scope = Scope::parse(text).unwrap();
            assert_eq!((scope.upstream.as_str(), scope.include.as_deref()), (upstream, include), "{text}");
        }
        for text in [
            "alpine",
            "foo/bar",
            "*",
            "index.docker.io",
            "*.quay.io/a",
            "docker.io/alpine:3",
            "quay.io/a/b:1",
            "quay.io/a@sha256:b",
            "*.a.io:*",
            "",
        ] {
            assert!(Scope::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_covers_what_is_below_it() {
        let covers = |outer: &str, inner: &str| Scope::parse(outer).unwrap().covers(&Scope::parse(inner).unwrap());
        assert!(covers("quay.io", "quay.io/a"));
        assert!(covers("*.quay.io", "a.quay.io/b"));
        assert!(covers("*.quay.io", "*.b.quay.io"));
        assert!(!covers("quay.io/a", "quay.io/ab"));
        assert!(!covers("quay.io", "quay.io"));
        assert!(!covers("*.quay.io", "quay.io"));
    }

    #[test]
    fn a_domain_takes_the_images_of_hosts_and_of_domains_that_sort_after_it() {
        let is_shadowed =
            |inner: &str, outer: &str| Scope::parse(inner).unwrap().is_shadowed_by(&Scope::parse(outer).unwrap());
        assert!(is_shadowed("a.quay.io", "*.quay.io"));
        assert!(is_shadowed("*.z.quay.io", "*.quay.io"));
        assert!(!is_shadowed("*.a.quay.io", "*.quay.io"));
        assert!(!is_shadowed("a.quay.io/b", "*.quay.io"));
        assert!(!is_shadowed("quay.io", "*.quay.io"));
    }
}
