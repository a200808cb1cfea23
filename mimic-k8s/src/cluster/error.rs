//! What the API server, or the way to it, refused.

use std::error::Error;
use std::fmt;

use kube::core::Status;
use kube::runtime::watcher;

/// A request to the API server that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterError {
    kind: ClusterErrorKind,
    message: String,
    hint: Option<String>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClusterErrorKind {
    /// The API server is away, overloaded or does not answer: asking again later helps.
    Unreachable,
    /// The credentials are not accepted.
    Unauthorized,
    /// The credentials are accepted and lack a permission.
    Forbidden,
    /// There is no such object, or no such kind of objects.
    NotFound,
    /// Somebody else was faster: the object is there already, or has changed since it was read.
    Conflict,
    /// What was being followed lies too far back for the API server; reading it anew helps.
    Expired,
    /// One of the two does not understand the other.
    Invalid,
}

impl ClusterError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ClusterErrorKind {
        self.kind
    }

    /// What to do about it, where that can be told.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn refused(status: &Status) -> Self {
        use ClusterErrorKind as Kind;
        let (kind, what) = match status.code {
            401 => (Kind::Unauthorized, "the API server does not accept the credentials"),
            403 => (Kind::Forbidden, "the API server forbids it"),
            404 => (Kind::NotFound, "the API server does not have it"),
            409 => (Kind::Conflict, "somebody else was faster"),
            410 => (Kind::Expired, "the API server no longer knows that version"),
            408 | 429 | 500.. => (Kind::Unreachable, "the API server cannot answer now"),
            _ => (Kind::Invalid, "the API server refuses the request"),
        };
        let said = [&status.message, &status.reason].into_iter().find(|text| !text.is_empty());
        let message = match said {
            Some(said) => format!("{what}: {}", said.trim_end_matches('.')),
            None => format!("{what}: status {}", status.code),
        };
        let hint = match kind {
            Kind::Unauthorized => {
                Some("the token or client certificate has expired or belongs to another cluster".to_owned())
            }
            Kind::Forbidden => Some(missing_permission(&status.message)),
            _ => None,
        };
        Self { kind, message, hint }
    }

    fn unreachable(error: &(dyn Error + 'static)) -> Self {
        let message = format!("the API server cannot be reached: {}", words(error));
        Self { kind: ClusterErrorKind::Unreachable, message, hint: None }
    }

    fn invalid(what: &str, error: &(dyn Error + 'static)) -> Self {
        Self { kind: ClusterErrorKind::Invalid, message: format!("{what}: {}", words(error)), hint: None }
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ClusterError {}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::refused(status),
            kube::Error::HyperError(error) => Self::unreachable(error),
            kube::Error::ReadEvents(error) => Self::unreachable(error),
            kube::Error::Service(error) => Self::unreachable(&**error),
            kube::Error::Auth(error) => Self {
                kind: ClusterErrorKind::Unauthorized,
                message: format!("there are no credentials for the API server: {}", words(error)),
                hint: None,
            },
            kube::Error::SerdeError(error) => Self::invalid("the API server's answer cannot be read", error),
            kube::Error::FromUtf8(error) => Self::invalid("the API server's answer cannot be read", error),
            other => Self::invalid("the request cannot be made", other),
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
            watcher::Error::NoResourceVersion => {
                Self::invalid("the API server's answer cannot be read", &watcher::Error::NoResourceVersion)
            }
        }
    }
}

/// The causes of an error, the outermost first. Libraries differ in whether an error repeats its cause: what is said
/// further in is left out here, and so are the client's own words for where in it something failed.
fn words(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&'_ (dyn Error + 'static)| (*error).source());
    let chain: Vec<String> = causes.map(ToString::to_string).collect();
    let mut parts: Vec<&str> = Vec::new();
    for (index, text) in chain.iter().enumerate() {
        let repeated = chain[index + 1..].iter().any(|inner| text.contains(inner.as_str()));
        let is_framing = text.starts_with("client error (") && index + 1 < chain.len();
        if !repeated && !is_framing && !parts.contains(&text.as_str()) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// The permission that the API server's refusal names, as an advice. The refusal reads `… cannot VERB resource
/// "RESOURCE" in API group "GROUP" in the namespace "NAMESPACE"`, after the name of the object in quotes
/// (<https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/errors.go>).
fn missing_permission(message: &str) -> String {
    let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest);
    let quoted = |mark: &str| after(mark).and_then(|rest| rest.strip_prefix('"')?.split('"').next());
    let verb = after(" cannot ").and_then(|rest| rest.split(' ').next());
    let (Some(verb), Some(resource)) = (verb, quoted(" resource ")) else {
        return "see which Role or ClusterRole is bound to Mimic's service account".to_owned();
    };
    let group = quoted(" in API group ").filter(|group| !group.is_empty());
    let resource = group.map_or_else(|| resource.to_owned(), |group| format!("{resource}.{group}"));
    let name = message.split_once(" is forbidden").and_then(|(start, _)| start.split('"').nth(1));
    let name = name.filter(|name| !name.is_empty()).map(|name| format!(" named `{name}`")).unwrap_or_default();
    match quoted(" in the namespace ") {
        Some(namespace) => {
            format!(
                "a Role in namespace `{namespace}` has to give Mimic's service account `{verb}` on `{resource}`{name}"
            )
        }
        None => format!("a ClusterRole has to give Mimic's service account `{verb}` on `{resource}`{name}"),
    }
}

#[cfg(test)]
mod tests {
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
    fn nothing_in_a_chain_is_said_twice() {
        for (chain, expected) in [
            (&["reset"][..], "reset"),
            (&["tls: reset", "reset"], "reset"),
            (&["client error (Connect)", "tcp connect error", "refused"], "tcp connect error: refused"),
            (&["client error (Connect)"], "client error (Connect)"),
            (&["no answer", "read: timed out", "timed out", "timed out"], "no answer: timed out"),
        ] {
            let link = chain.iter().rev().fold(None, |inner, text| Some(Box::new(Link(text, inner))));
            assert_eq!(words(&*link.expect("a chain has links")), expected);
        }
    }
}
