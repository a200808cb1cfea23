//! What can go wrong between Mimic and a Harbor.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mimic_core::{Hint, RuleError, SourceError, SourceErrorKind};

/// Why the mirrors of a Harbor could not be discovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarborError {
    /// The name of the host does not resolve.
    #[error("cannot find the host `{host}`")]
    UnknownHost {
        /// The name that was looked up.
        host: String,
        /// What the resolver reported.
        #[source]
        cause: RequestError,
    },
    /// Nothing listens on the port.
    #[error("cannot connect to {harbor}: connection refused")]
    ConnectionRefused {
        /// Address of the Harbor.
        harbor: String,
    },
    /// The TLS handshake failed.
    #[error("cannot connect to {harbor} over TLS")]
    Tls {
        /// Address of the Harbor.
        harbor: String,
        /// What is wrong with the certificate, or with the handshake.
        #[source]
        cause: RequestError,
    },
    /// The connection or the response took too long.
    #[error("no response from {harbor} to `{path}` within {limit:?}")]
    Timeout {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was requested.
        path: String,
        /// How long Mimic waited.
        limit: Duration,
    },
    /// The connection failed in another way, or was interrupted.
    #[error("connection to {harbor} failed")]
    Connection {
        /// Address of the Harbor.
        harbor: String,
        /// What the operating system or the HTTP client reported.
        #[source]
        cause: RequestError,
    },
    /// Another service responds at this address.
    #[error("{harbor} is not a Harbor: {response}")]
    NotHarbor {
        /// Address of the request.
        harbor: String,
        /// What was received.
        response: String,
    },
    /// The response redirects to another host, which must not get the credentials.
    #[error("{harbor} redirects to `{location}`")]
    Redirected {
        /// Address of the request.
        harbor: String,
        /// Where it redirects to.
        location: String,
    },
    /// Harbor treats the account as anonymous: it is unknown, disabled or expired, or the password is wrong.
    #[error("{harbor} does not accept the credentials of `{username}`")]
    CredentialsNotAccepted {
        /// Address of the Harbor.
        harbor: String,
        /// Name of the account.
        username: String,
    },
    /// The file with the password cannot be read, or is empty.
    #[error("cannot use the password file `{}`", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: io::Error,
    },
    /// The file with the CA certificates cannot be read, or holds none.
    #[error("cannot use the CA file `{}`", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The account lacks a permission.
    #[error("{account} has no permission to {action} at {harbor}")]
    PermissionMissing {
        /// Address of the Harbor.
        harbor: String,
        /// The account, in backticks, or `an anonymous client`.
        account: String,
        /// What the account is not permitted to do.
        action: &'static str,
        /// How to grant the permission.
        permission: &'static str,
    },
    /// Harbor reports an internal error, or that it is overloaded.
    #[error("{harbor} returned HTTP {status} for `{path}`: {message}")]
    ErrorResponse {
        /// Address of the Harbor.
        harbor: String,
        /// HTTP status.
        status: u16,
        /// The path of the API that was requested.
        path: String,
        /// Harbor's own message.
        message: String,
        /// How long Harbor asks clients to wait (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The response does not follow Harbor's API.
    #[error("unexpected response from {harbor} to `{path}`")]
    UnexpectedResponse {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was requested.
        path: String,
        /// What is wrong with the response.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// No two readings of a list of several pages were the same.
    #[error("the list `{path}` of {harbor} keeps changing while being read")]
    ListChanging {
        /// Address of the Harbor.
        harbor: String,
        /// The path of the API that was requested.
        path: String,
    },
    /// Neither the settings nor Harbor give the registry address.
    #[error("{harbor} did not report its registry address")]
    RegistryUnknown {
        /// Address of the Harbor.
        harbor: String,
    },
    /// The registry address cannot be part of a mirror.
    #[error("invalid registry address `{registry}`")]
    RegistryInvalid {
        /// What was configured, or what Harbor reported.
        registry: String,
        /// What is wrong with it.
        #[source]
        cause: RuleError,
    },
}

/// Why an HTTP request failed.
///
/// `Display` writes the innermost cause: the layers of the HTTP client above it only name the step that failed.
#[derive(Debug)]
pub struct RequestError(reqwest::Error);

impl From<reqwest::Error> for RequestError {
    fn from(error: reqwest::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut innermost: &dyn Error = &self.0;
        while let Some(cause) = innermost.source() {
            if let Some(tls) = cause.downcast_ref::<native_tls::Error>() {
                return write_tls_error(&tls.to_string(), f);
            }
            innermost = cause;
        }
        write!(f, "{innermost}")
    }
}

impl Error for RequestError {}

/// Writes the reason in an error of OpenSSL. It is in parentheses if a certificate is rejected. Otherwise it is the fifth
/// part of `error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:`, the others being positions in OpenSSL's source.
fn write_tls_error(message: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let reason = message.strip_suffix(')').and_then(|message| message.rsplit_once('(')).map(|(_, reason)| reason);
    if let Some(reason) = reason {
        return write!(f, "certificate verification failed: {reason}");
    }
    let reason = message.strip_prefix("error:").and_then(|parts| parts.split(':').nth(3));
    match reason {
        Some(reason) => write!(f, "TLS handshake failed: {reason}"),
        None => f.write_str(message),
    }
}

impl Hint for HarborError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::UnknownHost { .. } => "check the name in `harbor.api.host`, and DNS where Mimic runs",
            Self::ConnectionRefused { .. } => "check the port in `harbor.api.host`, and that Harbor runs",
            Self::Tls { cause, .. } if cause.to_string().contains("wrong version number") => {
                "the port does not use TLS: write `http://` before the host if that is intended"
            }
            Self::Tls { .. } => {
                "set `harbor.api.cafile` to the CA that signed Harbor's certificate, and `harbor.api.host` to a host that \
                 the certificate names"
            }
            Self::Timeout { .. } => "raise `harbor.timeout.request` if Harbor is that slow",
            Self::NotHarbor { .. } => "set `harbor.api.host` to the host, port and path of Harbor",
            Self::Redirected { location, .. } => {
                return Some(format!("if that is the right Harbor, set `harbor.api.host` to {location}").into());
            }
            Self::CredentialsNotAccepted { .. } => {
                "check the password and the name, which has a prefix such as `robot$`; the account can be disabled or expired; \
                 if this happens only once, Harbor's database may be at fault"
            }
            Self::PasswordFile { .. } => "the file must hold the password and nothing else",
            Self::CaFile { .. } => "the file must hold certificates in PEM format",
            Self::PermissionMissing { permission, .. } => permission,
            Self::RegistryUnknown { .. } => {
                "set `harbor.registryurl` to the address that pods pull from; Harbor reports it only to accounts"
            }
            Self::RegistryInvalid { .. } => "set `harbor.registryurl` to `host` or `host:port`",
            Self::Connection { .. }
            | Self::ErrorResponse { .. }
            | Self::UnexpectedResponse { .. }
            | Self::ListChanging { .. } => return None,
        };
        Some(hint.into())
    }
}

impl HarborError {
    fn kind(&self) -> SourceErrorKind {
        match self {
            Self::CredentialsNotAccepted { .. } | Self::PermissionMissing { .. } => SourceErrorKind::Forbidden,
            Self::NotHarbor { .. }
            | Self::Redirected { .. }
            | Self::UnexpectedResponse { .. }
            | Self::PasswordFile { .. }
            | Self::CaFile { .. }
            | Self::RegistryUnknown { .. }
            | Self::RegistryInvalid { .. } => SourceErrorKind::Invalid,
            Self::UnknownHost { .. }
            | Self::ConnectionRefused { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Connection { .. }
            | Self::ErrorResponse { .. }
            | Self::ListChanging { .. } => SourceErrorKind::Unavailable,
        }
    }
}

impl From<HarborError> for SourceError {
    fn from(error: HarborError) -> Self {
        let retry_after = match error {
            HarborError::ErrorResponse { retry_after, .. } => retry_after,
            _ => None,
        };
        let error = Self::from_error(error.kind(), error);
        match retry_after {
            Some(delay) => error.with_retry_after(delay),
            None => error,
        }
    }
}
