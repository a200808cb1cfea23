//! Responses with a short text or JSON.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    respond(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

pub(super) fn json(body: Vec<u8>) -> HttpResponse {
    respond(StatusCode::OK, HeaderValue::from_static("application/json"), body.into())
}

pub(super) fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// 405 with the methods that are allowed.
pub(super) fn not_allowed(allowed: &'static str) -> HttpResponse {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
