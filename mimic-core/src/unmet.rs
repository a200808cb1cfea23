//! Why a rule does not apply to an image that its upstream matches.

use std::fmt;

/// The condition that keeps a rule from applying to an image that its upstream matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unmet {
    /// `references`: the rule is for references by tag, or by digest.
    References,
    /// `namespaces`: the pod's namespace is not included, or it is excluded.
    Namespace,
    /// A location contains the pod's namespace, which is not known.
    NamespaceUnknown,
    /// `podSelector`: the pod's labels do not match.
    Pod,
    /// `include`: none of its globs matches the image.
    Image,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::References => "its `references` does not match",
            Self::Namespace => "its `namespaces` do not match",
            Self::NamespaceUnknown => "its location needs the namespace, which is not known",
            Self::Pod => "its `podSelector` does not match",
            Self::Image => "its `include` does not match",
        })
    }
}
