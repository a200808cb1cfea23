//! Rules as written, before they are checked.

use crate::selector::PodSelector;

/// A rule as written. [`RuleSpec::check`] turns it into a [`Rule`](crate::Rule).
///
/// ```
/// use mimic_core::{MirrorSpec, RuleSpec};
///
/// let rule = RuleSpec {
///     upstream: Some("quay.io".to_owned()),
///     mirrors: vec![MirrorSpec { location: "harbor.example.com/quay".to_owned(), ..MirrorSpec::default() }],
///     exclude: vec!["quay.io/acme/**".to_owned()],
///     ..RuleSpec::default()
/// };
/// assert_eq!(rule.check()?.name(), "quay.io");
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RuleSpec {
    /// Name in logs and explanations; `None` or empty for the upstream.
    pub name: Option<String>,
    /// Registry, prefix, `*.domain` or `*`. Either this or `pattern` is required.
    pub upstream: Option<String>,
    /// Regular expression that must match the whole normalised `registry/repository`.
    pub pattern: Option<String>,
    /// Locations in order of preference.
    pub mirrors: Vec<MirrorSpec>,
    /// Which references the rule applies to.
    pub references: References,
    /// How the mirror stores Docker Hub's `library/` images.
    pub library: Library,
    /// Globs over the normalised `registry/repository[:tag][@digest]` of the images that the rule applies to; `None` for
    /// all.
    pub include: Option<Vec<String>>,
    /// Globs, as for `include`, of images that are not rewritten.
    pub exclude: Vec<String>,
    /// Globs of namespaces that the rule applies to; `None` for all, an empty list for none.
    pub include_namespaces: Option<Vec<String>>,
    /// Globs of namespaces that the rule does not apply to.
    pub exclude_namespaces: Vec<String>,
    /// Labels of the pods that the rule applies to; `None` for all pods.
    pub pod_selector: Option<PodSelector>,
    /// Name of a Secret to add to the pod's `imagePullSecrets`.
    pub pull_secret: Option<String>,
    /// Of the rules that match, those with the highest priority are considered first, whatever their upstream is.
    pub priority: i32,
    /// Never rewrite what matches. Such a rule has no mirrors.
    pub keep: bool,
}

/// One mirror of a rule, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorSpec {
    /// `host[:port][/path]`, or a template with `{registry}`, `{host}`, `{repository}`, `{namespace}` and groups of the
    /// pattern.
    pub location: String,
    /// Which references the mirror accepts.
    pub references: References,
}

/// Types of reference. A reference with both a tag and a digest is pulled by digest and counts as [`Digest`].
///
/// [`Digest`]: Self::Digest
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum References {
    /// All references.
    #[default]
    Any,
    /// References without a digest.
    Tag,
    /// References with a digest.
    Digest,
}

/// How a mirror stores Docker Hub's official images, which are in `library/` there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Library {
    /// `nginx` is `library/nginx` at the mirror, as in Harbor and most caches.
    #[default]
    Keep,
    /// `nginx` is `nginx` at the mirror.
    Strip,
}
