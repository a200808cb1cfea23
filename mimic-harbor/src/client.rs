//! Requests to Harbor's API.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use mimic_core::internal::Printable;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::address::Address;
use crate::api::ErrorBody;
use crate::credentials::Basic;
use crate::error::{HarborError, RequestError};
use crate::resolver::{Resolver, Unresolved};

/// Largest response that is read, in bytes after decompression. A page of a hundred projects has 40 kB.
const RESPONSE_MAX: usize = 16 << 20;

/// Most redirects that are followed for one request.
const REDIRECTS: usize = 5;

/// Longest `Retry-After` that is respected.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// How long to wait for Harbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, including the TLS handshake.
    pub connect: Duration,
    /// For a whole request. A Harbor whose Redis is down takes 13 seconds.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(30) }
    }
}

/// Creates the HTTP client for a Harbor. `ca` is the CA file and its content, to trust instead of the CAs of the system.
pub(crate) fn http(ca: Option<(&Path, &[u8])>, timeouts: Timeouts) -> Result<reqwest::Client, HarborError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("mimic/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.request)
        .dns_resolver(Resolver)
        .referer(false)
        .redirect(Policy::custom(|attempt| {
            let known = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
            if known && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
        }));
    let ca_file =
        |path: &Path, cause: Box<dyn Error + Send + Sync>| HarborError::CaFile { path: path.to_owned(), cause };
    let builder = match ca {
        None => builder,
        Some((path, pem)) => {
            let certificates =
                Certificate::from_pem_bundle(pem).map_err(|error| ca_file(path, RequestError::from(error).into()))?;
            if certificates.is_empty() {
                return Err(ca_file(path, "it holds no certificate".into()));
            }
            builder.tls_certs_only(certificates)
        }
    };
    builder.build().map_err(|error| match ca {
        Some((path, _)) => ca_file(path, RequestError::from(error).into()),
        None => HarborError::Connection { harbor: "Harbor".to_owned(), cause: error.into() },
    })
}

/// One Harbor and one account, for one discovery.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: Address,
    pub(crate) http: reqwest::Client,
    pub(crate) account: Option<Basic>,
    pub(crate) timeouts: Timeouts,
}

/// Whose credentials a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Those of the account, if there is one.
    Account,
    /// None: some accounts see less than an anonymous client.
    Anonymous,
}

/// A response that follows Harbor's API.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// The content, and the length of the whole list if the content is a page of a list.
    Content(T, Option<usize>),
    /// A refusal.
    Denied(Denial),
}

/// Why Harbor refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// 401: Harbor does not accept the credentials, or cannot check them.
    Unauthorized,
    /// 403: the account lacks a permission.
    Forbidden,
    /// 404.
    NotFound,
}

impl Client {
    /// Requests one path of the API.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, caller: Caller) -> Result<Reply<T>, HarborError> {
        let mut request = self
            .http
            .get(self.address.endpoint(path))
            .header(ACCEPT, "application/json")
            // Without it, Harbor takes a project name of digits, such as 42, for a project ID.
            .header("X-Is-Resource-Name", "true");
        if let (Some(account), Caller::Account) = (&self.account, caller) {
            request = request.basic_auth(&account.username, Some(&account.password));
        }
        let response = request.send().await.map_err(|error| self.failure(error, path))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere").to_owned();
            return Err(HarborError::Redirected { harbor: self.harbor(), location });
        }
        let body = self.body(response, path).await?;
        let is_json = content_type(&headers).contains("json");
        match status {
            StatusCode::OK if is_json => match serde_json::from_slice(&body) {
                Ok(value) => Ok(Reply::Content(value, total(&headers))),
                Err(error) => Err(self.unexpected(path, error)),
            },
            StatusCode::UNAUTHORIZED if is_json => Ok(Reply::Denied(Denial::Unauthorized)),
            StatusCode::FORBIDDEN if is_json => Ok(Reply::Denied(Denial::Forbidden)),
            StatusCode::NOT_FOUND if is_json => Ok(Reply::Denied(Denial::NotFound)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(self.error_response(status, path, &headers, &body))
            }
            _ if status.is_server_error() => Err(self.error_response(status, path, &headers, &body)),
            _ if is_json => Err(self.unexpected(path, format!("status {}: {}", status.as_u16(), error_message(&body)))),
            _ => Err(HarborError::NotHarbor { harbor: self.harbor(), response: describe(status, &headers) }),
        }
    }

    /// The Harbor's address, for messages.
    pub(crate) fn harbor(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn unexpected(&self, path: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> HarborError {
        HarborError::UnexpectedResponse { harbor: self.harbor(), path: path.to_owned(), cause: cause.into() }
    }

    async fn body(&self, mut response: Response, path: &str) -> Result<Vec<u8>, HarborError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error, path))? {
            if body.len() + chunk.len() > RESPONSE_MAX {
                return Err(self.unexpected(path, format!("the response is longer than {} MiB", RESPONSE_MAX >> 20)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn error_response(&self, status: StatusCode, path: &str, headers: &HeaderMap, body: &[u8]) -> HarborError {
        HarborError::ErrorResponse {
            harbor: self.harbor(),
            status: status.as_u16(),
            path: path.to_owned(),
            message: error_message(body),
            retry_after: retry_after(headers, SystemTime::now()),
        }
    }

    /// Classifies the failure of a request that got no response.
    fn failure(&self, error: reqwest::Error, path: &str) -> HarborError {
        let harbor = self.harbor();
        let mut cause = error.source();
        while let Some(layer) = cause {
            if let Some(Unresolved { host, .. }) = layer.downcast_ref() {
                return HarborError::UnknownHost { host: host.clone(), cause: error.into() };
            }
            if layer.is::<native_tls::Error>() {
                return HarborError::Tls { harbor, cause: error.into() };
            }
            if layer.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                return HarborError::ConnectionRefused { harbor };
            }
            cause = layer.source();
        }
        if error.is_timeout() {
            let limit = if error.is_connect() { self.timeouts.connect } else { self.timeouts.request };
            return HarborError::Timeout { harbor, path: path.to_owned(), limit };
        }
        HarborError::Connection { harbor, cause: error.into() }
    }
}

fn total(headers: &HeaderMap) -> Option<usize> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Describes a response that is not from a Harbor.
fn describe(status: StatusCode, headers: &HeaderMap) -> String {
    let kind = match content_type(headers) {
        "" => "no content type",
        html if html.starts_with("text/html") => "a web page",
        other => return format!("status {} with content of type `{}`", status.as_u16(), Printable(other)),
    };
    format!("status {} with {kind}", status.as_u16())
}

/// The message in an error response: one line, and nothing of a body that does not follow Harbor's API.
fn error_message(body: &[u8]) -> String {
    let message = serde_json::from_slice::<ErrorBody>(body)
        .ok()
        .and_then(|body| body.errors.into_iter().next())
        .map(|error| Printable(&error.message.chars().take(200).collect::<String>()).to_string())
        .filter(|message| !message.is_empty());
    message.unwrap_or_else(|| "no reason given".to_owned())
}

/// Parses `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(delay.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_limited() {
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 15:00:00 GMT").expect("a date");
        for (text, expected) in [
            ("7", Some(7)),
            ("999999999999", Some(3600)),
            ("Sun, 22 Nov 2026 15:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 14:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a header"))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_message_of_an_error_response_is_one_short_line() {
        assert_eq!(error_message(br#"{"errors":[{"code":"UNKNOWN","message":"no\ndatabase"}]}"#), "no\\ndatabase");
        for body in ["", "<html>secret</html>", r#"{"errors":[]}"#, r#"{"errors":[{}]}"#] {
            assert_eq!(error_message(body.as_bytes()), "no reason given");
        }
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(1000));
        assert_eq!(error_message(long.as_bytes()).len(), 200);
    }
}
