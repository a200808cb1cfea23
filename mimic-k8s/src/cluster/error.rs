//! Failed requests to the API server.

use std::borrow::Cow;
use std::error::Error;

use kube::core::Status;
use kube::runtime::watcher;
use mimic_core::Hint;

/// A request to the API server that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    kind: ClusterErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Cause>,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClusterErrorKind {
    /// The API server is down, overloaded or does not respond. A later attempt may succeed.
    Unreachable,
    /// The credentials are invalid.
    Unauthorized,
    /// The credentials are valid, but a permission is missing.
    Forbidden,
    /// The object, or its kind, does not exist.
    NotFound,
    /// A concurrent change: the object already exists, or has changed since it was read.
    Conflict,
    /// The watch's resource version is too old. Listing again helps.
    Expired,
    /// The request or the response is invalid.
    Invalid,
}

impl ClusterError {
    /// The kind of the failure.
    pub fn kind(&self) -> ClusterErrorKind {
        self.kind
    }

    fn refused(status: &Status) -> Self {
        use ClusterErrorKind as Kind;
        let (kind, what) = match status.code {
            401 => (Kind::Unauthorized, "the API server does not accept the credentials"),
            403 => (Kind::Forbidden, "permission denied"),
            404 => (Kind::NotFound, "not found"),
            409 if status.reason == "AlreadyExists" => {
                (Kind::Conflict, "conflict: the object was created concurrently")
            }
            409 => (Kind::Conflict, "conflict: the object was modified concurrently"),
            410 => (Kind::Expired, "resourceVersion too old"),
            408 | 429 | 500.. => (Kind::Unreachable, "the API server is unavailable"),
            _ => (Kind::Invalid, "the API server rejected the request"),
        };
        let reason = [&status.message, &status.reason].into_iter().find(|text| !text.is_empty());
        let message = match reason {
            Some(reason) => format!("{what}: {}", first_part(reason.trim_end_matches('.'))),
            None => format!("{what}: status {}", status.code),
        };
        let hint = match kind {
            Kind::Unauthorized => {
                Some("the token or client certificate has expired or belongs to another cluster".to_owned())
            }
            Kind::Forbidden => Some(missing_permission(&status.message)),
            _ => None,
        };
        Self { kind, message, hint, source: None }
    }

    fn caused(kind: ClusterErrorKind, message: &str, error: &(dyn Error + 'static)) -> Self {
        Self { kind, message: message.to_owned(), hint: None, source: Some(Cause::of(error)) }
    }

    fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::caused(ClusterErrorKind::Unreachable, "cannot reach the API server", error)
    }

    fn invalid_response(error: &(dyn Error + 'static)) -> Self {
        Self::caused(ClusterErrorKind::Invalid, "cannot parse the API server's response", error)
    }
}

/// The longest part of an API server's message that is repeated, in bytes. Messages about an invalid object can quote all of
/// it.
const LONGEST_REASON: usize = 600;

/// The first line of a message, up to a limit.
fn first_part(message: &str) -> Cow<'_, str> {
    let line = message.lines().next().unwrap_or_default();
    if line.len() <= LONGEST_REASON {
        return line.into();
    }
    format!("{}…", &line[..line.floor_char_boundary(LONGEST_REASON)]).into()
}

impl Hint for ClusterError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::refused(status),
            kube::Error::HyperError(error) => Self::unreachable(error),
            kube::Error::ReadEvents(error) => Self::unreachable(error),
            kube::Error::Service(error) => Self::unreachable(&**error),
            kube::Error::Auth(error) => {
                Self::caused(ClusterErrorKind::Unauthorized, "cannot get credentials for the API server", error)
            }
            kube::Error::SerdeError(error) => Self::invalid_response(error),
            kube::Error::FromUtf8(error) => Self::invalid_response(error),
            other => Self::caused(ClusterErrorKind::Invalid, "cannot create the request", other),
        }
    }
}

impl From<watcher::Error> for ClusterError {
    fn from(error: watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error.into(),
            watcher::Error::WatchError(status) => Self::refused(&status),
            watcher::Error::NoResourceVersion => Self::invalid_response(&watcher::Error::NoResourceVersion),
        }
    }
}

/// Why a library failed: a message, and its own cause as the source.
///
/// Some libraries repeat the cause in the message of an error, others do not. In a chain of `Cause`s each message occurs
/// once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    /// The chain of an error and its sources. Messages that a later one repeats are omitted, and so are hyper's messages for
    /// the part of the client that failed.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let errors = std::iter::successors(Some(error), |error: &&'_ (dyn Error + 'static)| (*error).source());
        let chain: Vec<String> = errors.map(ToString::to_string).filter(|text| !text.is_empty()).collect();
        let mut messages: Vec<&str> = Vec::new();
        for (index, text) in chain.iter().enumerate() {
            let inner = &chain[index + 1..];
            let without = |text: &'_ str, inner: &String| text.strip_suffix(inner)?.strip_suffix(": ").map(str::len);
            let own = inner.iter().fold(text.as_str(), |own, inner| without(own, inner).map_or(own, |end| &own[..end]));
            let repeated = inner.iter().any(|inner| own.contains(inner.as_str()));
            let is_framing = own.starts_with("client error (") && !inner.is_empty();
            if !repeated && !is_framing && !messages.contains(&own) {
                messages.push(own);
            }
        }
        let mut messages = messages.into_iter().rev();
        // The last message of a chain is always kept.
        let root = Self { message: messages.next().unwrap_or_default().to_owned(), source: None };
        messages.fold(root, |cause, message| Self { message: message.to_owned(), source: Some(Box::new(cause)) })
    }
}

/// The hint for a missing permission, from the API server's message. The message reads `… cannot VERB resource "RESOURCE" in
/// API group "GROUP" in the namespace "NAMESPACE"`, after the quoted name of the object
/// (<https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/errors.go>).
fn missing_permission(message: &str) -> String {
    let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest);
    let quoted = |mark: &str| after(mark).and_then(|rest| rest.strip_prefix('"')?.split('"').next());
    let verb = after(" cannot ").and_then(|rest| rest.split(' ').next());
    let (Some(verb), Some(resource)) = (verb, quoted(" resource ")) else {
        return "check the Roles and ClusterRoles that are bound to Mimic's service account".to_owned();
    };
    let group = quoted(" in API group ").filter(|group| !group.is_empty());
    let resource = group.map_or_else(|| resource.to_owned(), |group| format!("{resource}.{group}"));
    let name = message.split_once(" is forbidden").and_then(|(start, _)| start.split('"').nth(1));
    let name = name.filter(|name| !name.is_empty()).map(|name| format!(" named `{name}`")).unwrap_or_default();
    match quoted(" in the namespace ") {
        Some(namespace) => {
            format!("grant Mimic's service account `{verb}` on `{resource}`{name} in a Role in namespace `{namespace}`")
        }
        None => format!("grant Mimic's service account `{verb}` on `{resource}`{name} in a ClusterRole"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|link| link as &(dyn Error + 'static))
        }
    }

    #[test]
    fn a_message_that_quotes_an_object_is_cut() {
        assert_eq!(first_part("not found"), "not found");
        assert_eq!(first_part("invalid: a\n | a\n | ^"), "invalid: a");
        let long = first_part(&"€".repeat(400)).into_owned();
        assert!(long.len() <= LONGEST_REASON + '…'.len_utf8() && long.ends_with("€…"), "{long}");
    }

    #[test]
    fn each_message_in_a_chain_occurs_once() {
        for (chain, expected) in [
            (&["reset"][..], "reset"),
            (&["tls: reset", "reset"], "tls: reset"),
            (&["reset: by peer", "reset"], "reset"),
            (&["client error (Connect)", "tcp connect error", "refused"], "tcp connect error: refused"),
            (&["client error (Connect)"], "client error (Connect)"),
            (&["no answer", "read: timed out", "timed out", "timed out"], "no answer: read: timed out"),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
        ] {
            let link = chain.iter().rev().fold(None, |inner, text| Some(Box::new(Link(text, inner))));
            let cause = Cause::of(&*link.expect("a chain has links"));
            let causes = std::iter::successors(Some(&cause), |cause| cause.source.as_deref());
            assert_eq!(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "), expected);
        }
    }
}
