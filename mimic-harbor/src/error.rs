//! What can go wrong between Mimic and a Harbor.

use std::path::PathBuf;
use std::time::Duration;

use mimic_core::{SourceError, SourceErrorKind};

/// Why a Harbor's mirrors are not known. Each has a [`hint`](HarborError::hint) where something can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HarborError {
    /// The host's name leads nowhere.
    #[error("cannot find the host `{host}`: {reason}")]
    UnknownHost {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody listens there.
    #[error("cannot connect to {harbor}: connection refused")]
    Refused {
        /// Address of the Harbor.
        harbor: String,
    },
    /// No secure connection can be made.
    #[error("cannot connect to {harbor} securely: {reason}")]
    Tls {
        /// Address of the Harbor.
        harbor: String,
        /// What is wrong with its certificate, or with the handshake.
        reason: String,
    },
    /// It takes too long.
    #[error("no answer from {harbor} within {limit:?} to `{path}`")]
    Timeout {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was asked for.
        path: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The connection failed in another way, or broke off.
    #[error("the connection to {harbor} failed: {reason}")]
    Connection {
        /// Address of the Harbor.
        harbor: String,
        /// What the system says.
        reason: String,
    },
    /// Something else answers at this address.
    #[error("{harbor} does not answer as Harbor does: {answer}")]
    NotHarbor {
        /// Address that was asked.
        harbor: String,
        /// What came instead.
        answer: String,
    },
    /// It sends elsewhere, where credentials do not belong.
    #[error("{harbor} redirects to `{location}`")]
    Redirected {
        /// Address that was asked.
        harbor: String,
        /// Where it leads.
        location: String,
    },
    /// Harbor treats the account as nobody: it is unknown, disabled or expired, or the password is wrong.
    #[error("{harbor} does not accept the credentials of `{username}`")]
    CredentialsNotAccepted {
        /// Address of the Harbor.
        harbor: String,
        /// Name of the account.
        username: String,
    },
    /// The file with the password is of no use.
    #[error("the password file `{}` cannot be used: {reason}", path.display())]
    PasswordUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file with the certificate authorities is of no use.
    #[error("the file of certificate authorities `{}` cannot be used: {reason}", path.display())]
    AuthoritiesUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The account may not see what is needed.
    #[error("{who} may not {what} at {harbor}")]
    PermissionMissing {
        /// Address of the Harbor.
        harbor: String,
        /// The account, in backticks, or `nobody`.
        who: String,
        /// What it may not do.
        what: &'static str,
        /// What to give it.
        permission: &'static str,
    },
    /// Harbor answers that it cannot.
    #[error("{harbor} is ill: it answers {status} to `{path}`: {message}")]
    Ill {
        /// Address of the Harbor.
        harbor: String,
        /// HTTP status.
        status: u16,
        /// The path of the API that was asked for.
        path: String,
        /// What it says about it.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// An answer that the API does not have.
    #[error("{harbor} gives an answer to `{path}` that its API does not have: {reason}")]
    Unexpected {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was asked for.
        path: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A list of several pages was never twice the same.
    #[error("the list `{path}` of {harbor} changes faster than it can be read")]
    Unsteady {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was asked for.
        path: String,
    },
    /// Nobody says where pods pull from.
    #[error("{harbor} does not tell which registry address pods pull from")]
    RegistryUnknown {
        /// Address of the Harbor.
        harbor: String,
    },
    /// The registry address is of no use as a mirror.
    #[error("the registry address `{registry}` cannot be used: {reason}")]
    RegistryInvalid {
        /// What was configured, or what Harbor says of itself.
        registry: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl HarborError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownHost { .. } => {
                "check the name in `harbor.api.host`, and the DNS of the place that Mimic runs in"
            }
            Self::Refused { .. } => "check the port in `harbor.api.host`, and that Harbor runs",
            Self::Tls { reason, .. } if reason.contains("wrong version number") => {
                "the port does not speak TLS: write `http://` in front of the host if that is meant"
            }
            Self::Tls { .. } => {
                "name the authority that signed Harbor's certificate in `harbor.api.cafile`, and the host that the \
                 certificate is for in `harbor.api.host`"
            }
            Self::Timeout { .. } => "raise `harbor.timeout.request` if Harbor is that slow",
            Self::NotHarbor { .. } => "check `harbor.api.host`: host, port and path of Harbor itself",
            Self::Redirected { location, .. } => {
                return Some(format!("if that is Harbor, write its address in `harbor.api.host`: {location}"));
            }
            Self::CredentialsNotAccepted { .. } => {
                "check name and password; a robot account's name begins with `robot$`, and it may be disabled or expired"
            }
            Self::PasswordUnreadable { .. } => "the file holds the password and nothing else",
            Self::AuthoritiesUnreadable { .. } => "the file holds certificates in PEM form",
            Self::PermissionMissing { permission, .. } => permission,
            Self::RegistryUnknown { .. } => {
                "set `harbor.registryurl` to the registry address that pods pull from; Harbor tells it only to accounts"
            }
            Self::RegistryInvalid { .. } => "set `harbor.registryurl` to `host` or `host:port`",
            Self::Connection { .. } | Self::Ill { .. } | Self::Unexpected { .. } | Self::Unsteady { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    fn kind(&self) -> SourceErrorKind {
        match self {
            Self::CredentialsNotAccepted { .. } | Self::PermissionMissing { .. } => SourceErrorKind::Forbidden,
            Self::NotHarbor { .. }
            | Self::Redirected { .. }
            | Self::Unexpected { .. }
            | Self::PasswordUnreadable { .. }
            | Self::AuthoritiesUnreadable { .. }
            | Self::RegistryUnknown { .. }
            | Self::RegistryInvalid { .. } => SourceErrorKind::Invalid,
            Self::UnknownHost { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Connection { .. }
            | Self::Ill { .. }
            | Self::Unsteady { .. } => SourceErrorKind::Unavailable,
        }
    }
}

impl From<HarborError> for SourceError {
    fn from(error: HarborError) -> Self {
        let message = match error.hint() {
            Some(hint) => format!("{error} (hint: {hint})"),
            None => error.to_string(),
        };
        let source_error = Self::new(error.kind(), message);
        match error {
            HarborError::Ill { retry_after: Some(delay), .. } => source_error.with_retry_after(delay),
            _ => source_error,
        }
    }
}
