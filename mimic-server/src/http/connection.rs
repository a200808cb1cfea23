//! One connection: the TLS handshake, then one request after the other.
//!
//! This replaces the connection loop of `actix-http`, whose codec it uses. That loop keeps at least 16 KiB of buffers for
//! each idle connection, limits the time of the first request head only, and never the time of a response.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_codec::{Decoder as _, Encoder as _};
use actix_http::body::{BodySize, BoxBody, MessageBody as _};
use actix_http::error::{ParseError, PayloadError};
use actix_http::h1::{Codec, Message, MessageType};
use actix_http::{ConnectionType, Request, Response, ServiceConfig};
use actix_service::Service;
use actix_web::http::StatusCode;
use actix_web::web::BytesMut;
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::budget::{Budget, Share};
use super::incoming::Incoming;
use super::linger::{self, Bounds};
use super::pool::{End, Phase, Place, Pool};
use crate::metrics::Metrics;

/// Room for reading: one TLS record.
const RECORD: usize = 16 << 10;

/// With less room than this for reading, more is added.
const LITTLE: usize = 2 << 10;

/// Bytes that are read before the next step, and written at once.
const PIECE: usize = 32 << 10;

/// What a waiting connection costs beyond the bytes of the request: OpenSSL keeps a part of a record in a buffer.
const OVERHEAD: usize = RECORD;

/// The message of a 503.
const OVER_BUDGET: &str = "too many bodies are being received, MIMIC_LIMITS_MEMORY is used up";

/// What the connections of a worker share.
pub(super) struct Worker<S> {
    pub(super) service: S,
    pub(super) acceptor: SslAcceptor,
    pub(super) config: ServiceConfig,
    pub(super) pool: Rc<Pool>,
    pub(super) budget: Arc<Budget>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) linger: Bounds,
}

/// A connection after its handshake.
struct Connection {
    tls: SslStream<TcpStream>,
    codec: Codec,
    place: Place,
    share: Share,
    /// Bytes that were read and not decoded. Without an allocation while the connection is idle.
    input: BytesMut,
    /// Bytes to be written; also without an allocation while idle.
    output: BytesMut,
    /// Bytes of the current request that were decoded.
    decoded: usize,
    /// The last attempt to read found nothing, so neither OpenSSL nor the socket has more.
    is_drained: bool,
    /// The client closed its direction.
    is_ended: bool,
}

/// What follows a request.
enum Next {
    /// Another one.
    Request,
    /// The end, after the client has received the response.
    Close,
}

/// Why a connection ends without a response.
enum Gone {
    /// The client is gone.
    Broken,
    /// The pool ended the phase.
    Ended(End),
    /// The budget for bodies and responses is used up.
    OverBudget,
}

/// Serves a connection until it ends.
pub(super) async fn serve<S>(tcp: TcpStream, worker: Rc<Worker<S>>)
where
    S: Service<Request>,
    S::Response: Into<Response<BoxBody>>,
    S::Error: Into<Response<BoxBody>>,
{
    let (place, made_room) = worker.pool.join();
    if made_room {
        worker.metrics.evicted();
    }
    // Without it a response that takes more than one packet can wait 40 ms until the client acknowledges the first.
    if let Err(error) = tcp.set_nodelay(true) {
        log::debug!(error:%; "cannot set TCP_NODELAY");
    }
    let tls = match place.until(handshake(tcp, &worker.acceptor)).await {
        Ok(Some(tls)) => tls,
        Ok(None) | Err(End::Late) => return worker.metrics.handshake_failed(),
        Err(End::Stopped | End::Evicted) => return,
    };
    place.enter(Phase::Silent);
    let mut connection = Connection {
        tls,
        codec: Codec::new(worker.config.clone()),
        place,
        share: worker.budget.share(),
        input: BytesMut::new(),
        output: BytesMut::new(),
        decoded: 0,
        is_drained: false,
        is_ended: false,
    };
    let gone = loop {
        match connection.exchange(&worker).await {
            Ok(Next::Request) => {}
            Ok(Next::Close) => break None,
            Err(gone) => break Some(gone),
        }
    };
    // In a box, as in `exchange`: an idle connection has no room for what comes later.
    Box::pin(connection.end(gone, &worker.metrics, worker.linger)).await;
}

async fn handshake(tcp: TcpStream, acceptor: &SslAcceptor) -> Option<SslStream<TcpStream>> {
    // OpenSSL's state takes more than 20 KB, so a client that sends nothing gets none.
    tcp.readable().await.ok()?;
    let mut tls = SslStream::new(Ssl::new(acceptor.context()).ok()?, tcp).ok()?;
    Pin::new(&mut tls).accept().await.ok()?;
    Some(tls)
}

/// A response of the connection itself, after which it closes.
fn refusal(status: StatusCode, header: &str, message: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-type: text/plain; charset=utf-8\r\n{header}\
         connection: close\r\n\r\n{message}\n",
        message.len() + 1
    )
}

impl Connection {
    /// Receives a request and sends its response.
    async fn exchange<S>(&mut self, worker: &Worker<S>) -> Result<Next, Gone>
    where
        S: Service<Request>,
        S::Response: Into<Response<BoxBody>>,
        S::Error: Into<Response<BoxBody>>,
    {
        let request = match self.head().await? {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(Next::Close),
            Err(status) => {
                worker.metrics.refused();
                self.output.extend_from_slice(refusal(status, "", "invalid request head").as_bytes());
                self.send().await?;
                return Ok(Next::Close);
            }
        };
        Box::pin(self.answer(worker, request)).await
    }

    async fn answer<S>(&mut self, worker: &Worker<S>, request: Request) -> Result<Next, Gone>
    where
        S: Service<Request>,
        S::Response: Into<Response<BoxBody>>,
        S::Error: Into<Response<BoxBody>>,
    {
        let (response, is_unread) = self.call(&worker.service, request).await?;
        let (mut head, body) = response.into_parts();
        if is_unread || worker.pool.is_stopping() {
            head.head_mut().set_connection_type(ConnectionType::Close);
        }
        self.respond(head, body).await?;
        if !self.codec.keep_alive() || self.is_ended && self.input.is_empty() {
            return Ok(Next::Close);
        }
        self.share.release();
        self.decoded = 0;
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.place.enter(Phase::Idle);
        if worker.pool.is_stopping() { Ok(Next::Close) } else { Ok(Next::Request) }
    }

    /// Waits for a request and receives its head. `Ok(None)` if the client closed the connection instead; a status if the
    /// head is invalid.
    async fn head(&mut self) -> Result<Result<Option<Request>, StatusCode>, Gone> {
        loop {
            if !self.input.is_empty() {
                self.begin();
                let before = self.input.len();
                match self.codec.decode(&mut self.input) {
                    Ok(Some(Message::Item(request))) => {
                        self.decoded = before - self.input.len();
                        return Ok(Ok(Some(request)));
                    }
                    Ok(None) => {}
                    Err(ParseError::TooLarge) => return Ok(Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)),
                    Ok(Some(Message::Chunk(_))) | Err(_) => return Ok(Err(StatusCode::BAD_REQUEST)),
                }
            }
            if self.is_ended {
                return Ok(Ok(None));
            }
            poll_fn(|context| self.poll_fill(context)).await?;
        }
    }

    /// Calls the service while the body arrives. Also returns whether a part of the body was not read.
    async fn call<S>(&mut self, service: &S, mut request: Request) -> Result<(Response<BoxBody>, bool), Gone>
    where
        S: Service<Request>,
        S::Response: Into<Response<BoxBody>>,
        S::Error: Into<Response<BoxBody>>,
    {
        let incoming = Incoming::default();
        let mut is_incomplete = self.codec.message_type() != MessageType::None;
        if is_incomplete {
            *request.payload() = incoming.payload();
        }
        if request.head().expect() {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.send().await?;
            self.place.enter(Phase::Receiving);
        }
        let mut call = pin!(service.call(request));
        let response: Result<_, Gone> = poll_fn(|context| {
            loop {
                // What has arrived is passed on before the service is polled: for most requests once is enough.
                let mut has_more = is_incomplete;
                while has_more {
                    let before = self.input.len();
                    match self.codec.decode(&mut self.input) {
                        Ok(Some(Message::Chunk(Some(chunk)))) => incoming.push(chunk),
                        Ok(Some(Message::Chunk(None))) => {
                            incoming.end(Ok(()));
                            (is_incomplete, has_more) = (false, false);
                        }
                        Ok(None) => has_more = false,
                        Ok(Some(Message::Item(_))) | Err(_) => {
                            incoming.end(Err(PayloadError::EncodingCorrupted));
                            has_more = false;
                        }
                    }
                    self.decoded += before - self.input.len();
                }
                if is_incomplete && self.is_ended {
                    incoming.end(Err(PayloadError::Incomplete(None)));
                }
                if let Poll::Ready(result) = call.as_mut().poll(context) {
                    return Poll::Ready(Ok(result.map_or_else(Into::into, Into::into)));
                }
                if !is_incomplete || self.is_ended || !incoming.is_empty() {
                    return self.place.poll_end(context).map(|end| Err(end.into()));
                }
                ready!(self.poll_fill(context))?;
            }
        })
        .await;
        Ok((response?, is_incomplete))
    }

    async fn respond(&mut self, head: Response<()>, body: BoxBody) -> Result<(), Gone> {
        self.place.enter(Phase::Sending);
        let size = body.size();
        self.codec.encode(Message::Item((head, size)), &mut self.output).map_err(|_| Gone::Broken)?;
        if !matches!(size, BodySize::None | BodySize::Sized(0)) {
            let mut body = pin!(body);
            loop {
                let chunk = self.place.until(poll_fn(|context| body.as_mut().poll_next(context))).await?;
                let chunk = chunk.transpose().map_err(|_| Gone::Broken)?;
                let is_last = chunk.is_none();
                self.codec.encode(Message::Chunk(chunk), &mut self.output).map_err(|_| Gone::Broken)?;
                if is_last {
                    break;
                }
                if self.output.len() >= PIECE {
                    self.send().await?;
                }
            }
        }
        self.send().await
    }

    /// Reads what has arrived, up to [`PIECE`]; waits until there is something, or the end of the client's direction.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Poll::Ready(end) = self.place.poll_end(context) {
            return Poll::Ready(Err(end.into()));
        }
        if self.is_drained && !self.has_begun() {
            // An idle connection has no buffer until the client sends.
            ready!(self.tls.get_ref().poll_read_ready(context)).map_err(|_| Gone::Broken)?;
            self.begin();
        }
        let before = self.input.len();
        while self.input.len() - before < PIECE {
            if self.input.capacity() - self.input.len() < LITTLE {
                self.input.reserve(RECORD);
            }
            match pin!(self.tls.read_buf(&mut self.input)).poll(context) {
                Poll::Ready(Ok(0)) => {
                    self.is_ended = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone::Broken)),
                Poll::Pending => {
                    self.is_drained = true;
                    break;
                }
            }
            self.is_drained = false;
        }
        if self.input.len() > before {
            return Poll::Ready(Ok(()));
        }
        if !self.has_begun() {
            self.input = BytesMut::new();
        } else if !self.share.hold(self.decoded + self.input.len() + OVERHEAD) {
            // Only what waits is counted: a request that has arrived costs nothing.
            return Poll::Ready(Err(Gone::OverBudget));
        }
        Poll::Pending
    }

    /// Writes the output.
    async fn send(&mut self) -> Result<(), Gone> {
        let mut written = 0;
        let sent = poll_fn(|context| {
            while written < self.output.len() {
                match Pin::new(&mut self.tls).poll_write(context, &self.output[written..]) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Gone::Broken)),
                    Poll::Ready(Ok(count)) => written += count,
                    Poll::Pending => {
                        if self.place.phase() != Phase::Sending {
                            self.place.enter(Phase::Sending);
                        }
                        if !self.share.hold(self.output.len() - written + OVERHEAD) {
                            return Poll::Ready(Err(Gone::Broken));
                        }
                        // A client that does not read cannot be told.
                        return self.place.poll_end(context).map(|_| Err(Gone::Broken));
                    }
                }
            }
            Pin::new(&mut self.tls).poll_flush(context).map_err(|_| Gone::Broken)
        })
        .await;
        self.output = BytesMut::new();
        sent
    }

    /// Whether a request is being received.
    fn has_begun(&self) -> bool {
        self.place.phase() == Phase::Receiving
    }

    /// Notes that a request is being received.
    fn begin(&self) {
        if matches!(self.place.phase(), Phase::Silent | Phase::Idle) {
            self.place.enter(Phase::Receiving);
        }
    }

    async fn end(self, gone: Option<Gone>, metrics: &Metrics, linger: Bounds) {
        match gone {
            Some(Gone::Broken) => {}
            Some(Gone::Ended(End::Late)) if self.has_begun() => {
                metrics.refused();
                let response = refusal(StatusCode::REQUEST_TIMEOUT, "", "request not received in time");
                self.refuse(&response, linger).await;
            }
            Some(Gone::Ended(End::Evicted)) => self.close_now().await,
            None | Some(Gone::Ended(End::Late | End::Stopped)) => self.close(linger).await,
            Some(Gone::OverBudget) => {
                metrics.refused();
                let response = refusal(StatusCode::SERVICE_UNAVAILABLE, "retry-after: 1\r\n", OVER_BUDGET);
                self.refuse(&response, linger).await;
            }
        }
    }

    /// Sends a response of the connection itself, then closes it.
    async fn refuse(mut self, response: &str, linger: Bounds) {
        self.share.release();
        self.place.enter(Phase::Sending);
        self.input = BytesMut::new();
        self.output = response.as_bytes().into();
        if self.send().await.is_ok() {
            self.close(linger).await;
        }
    }

    /// Closes the connection when the client has received the last response.
    async fn close(mut self, bounds: Bounds) {
        self.share.release();
        self.place.enter(Phase::Closing);
        self.input = BytesMut::new();
        let _ = self.place.until(linger::close(&mut self.tls, bounds)).await;
    }

    /// Closes the connection without waiting for the client.
    async fn close_now(mut self) {
        poll_fn(|context| {
            let _ = Pin::new(&mut self.tls).poll_shutdown(context);
            Poll::Ready(())
        })
        .await;
    }
}

impl From<End> for Gone {
    fn from(end: End) -> Self {
        Self::Ended(end)
    }
}
