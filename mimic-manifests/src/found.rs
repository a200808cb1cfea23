//! The images of a document.

use mimic_k8s::admission::ContainerKind;

use crate::scalar::Type;
use crate::tree::{Id, Tree};

/// Images that are decided together, as those of one pod.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    /// The namespace that the object names.
    pub(crate) namespace: Option<String>,
    /// The metadata of the pod, or else of the object.
    pub(crate) metadata: Option<Id>,
    pub(crate) images: Vec<Image>,
    /// What the pod names in `imagePullSecrets`.
    pub(crate) pull_secrets: Vec<String>,
    /// Entries of a kustomization whose `name` is what the manifests contain.
    pub(crate) names: Vec<Id>,
}

/// An image.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its scalar.
    pub(crate) node: Id,
    pub(crate) kind: ContainerKind,
    /// The container's or volume's name.
    pub(crate) name: String,
    /// The reference, without what is before and after it in `node`.
    pub(crate) reference: String,
    /// What the scalar has before the reference: a scheme.
    pub(crate) before: &'static str,
    /// What the reference has at its end that the scalar does not: tag and digest from other fields.
    pub(crate) after: String,
    pub(crate) pull_policy: Option<String>,
}

/// A value where an image is expected that is no string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAString {
    pub(crate) node: Id,
    pub(crate) found: Type,
}

/// What a document contains.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) units: Vec<Unit>,
    pub(crate) not_strings: Vec<NotAString>,
}

impl Found {
    /// Adds a value that should be an image. An empty one is as good as none.
    pub(crate) fn not_string(&mut self, tree: &Tree<'_>, node: Id) {
        let found = tree.type_of(node);
        if found != Type::Null {
            self.not_strings.push(NotAString { node, found });
        }
    }
}
