//! HTTP: the webhook's routes and those of the second port, to be mounted in an application by whoever serves them.

mod admin;
mod body;
mod early;
mod goodbye;
mod linger;
mod mutate;
pub(crate) mod stack;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use mimic_core::Catalog;

use self::early::early;
use crate::config::Limits;
use crate::health::Health;
use crate::metrics::Metrics;

/// What requests use. It is made once and never locked.
pub struct State {
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    settings: mimic_k8s::admission::ReviewSettings,
    limits: Limits,
}

impl State {
    /// The state of a webhook that rewrites by `catalog`.
    pub fn new(
        catalog: Arc<Catalog>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        settings: mimic_k8s::admission::ReviewSettings,
        limits: Limits,
    ) -> Self {
        Self { catalog, health, metrics, settings, limits }
    }
}

/// Mounts the webhook: `POST /mutate`, and refusals for everything else.
pub fn configure(app: &mut web::ServiceConfig, state: &Arc<State>) {
    let (mutating, refusing, missing) = (Arc::clone(state), Arc::clone(state), Arc::clone(state));
    let post = web::post().to(move |request: HttpRequest, payload: web::Payload| {
        let state = Arc::clone(&mutating);
        async move { state.last_word(mutate::mutate(&state, &request, payload).await) }
    });
    let other = web::to(move |payload: web::Payload| {
        let state = Arc::clone(&refusing);
        async move { state.last_word(early(not_allowed(HeaderValue::from_static("POST")), payload)) }
    });
    let elsewhere = web::to(move |payload: web::Payload| {
        let state = Arc::clone(&missing);
        let response = text(StatusCode::NOT_FOUND, "not found; the webhook is at /mutate\n");
        async move { state.last_word(early(response, payload)) }
    });
    app.service(web::resource("/mutate").route(post).default_service(other)).default_service(elsewhere);
}

/// Mounts the second port: `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn configure_admin(app: &mut web::ServiceConfig, health: &Arc<Health>, metrics: &Arc<Metrics>) {
    let (health, metrics) = (Arc::clone(health), Arc::clone(metrics));
    let other = |payload: web::Payload| async { early(not_allowed(HeaderValue::from_static("GET, HEAD")), payload) };
    let reading = |resource: actix_web::Resource| resource.default_service(web::to(other));
    app.service(reading(web::resource("/healthz").get(admin::healthz).head(admin::healthz)))
        .service(reading(
            web::resource("/readyz").app_data(web::Data::from(health)).get(admin::readyz).head(admin::readyz),
        ))
        .service(reading(
            web::resource("/metrics").app_data(web::Data::from(metrics)).get(admin::metrics).head(admin::metrics),
        ))
        .default_service(web::to(|payload: web::Payload| async {
            early(text(StatusCode::NOT_FOUND, "not found; try /healthz, /readyz or /metrics\n"), payload)
        }));
}

impl State {
    /// Lets the client know that this connection will not live much longer. HTTP/2 has no such header; it is dropped
    /// there.
    fn last_word(&self, mut response: HttpResponse) -> HttpResponse {
        if self.health.is_draining() {
            response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        response
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    respond(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

fn json(body: Vec<u8>) -> HttpResponse {
    respond(StatusCode::OK, HeaderValue::from_static("application/json"), body.into())
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn not_allowed(allowed: HeaderValue) -> HttpResponse {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response.headers_mut().insert(ALLOW, allowed);
    response
}
