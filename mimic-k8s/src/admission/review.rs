//! Reading a review: the few fields that are needed, borrowed from the request body.

use serde_json::value::RawValue;

use super::brief::brief;
use super::json::reader;
use super::json::views::{Text, view};
use super::pod::{Metadata, OldPod, Owner, Pod};

/// Why a request body cannot be answered. `Display` is the text of the HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The body is not JSON, or not a JSON object. The reason has at most 200 characters: it can quote the body.
    #[error("not an AdmissionReview in JSON: {0}")]
    NotJson(String),
    /// The object has another `kind`, or none.
    #[error("kind is `{0}`, expected `AdmissionReview`")]
    Kind(String),
    /// The object has another `apiVersion`, or none.
    #[error("apiVersion `{0}` is not supported, expected `admission.k8s.io/v1`")]
    Version(String),
    /// The review has no request. It may be a response.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// The request has no uid, without which the API server rejects the response.
    #[error("the AdmissionReview's request has no uid")]
    NoUid,
}

/// The fields of an AdmissionReview that are needed to evaluate it, borrowed from the request body.
///
/// The body is read in one pass. Strings are copied only if they contain escapes.
#[derive(Debug)]
pub struct Review<'a> {
    pub(super) request: Request<'a>,
    unreadable: Option<String>,
}

view! {
    /// The top level of a review.
    Envelope { api_version: Text<'a> = "apiVersion", kind: Text<'a> = "kind", request: Option<Request<'a>> = "request" }
}

view! {
    /// The fields of the request that are read.
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
    /// The resource of the request.
    Resource { group: Text<'a> = "group", resource: Text<'a> = "resource" }
}

impl<'a> Review<'a> {
    /// Reads a review. An object that is not a valid Pod is not an error: such a request can be answered, and
    /// [`Review::unreadable`] has the reason.
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

    /// The request's uid. The response has the same.
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

    /// The pod's name, or its `generateName` if the API server has not generated the name yet.
    pub fn pod_name(&self) -> Option<&str> {
        let metadata = self.metadata();
        (self.request.name.given()).or_else(|| metadata?.name.given()).or_else(|| metadata?.generate_name.given())
    }

    /// The controller that manages the pod, or else its first owner.
    pub fn owner(&self) -> Option<Owner<'_>> {
        self.metadata()?.owner()
    }

    fn metadata(&self) -> Option<&Metadata<'a>> {
        self.request.object.as_ref()?.metadata.as_ref()
    }

    /// Whether the API server will not store the object (`kubectl --dry-run=server`). The verdict is the same.
    pub fn is_dry_run(&self) -> bool {
        self.request.dry_run == Some(true)
    }

    /// Why the object is not a valid Pod. `None` if it is valid. Use it only in logs: the text may quote the object.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }
}

type Raw<'a> = Option<&'a RawValue>;

view! {
    /// The members of a partly invalid review. Each is read separately.
    Outline { api_version: Raw<'a> = "apiVersion", kind: Raw<'a> = "kind", request: Raw<'a> = "request" }
}

view! {
    /// The members of its request.
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

/// Parses the readable parts of a body that is partly invalid because of `error`.
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

/// Reads one member. An invalid member counts as absent: the error is already known.
fn part<'a, T: Default + serde::Deserialize<'a>>(raw: Raw<'a>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Shortens text that may quote the body.
fn short(text: &str) -> String {
    brief(format_args!("{text}"), 200)
}
