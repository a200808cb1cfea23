//! Which images a rule or a row applies to: a registry or a prefix, a domain, or all.

use mimic_core::{DOCKER_HUB, Upstream};

/// Images below a registry, a domain or a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// A registry, and the first components of a repository, or nothing.
    Registry { host: String, path: String },
    /// All hosts that end with this text, which begins with a dot.
    Domain(String),
    /// All images.
    All,
}

impl Scope {
    /// The scopes of an upstream; none if it is a pattern, or hosts with any port.
    pub(crate) fn of(upstream: &Upstream) -> Vec<Self> {
        match upstream {
            Upstream::Prefix { registry, path } => {
                let host = registry.strip_suffix(":443").unwrap_or(registry);
                let scope = |path: &str| Self::Registry { host: host.to_owned(), path: path.to_owned() };
                let is_official = host == DOCKER_HUB && !path.is_empty() && !path.contains('/') && &**path != "library";
                if is_official { vec![scope(path), scope(&format!("library/{path}"))] } else { vec![scope(path)] }
            }
            Upstream::Wildcard(domain) if domain.ends_with(":*") => Vec::new(),
            Upstream::Wildcard(domain) => vec![Self::Domain(domain.strip_suffix(":443").unwrap_or(domain).to_owned())],
            Upstream::All => vec![Self::All],
            _ => Vec::new(),
        }
    }

    /// A registry as a whole.
    pub(crate) fn registry(host: &str) -> Self {
        Self::Registry { host: host.to_owned(), path: String::new() }
    }

    /// Whether every image of `other` is one of this scope.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Domain(domain), Self::Registry { host, .. }) => host.ends_with(domain.as_str()),
            (Self::Domain(domain), Self::Domain(other)) => other.ends_with(domain.as_str()),
            (Self::Registry { host, path }, Self::Registry { host: other_host, path: other }) => {
                host == other_host && below(path, other).is_some()
            }
            _ => false,
        }
    }

    /// Whether the tools that have domains use those of `other` for all images of this scope: both match the whole host, and
    /// then the order of their names decides.
    pub(crate) fn is_shadowed_by(&self, other: &Self) -> bool {
        let is_host = match self {
            Self::Registry { path, .. } => path.is_empty(),
            Self::Domain(_) => true,
            Self::All => false,
        };
        is_host && matches!(other, Self::Domain(_)) && self != other && other.covers(self) && other.text() < self.text()
    }

    /// How specific the scope is: of those that cover an image, the greatest one decides.
    pub(crate) fn rank(&self) -> (u8, usize) {
        match self {
            Self::Registry { path, .. } => (2, path.len()),
            Self::Domain(domain) => (1, domain.len()),
            Self::All => (0, 0),
        }
    }

    /// As other tools write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Registry { host, path } if path.is_empty() => host.clone(),
            Self::Registry { host, path } => format!("{host}/{path}"),
            Self::Domain(domain) => format!("*{domain}"),
            Self::All => "*".to_owned(),
        }
    }
}

/// What of a path is below another path; `None` if it is not there.
pub(crate) fn below<'p>(outer: &str, path: &'p str) -> Option<&'p str> {
    if outer.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(outer)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}
