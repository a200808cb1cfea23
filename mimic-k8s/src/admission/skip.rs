//! Which requests are skipped, and why.

use mimic_core::internal::named_variants;

use super::pod::Pod;
use super::review::Request;
use super::settings::{MAX_STEPS, ReviewSettings};

named_variants! {
    /// Why a request is answered without the outcome of any image.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Skip {
        /// The request is not about pods.
        NotAPod = "not_a_pod",
        /// The operation is neither CREATE nor UPDATE.
        Operation = "operation",
        /// The request is about a subresource that cannot add images, such as `pods/status`.
        Subresource = "subresource",
        /// The namespace is excluded.
        Namespace = "namespace",
        /// The object is missing or is not a valid Pod.
        Unreadable = "unreadable",
        /// The pod is the API server's copy of a static pod.
        MirrorPod = "mirror_pod",
        /// The pod is being deleted.
        Deleting = "deleting",
        /// The pod opted out with a label or an annotation.
        OptedOut = "opted_out",
        /// Evaluating the images costs more than a review may.
        TooCostly = "too_costly",
    }
}

/// Returns the pod to evaluate, or why the request is skipped. The first reason that applies is returned.
pub(super) fn pod_to_evaluate<'r>(request: &'r Request<'r>, settings: &ReviewSettings) -> Result<&'r Pod<'r>, Skip> {
    if !request.resource.group.is_empty() || *request.resource.resource != *"pods" {
        return Err(Skip::NotAPod);
    }
    if !matches!(&*request.operation, "CREATE" | "UPDATE") {
        return Err(Skip::Operation);
    }
    if !matches!((&*request.operation, &*request.sub_resource), (_, "") | ("UPDATE", "ephemeralcontainers")) {
        return Err(Skip::Subresource);
    }
    if settings.excluded_namespaces.steps(&request.namespace) > MAX_STEPS {
        return Err(Skip::TooCostly);
    }
    if settings.excluded_namespaces.is_match(&request.namespace) {
        return Err(Skip::Namespace);
    }
    let pod = request.object.as_ref().ok_or(Skip::Unreadable)?;
    if let Some(metadata) = &pod.metadata {
        let annotations = metadata.annotations.as_ref();
        if annotations.is_some_and(|annotations| annotations.mirror_pod) {
            return Err(Skip::MirrorPod);
        }
        if metadata.deletion_timestamp.given().is_some() {
            return Err(Skip::Deleting);
        }
        if metadata.labels.opted_out() || annotations.is_some_and(|annotations| annotations.opted_out) {
            return Err(Skip::OptedOut);
        }
    }
    Ok(pod)
}
