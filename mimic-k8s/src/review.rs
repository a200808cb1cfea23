//! Reading a review: the few fields that are needed, borrowed from the body.

use mimic_core::Rewriter;
use serde_json::value::RawValue;

use crate::decide::{Settings, Verdict, decide};
use crate::pod::{Metadata, OldPod, Owner, Pod};
use crate::reader;
use crate::view::{Text, view};
use crate::warning::brief;

/// Why a body is not a review that can be answered. The text is meant for the HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The body is not JSON, or not an object.
    #[error("not an AdmissionReview in JSON: {0}")]
    NotJson(String),
    /// The object has another kind or none.
    #[error("kind is `{0}`, expected `AdmissionReview`")]
    Kind(String),
    /// The review is of another version or none.
    #[error("apiVersion `{0}` is not supported, expected `admission.k8s.io/v1`")]
    Version(String),
    /// The review holds no request; an answer, for example.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// Without the uid the API server would not accept the answer.
    #[error("the AdmissionReview's request has no uid")]
    NoUid,
}

/// A borrowed view of an AdmissionReview: what is needed to decide, and nothing else of it.
///
/// It is read in one pass; strings are copied only if they hold escapes.
#[derive(Debug)]
pub struct Review<'a> {
    pub(crate) request: Request<'a>,
    unreadable: Option<String>,
}

view! {
    /// The review as a whole.
    Envelope { api_version: Text<'a> = "apiVersion", kind: Text<'a> = "kind", request: Option<Request<'a>> = "request" }
}

view! {
    /// What is needed of the request.
    Request {
        uid: Text<'a> = "uid",
        resource: Resource<'a> = "resource",
        sub_resource: Text<'a> = "subResource",
        name: Text<'a> = "name",
        namespace: Text<'a> = "namespace",
        operation: Text<'a> = "operation",
        dry_run: Option<bool> = "dryRun",
        object: Option<Box<Pod<'a>>> = "object",
        old_object: Option<Box<OldPod<'a>>> = "oldObject",
    }
}

view! {
    /// Which resource the request is about.
    Resource { group: Text<'a> = "group", resource: Text<'a> = "resource" }
}

impl<'a> Review<'a> {
    /// Reads a review. An object in it that cannot be read as a pod is no error: the request is answered all the same
    /// (see [`Skip::Unreadable`](crate::Skip::Unreadable)).
    ///
    /// # Errors
    /// If the body is not an AdmissionReview of `admission.k8s.io/v1` with a request that has a uid.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        if let Some(Envelope { api_version, kind, request }) = reader::from_slice(body) {
            return Self::checked(&api_version, &kind, request, None);
        }
        match serde_json::from_slice::<Envelope<'a>>(body) {
            Ok(Envelope { api_version, kind, request }) => Self::checked(&api_version, &kind, request, None),
            Err(error) => outline(body, &error),
        }
    }

    fn checked(
        version: &str,
        kind: &str,
        request: Option<Request<'a>>,
        unreadable: Option<String>,
    ) -> Result<Self, ReviewError> {
        if kind != "AdmissionReview" {
            return Err(ReviewError::Kind(short(kind)));
        }
        if version != "admission.k8s.io/v1" {
            return Err(ReviewError::Version(short(version)));
        }
        let request = request.ok_or(ReviewError::NoRequest)?;
        if request.uid.is_empty() {
            return Err(ReviewError::NoUid);
        }
        Ok(Self { request, unreadable })
    }

    /// Decides what becomes of every image.
    pub fn decide<'r>(&'r self, rewriter: &'r Rewriter, settings: &'r Settings) -> Verdict<'r> {
        decide(self, rewriter, settings)
    }

    /// The request's uid; the answer carries it too.
    pub fn uid(&self) -> &str {
        &self.request.uid
    }

    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub fn operation(&self) -> &str {
        &self.request.operation
    }

    /// The namespace of the request.
    pub fn namespace(&self) -> Option<&str> {
        self.request.namespace.given()
    }

    /// The pod's name; if it has none yet, the prefix from which the API server will make one.
    pub fn pod_name(&self) -> Option<&str> {
        let metadata = self.metadata();
        (self.request.name.given()).or_else(|| metadata?.name.given()).or_else(|| metadata?.generate_name.given())
    }

    /// What manages the pod, if anything does.
    pub fn owner(&self) -> Option<Owner<'_>> {
        self.metadata()?.owner()
    }

    fn metadata(&self) -> Option<&Metadata<'a>> {
        self.request.object.as_ref()?.metadata.as_ref()
    }

    /// Whether the API server will throw the object away afterwards (`kubectl --dry-run=server`). It is decided the same.
    pub fn is_dry_run(&self) -> bool {
        self.request.dry_run == Some(true)
    }

    /// Why the object could not be read, if it could not. For logs only: the text may quote the object.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }
}

type Raw<'a> = Option<&'a RawValue>;

view! {
    /// The outline of a review of which some part cannot be read: each member is looked at on its own.
    Outline { api_version: Raw<'a> = "apiVersion", kind: Raw<'a> = "kind", request: Raw<'a> = "request" }
}

view! {
    /// The outline of its request.
    RequestOutline {
        uid: Raw<'a> = "uid",
        resource: Raw<'a> = "resource",
        sub_resource: Raw<'a> = "subResource",
        name: Raw<'a> = "name",
        namespace: Raw<'a> = "namespace",
        operation: Raw<'a> = "operation",
        dry_run: Raw<'a> = "dryRun",
    }
}

/// Reads what can be read of a body that cannot be read as a whole because of `error`.
fn outline<'a>(body: &'a [u8], error: &serde_json::Error) -> Result<Review<'a>, ReviewError> {
    let outline: Outline<'a> =
        serde_json::from_slice(body).map_err(|error| ReviewError::NotJson(short(&error.to_string())))?;
    let request = part::<Option<RequestOutline<'a>>>(outline.request).map(|outline| Request {
        uid: part(outline.uid),
        resource: part(outline.resource),
        sub_resource: part(outline.sub_resource),
        name: part(outline.name),
        namespace: part(outline.namespace),
        operation: part(outline.operation),
        dry_run: part(outline.dry_run),
        object: None,
        old_object: None,
    });
    let unreadable = Some(short(&error.to_string()));
    Review::checked(&part::<Text<'a>>(outline.api_version), &part::<Text<'a>>(outline.kind), request, unreadable)
}

/// One member of an outline; one that cannot be read counts as absent, since what is wrong is known already.
fn part<'a, T: Default + serde::Deserialize<'a>>(raw: Raw<'a>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// What is quoted in a message.
fn short(text: &str) -> String {
    brief(format_args!("{text}"), 200)
}
