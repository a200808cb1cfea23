//! Receives a request: checks its head, then reads the body.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Bytes, BytesMut};
use futures_core::Stream as _;

use mimic_config::value_type::duration;

use crate::settings::Limits;

/// Part of the API server's `?timeout=` that is kept for processing and for the response: a tenth, within these bounds.
const MARGIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Room for a body whose first piece arrived, in pieces of that size. More room follows when more has arrived: a declared length
/// sets no memory aside.
const PIECES: usize = 4;

/// An error response, with a message for the API server's log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into() }
    }

    fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("request body exceeds the limit of {limit} bytes"))
    }
}

/// Checks the head and receives the body.
pub(super) async fn receive(
    request: &HttpRequest,
    payload: &mut web::Payload,
    limits: Limits,
) -> Result<Bytes, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !content_type.is_some_and(is_json) {
        let message = "unsupported content type, expected application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared: usize| declared > limits.body) {
        return Err(Refusal::too_large(limits.body));
    }
    let time = time_left(request.query_string(), limits.request_time);
    let Ok(body) = tokio::time::timeout(time, read(payload, declared, limits.body)).await else {
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("request body not received within {time:?}")));
    };
    let body = body?;
    if body.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "request body is empty, expected an AdmissionReview"));
    }
    Ok(body)
}

/// `application/json`, with or without parameters.
fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// How long the body can take: the limit, or the API server's timeout less a margin, whichever is shorter.
fn time_left(query: &str, limit: Duration) -> Duration {
    let timeout = query.split('&').find_map(|part| part.strip_prefix("timeout=")).and_then(duration);
    timeout.map_or(limit, |timeout| {
        let margin = (timeout / 10).clamp(MARGIN.0, MARGIN.1);
        limit.min(timeout.saturating_sub(margin))
    })
}

async fn read(payload: &mut web::Payload, declared: Option<usize>, limit: usize) -> Result<Bytes, Refusal> {
    let mut next = async || poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await.transpose();
    let mut whole = BytesMut::new();
    while let Some(chunk) = next().await.map_err(|error| incomplete(&error))? {
        // A body that arrived in one piece is not copied.
        if whole.is_empty() && Some(chunk.len()) == declared {
            return Ok(chunk);
        }
        if chunk.len() > limit - whole.len() {
            return Err(Refusal::too_large(limit));
        }
        if whole.is_empty() {
            whole.reserve(declared.unwrap_or(0).clamp(chunk.len(), PIECES * chunk.len()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn incomplete(error: &actix_web::error::PayloadError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("request body incomplete: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_with_parameters_and_in_any_case() {
        for (value, expected) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON ;charset=utf-8", true),
            ("application/json-patch+json", false),
            ("text/json", false),
            ("", false),
        ] {
            assert_eq!(is_json(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn the_api_servers_timeout_is_honoured_with_a_margin() {
        let limit = Duration::from_secs(10);
        for (query, expected) in [
            ("", 10_000),
            ("timeout=5s", 4_500),
            ("timeout=30s", 10_000),
            ("timeout=10s", 9_500),
            ("a=b&timeout=1s", 900),
            ("timeout=10ms", 0),
            ("timeout=soon", 10_000),
        ] {
            assert_eq!(time_left(query, limit), Duration::from_millis(expected), "{query}");
        }
    }
}
