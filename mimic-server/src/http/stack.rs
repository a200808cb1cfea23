//! The layers below the routes: sockets, TLS and HTTP/1.1.
//!
//! This is what `actix_web::HttpServer` builds, with connections of our own ([`connection`]).

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{KeepAlive, Request, ServiceConfigBuilder};
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory as _, ServiceFactory, fn_factory, fn_service};
use actix_web::dev::{AppConfig, Server};
use actix_web::{App, web};
use openssl::ssl::SslAcceptor;

use super::budget::Budget;
use super::connection::{self, Worker};
use super::linger::Bounds;
use super::pool::{Pool, Times};
use super::routes::configure;
use super::state::State;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::resources::Allowance;
use crate::settings::Limits;

/// How long a connection can be idle. The API server closes idle connections after 90 s; because this is longer, the API
/// server never sends a request into a connection that the server is closing.
const KEEP_ALIVE: Duration = Duration::from_mins(2);

/// How long a TLS handshake can take.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(3);

/// How much longer a whole request can take than its body, which has its own limit and a better error message.
const GRACE: Duration = Duration::from_secs(1);

/// How many connections more than the limit a worker accepts before older ones have closed.
pub(crate) const EXTRA: usize = 32;

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
    pub(crate) allowance: Allowance,
    pub(crate) health: Arc<Health>,
    pub(crate) linger: Duration,
    pub(crate) handshake: Duration,
    pub(crate) workers: usize,
    pub(crate) extra: Option<Extra>,
}

/// Serves the webhook on `listener`.
pub(crate) fn serve(listener: TcpListener, stack: Stack) -> io::Result<Server> {
    let Stack { acceptor, state, metrics, limits, allowance, health, linger, handshake, workers, extra } = stack;
    let linger = Bounds { time: linger, bytes: limits.body.saturating_mul(LINGER_BODIES) };
    let limit = allowance.connections.div_ceil(workers);
    let times =
        Times { handshake, idle: KEEP_ALIVE, receiving: limits.request_time + GRACE, sending: limits.request_time };
    let budget = Budget::new(allowance.memory);
    let builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(limit + EXTRA)
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
        let app = app.into_factory();
        let (acceptor, metrics) = (acceptor.clone(), Arc::clone(&metrics));
        let (budget, stopping, health) = (Arc::clone(&budget), stopping.clone(), Arc::clone(&health));
        fn_factory(move || {
            let app = ServiceFactory::<Request>::new_service(&app, AppConfig::default());
            let (acceptor, metrics) = (acceptor.clone(), Arc::clone(&metrics));
            let (budget, stopping, heartbeat) = (Arc::clone(&budget), stopping.clone(), health.heartbeats().add());
            async move {
                let pool = Pool::new(limit, times);
                tokio::task::spawn_local(Rc::clone(&pool).watch(move || heartbeat.beat()));
                tokio::task::spawn_local(Rc::clone(&pool).stop_after(async move { stopping.notified().await }));
                let config = ServiceConfigBuilder::new().keep_alive(KeepAlive::Os).build();
                let worker = Worker { service: app.await?, acceptor, config, pool, budget, metrics, linger };
                let worker = Rc::new(worker);
                Ok::<_, ()>(fn_service(move |tcp| {
                    let served = connection::serve(tcp, Rc::clone(&worker));
                    async move {
                        served.await;
                        Ok::<_, Infallible>(())
                    }
                }))
            }
        })
    };
    Ok(builder.listen("webhook", listener, factory)?.run())
}
