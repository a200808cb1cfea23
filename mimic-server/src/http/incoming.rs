//! The body of a request on its way from the connection to the handler.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload};
use actix_web::web::Bytes;
use futures_core::Stream;

/// The connection's end of a body. The connection polls the handler after each change, so nothing needs to be woken.
#[derive(Debug, Default)]
pub(super) struct Incoming(Rc<RefCell<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    end: Option<Result<(), PayloadError>>,
}

/// The handler's end.
struct Body(Rc<RefCell<Queue>>);

impl Incoming {
    pub(super) fn payload(&self) -> Payload<BoxedPayloadStream> {
        Payload::Stream { payload: Box::pin(Body(Rc::clone(&self.0))) }
    }

    pub(super) fn push(&self, chunk: Bytes) {
        self.0.borrow_mut().chunks.push_back(chunk);
    }

    /// Ends the body, or fails it.
    pub(super) fn end(&self, end: Result<(), PayloadError>) {
        self.0.borrow_mut().end = Some(end);
    }

    /// Whether the handler has taken everything that arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().chunks.is_empty()
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.0.borrow_mut();
        if let Some(chunk) = queue.chunks.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        match queue.end.take() {
            None => Poll::Pending,
            Some(Ok(())) => {
                queue.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                queue.end = Some(Ok(()));
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}
