//! A cheap client over TLS 1.3, with as many requests in flight as there are channels.

mod http1;
mod message;
mod stream;
mod transport;

use std::rc::Rc;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub(crate) use message::Message;
pub(crate) use stream::Opener;
use stream::Stream;
pub use transport::Transport;

/// Sends one request at a time to the server.
pub(crate) struct Channel {
    route: Route,
    received: Vec<u8>,
}

/// How a channel reaches the server.
enum Route {
    Kept(Box<dyn Stream>),
    New(Rc<Opener>),
}

/// Opens `count` channels, and returns them with a description of their TLS.
pub(crate) async fn channels(opener: &Rc<Opener>, count: usize) -> Result<(Vec<Channel>, String)> {
    let (stream, tls) = opener.open().await.context("no connection")?;
    let mut routes = Vec::new();
    match opener.transport {
        Transport::Http1 => {
            routes.push(Route::Kept(stream));
            while routes.len() < count {
                routes.push(Route::Kept(opener.open().await?.0));
            }
        }
        Transport::Connect | Transport::Resume => routes.extend((0..count).map(|_| Route::New(Rc::clone(opener)))),
    }
    let channel = |route| Channel { route, received: Vec::with_capacity(16 << 10) };
    Ok((routes.into_iter().map(channel).collect(), tls))
}

/// Lets this process have as many open files, and so connections, as the system allows.
pub(crate) fn raise_open_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

impl Channel {
    /// Sends requests on this connection.
    pub(crate) fn over(stream: Box<dyn Stream>) -> Self {
        Self { route: Route::Kept(stream), received: Vec::new() }
    }

    /// The last response, head and body.
    pub(crate) fn last(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.received)
    }

    /// Sends a request and returns the body of the response, which must be a 200.
    pub(crate) async fn exchange(&mut self, request: &Message) -> Result<&[u8]> {
        match &mut self.route {
            Route::Kept(stream) => http1::exchange(stream, request, &mut self.received).await,
            Route::New(opener) => {
                let (mut stream, _) = opener.open().await?;
                let body = http1::exchange(&mut stream, request, &mut self.received).await?;
                stream::close(stream).await?;
                Ok(body)
            }
        }
    }
}
