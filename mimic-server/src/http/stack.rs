//! The layers below the routes: sockets, TLS and HTTP/1.1.
//!
//! This is what `actix_web::HttpServer` builds, assembled here because it has no place for the layer [`Linger`].

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_tls::accept::TlsError;
use actix_tls::accept::openssl::{Acceptor, TlsStream};
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use openssl::ssl::SslAcceptor;

use super::linger::{Bounds, Linger};
use super::routes::configure;
use super::state::State;
use crate::metrics::Metrics;
use crate::settings::Limits;

/// How long a connection can be idle. The API server closes idle connections after 90 s; because this is longer, the API
/// server never sends a request into a connection that the server is closing.
const KEEP_ALIVE: Duration = Duration::from_mins(2);

/// How long a closing connection is read, so that the client gets the last response although it still sends.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// How much a closing connection is read, in bodies of the largest size.
const LINGER_BODIES: usize = 4;

/// Further routes on the webhook's port.
pub(crate) type Extra = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What the webhook's port needs.
pub(crate) struct Stack {
    pub(crate) acceptor: SslAcceptor,
    pub(crate) state: Arc<State>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) linger: Duration,
    pub(crate) workers: usize,
    pub(crate) extra: Option<Extra>,
}

/// Serves the webhook on `listener`.
pub(crate) fn serve(listener: TcpListener, stack: Stack) -> io::Result<Server> {
    let Stack { acceptor, state, metrics, limits, linger, workers, extra } = stack;
    let linger = Bounds { time: linger, bytes: limits.body.saturating_mul(LINGER_BODIES) };
    let builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(limits.connections.div_ceil(workers))
        .disable_signals()
        .shutdown_timeout(limits.request_time.as_secs().max(1));
    let stopping = builder.graceful_shutdown_signal();
    let factory = move || {
        let app = App::new().configure(|app| {
            if let Some(extra) = &extra {
                extra(app);
            }
            configure(app, &state);
        });
        let stopping = stopping.clone();
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(limits.request_time)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .finish(map_config(app.into_factory(), |()| AppConfig::default()));
        let metrics = Arc::clone(&metrics);
        Acceptor::new(acceptor.clone())
            .map_err(move |error| {
                metrics.handshake_failed();
                TlsError::into_service_error(error)
            })
            .map(move |stream: TlsStream<TcpStream>| prepare(stream, linger))
            .and_then(http.map_err(TlsError::Service))
    };
    Ok(builder.listen("webhook", listener, factory)?.run())
}

/// A connection between TLS and HTTP.
type Connection = Linger<TlsStream<TcpStream>>;

/// Prepares a connection after its handshake.
fn prepare(stream: TlsStream<TcpStream>, linger: Bounds) -> (Connection, Protocol, Option<SocketAddr>) {
    // Without it a response that takes more than one packet can wait 40 ms until the client acknowledges the first.
    if let Err(error) = stream.get_ref().set_nodelay(true) {
        log::debug!(error:%; "cannot set TCP_NODELAY");
    }
    let peer = stream.get_ref().peer_addr().ok();
    (Linger::new(stream, linger), Protocol::Http1, peer)
}
