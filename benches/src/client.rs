//! A client that costs little, over TLS 1.3, with as many requests on their way as there are channels.

mod http1;
mod http2;
mod stream;

use std::rc::Rc;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

pub(crate) use stream::Opener;
use stream::Stream;

/// How requests reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// HTTP/1.1 on connections that are kept open, as the API server calls a Service
    Http1,
    /// HTTP/2 on one connection for all, as the API server calls a URL
    Http2,
    /// HTTP/1.1 with a new connection for every request
    Connect,
    /// HTTP/1.1 with a new connection for every request that resumes the TLS session of an earlier one
    Resume,
}

/// A request: what it is in HTTP/1.1, and where in that its body begins.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) path: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: usize,
}

impl Message {
    /// Posts `review` to `path`, as the API server does.
    pub(crate) fn new(path: &'static str, review: &[u8]) -> Self {
        let mut bytes = format!(
            "POST {path}?timeout=5s HTTP/1.1\r\nHost: mimic.mimic.svc:443\r\nUser-Agent: kube-apiserver-admission\r\n\
             Content-Length: {}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n",
            review.len()
        )
        .into_bytes();
        let body = bytes.len();
        bytes.extend_from_slice(review);
        Self { path, bytes, body }
    }
}

/// A way to the server for one request at a time.
pub(crate) struct Channel {
    way: Way,
    received: Vec<u8>,
}

enum Way {
    Kept(Box<dyn Stream>),
    Shared(http2::Sender),
    New(Rc<Opener>),
}

/// Opens so many channels, and says what TLS they came to.
pub(crate) async fn channels(opener: &Rc<Opener>, count: usize) -> Result<(Vec<Channel>, String)> {
    let (stream, tls) = opener.open().await.context("no connection")?;
    let mut ways = Vec::new();
    match opener.transport {
        Transport::Http1 => {
            ways.push(Way::Kept(stream));
            while ways.len() < count {
                ways.push(Way::Kept(opener.open().await?.0));
            }
        }
        Transport::Http2 => {
            let sender = http2::start(stream).await?;
            ways.extend((0..count).map(|_| Way::Shared(sender.clone())));
        }
        Transport::Connect | Transport::Resume => ways.extend((0..count).map(|_| Way::New(Rc::clone(opener)))),
    }
    let channel = |way| Channel { way, received: Vec::with_capacity(16 << 10) };
    Ok((ways.into_iter().map(channel).collect(), tls))
}

impl Channel {
    /// Sends a request and returns the body of the answer, which must be a 200.
    pub(crate) async fn exchange(&mut self, request: &Message) -> Result<&[u8]> {
        match &mut self.way {
            Way::Kept(stream) => http1::exchange(stream, request, &mut self.received).await,
            Way::Shared(sender) => http2::exchange(sender, request, &mut self.received).await,
            Way::New(opener) => {
                let (mut stream, _) = opener.open().await?;
                let body = http1::exchange(&mut stream, request, &mut self.received).await?;
                stream::close(stream).await?;
                Ok(body)
            }
        }
    }
}
