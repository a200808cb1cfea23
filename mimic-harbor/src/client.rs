//! Questions to Harbor's API and what comes back.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::address::Address;
use crate::api::Failure;
use crate::credentials::Basic;
use crate::error::HarborError;
use crate::resolver::{Resolver, Unresolved};

/// Largest answer that is read, unpacked. A page of a hundred projects has 40 kB.
const LARGEST_ANSWER: usize = 16 << 20;

/// Most redirects that are followed one after the other.
const REDIRECTS: usize = 5;

/// Longest time that Harbor can ask to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// How long to wait for a Harbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, with TLS.
    pub connect: Duration,
    /// For one request as a whole. A Harbor whose Redis is down takes 13 seconds.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(30) }
    }
}

/// Makes the HTTP client for a Harbor. `authorities` are PEM certificates to trust instead of the system's.
pub(crate) fn http(authorities: Option<(&Path, &[u8])>, timeouts: Timeouts) -> Result<reqwest::Client, HarborError> {
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
    let builder = match authorities {
        None => builder,
        Some((path, pem)) => {
            let unusable = |reason: String| HarborError::AuthoritiesUnreadable { path: path.to_owned(), reason };
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| unusable(innermost(&error)))?;
            if certificates.is_empty() {
                return Err(unusable("there is no certificate in it".to_owned()));
            }
            builder.tls_certs_only(certificates)
        }
    };
    builder.build().map_err(|error| match authorities {
        Some((path, _)) => HarborError::AuthoritiesUnreadable { path: path.to_owned(), reason: innermost(&error) },
        None => HarborError::Connection { harbor: "Harbor".to_owned(), reason: innermost(&error) },
    })
}

/// One Harbor, asked as one account, for the time of one discovery.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: Address,
    pub(crate) http: reqwest::Client,
    pub(crate) account: Option<Basic>,
    pub(crate) timeouts: Timeouts,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The account, if there is one.
    Account,
    /// Nobody: some accounts may see less than nobody.
    Nobody,
}

/// What Harbor answers.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// What was asked for, and the length of the whole list when it is a page of one.
    Given(T, Option<usize>),
    /// Nothing, and why.
    Denied(Denial),
}

/// Why Harbor gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// 401: it does not know who asks, or cannot find out.
    Unknown,
    /// 403: it knows, and who asks may not.
    Forbidden,
    /// 404.
    Absent,
}

impl Client {
    /// Asks for one path of the API.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, who: Who) -> Result<Reply<T>, HarborError> {
        let mut request = self
            .http
            .get(self.address.endpoint(path))
            .header(ACCEPT, "application/json")
            // A project may be called 42, and is then not project number 42.
            .header("X-Is-Resource-Name", "true");
        if let (Some(account), Who::Account) = (&self.account, who) {
            request = request.basic_auth(&account.username, Some(&account.password));
        }
        let response = request.send().await.map_err(|error| self.failure(&error, path))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere").to_owned();
            return Err(HarborError::Redirected { harbor: self.harbor(), location });
        }
        let body = self.body(response, path).await?;
        let is_json = content_type(&headers).contains("json");
        match status {
            StatusCode::OK if is_json => match serde_json::from_slice(&body) {
                Ok(value) => Ok(Reply::Given(value, total(&headers))),
                Err(error) => Err(self.unexpected(path, error.to_string())),
            },
            StatusCode::UNAUTHORIZED if is_json => Ok(Reply::Denied(Denial::Unknown)),
            StatusCode::FORBIDDEN if is_json => Ok(Reply::Denied(Denial::Forbidden)),
            StatusCode::NOT_FOUND if is_json => Ok(Reply::Denied(Denial::Absent)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(self.ill(status, path, &headers, &body)),
            _ if status.is_server_error() => Err(self.ill(status, path, &headers, &body)),
            _ if is_json => Err(self.unexpected(path, format!("status {}, {}", status.as_u16(), said(&body)))),
            _ => Err(HarborError::NotHarbor { harbor: self.harbor(), answer: describe(status, &headers) }),
        }
    }

    /// The Harbor's address, for messages.
    pub(crate) fn harbor(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn unexpected(&self, path: &str, reason: impl Into<String>) -> HarborError {
        HarborError::Unexpected { harbor: self.harbor(), path: path.to_owned(), reason: reason.into() }
    }

    async fn body(&self, mut response: Response, path: &str) -> Result<Vec<u8>, HarborError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error, path))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(self.unexpected(path, format!("it is longer than {} MiB", LARGEST_ANSWER >> 20)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn ill(&self, status: StatusCode, path: &str, headers: &HeaderMap, body: &[u8]) -> HarborError {
        HarborError::Ill {
            harbor: self.harbor(),
            status: status.as_u16(),
            path: path.to_owned(),
            message: said(body),
            retry_after: retry_after(headers, SystemTime::now()),
        }
    }

    /// Tells apart why there is no answer.
    fn failure(&self, error: &reqwest::Error, path: &str) -> HarborError {
        let harbor = self.harbor();
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(Unresolved { host, reason }) = error.downcast_ref() {
                return HarborError::UnknownHost { host: host.clone(), reason: reason.clone() };
            }
            if let Some(error) = error.downcast_ref::<native_tls::Error>() {
                return HarborError::Tls { harbor, reason: plain(&error.to_string()) };
            }
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                return HarborError::Refused { harbor };
            }
            cause = error.source();
        }
        if error.is_timeout() {
            let limit = if error.is_connect() { self.timeouts.connect } else { self.timeouts.request };
            return HarborError::Timeout { harbor, path: path.to_owned(), limit };
        }
        HarborError::Connection { harbor, reason: innermost(error) }
    }
}

/// What lies at the bottom of an error: the messages above it only say where it happened.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// OpenSSL puts the reason of a refused certificate in parentheses, after the place in its own source.
fn plain(message: &str) -> String {
    let reason = message.strip_suffix(')').and_then(|message| message.rsplit_once('(')).map(|(_, reason)| reason);
    match reason {
        Some(reason) => format!("its certificate is not valid here: {reason}"),
        None => message.to_owned(),
    }
}

fn total(headers: &HeaderMap) -> Option<usize> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What somebody else than Harbor answered.
fn describe(status: StatusCode, headers: &HeaderMap) -> String {
    let kind = match content_type(headers) {
        "" => "something without a type",
        html if html.starts_with("text/html") => "a web page",
        other => return format!("status {} with content of type `{}`", status.as_u16(), other.escape_debug()),
    };
    format!("status {} with {kind}", status.as_u16())
}

/// The message in the body of a failure; never more than a line, and nothing of a body that is not Harbor's.
fn said(body: &[u8]) -> String {
    let message = serde_json::from_slice::<Failure>(body)
        .ok()
        .and_then(|failure| failure.errors.into_iter().next())
        .map(|mishap| {
            mishap.message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>()
        })
        .filter(|message| !message.is_empty());
    message.unwrap_or_else(|| "it does not say why".to_owned())
}

/// Reads `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(asked.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_for_ever() {
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
    fn what_harbor_says_of_a_failure_is_one_short_line() {
        assert_eq!(said(br#"{"errors":[{"code":"UNKNOWN","message":"no\ndatabase"}]}"#), "no database");
        for body in ["", "<html>secret</html>", r#"{"errors":[]}"#, r#"{"errors":[{}]}"#] {
            assert_eq!(said(body.as_bytes()), "it does not say why");
        }
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(1000));
        assert_eq!(said(long.as_bytes()).len(), 200);
    }
}
