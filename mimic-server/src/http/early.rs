//! Responses of the admin port that are sent before the request's body was read.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, Payload};
use actix_web::{Error, HttpResponse};

/// A response body that keeps the request's body alive.
struct Early {
    response: BoxBody,
    _request: Payload,
}

impl MessageBody for Early {
    type Error = Error;

    fn size(&self) -> BodySize {
        self.response.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Pin::new(&mut self.response).poll_next(context).map_err(Into::into)
    }
}

/// Sends `response` although the request's body may not be read to its end. In that case the connection closes after the
/// response.
///
/// The HTTP library would read a chunked body that was dropped to its end, however long it is.
pub(super) fn early(response: HttpResponse, request: Payload) -> HttpResponse {
    response.map_body(|_, response| BoxBody::new(Early { response, _request: request }))
}
