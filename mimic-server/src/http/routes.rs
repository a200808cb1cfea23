//! Which handler responds to which path and method.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web;

use super::early::early;
use super::response::{not_allowed, text};
use super::state::State;
use super::{admin, mutate};
use crate::health::Health;
use crate::metrics::Metrics;

/// Adds the webhook: `POST /mutate`, and error responses for all other requests.
pub fn configure(app: &mut web::ServiceConfig, state: &Arc<State>) {
    let (mutating, refusing, missing) = (Arc::clone(state), Arc::clone(state), Arc::clone(state));
    let post = web::post().to(move |request: HttpRequest, payload: web::Payload| {
        let state = Arc::clone(&mutating);
        async move { state.close_if_draining(mutate::mutate(&state, &request, payload).await) }
    });
    let other_methods = web::to(move || {
        let state = Arc::clone(&refusing);
        async move { state.close_if_draining(not_allowed("POST")) }
    });
    let other_paths = web::to(move || {
        let state = Arc::clone(&missing);
        let response = text(StatusCode::NOT_FOUND, "not found; the webhook is at /mutate\n");
        async move { state.close_if_draining(response) }
    });
    app.service(web::resource("/mutate").route(post).default_service(other_methods)).default_service(other_paths);
}

/// Adds the routes of the admin port: `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn configure_admin(app: &mut web::ServiceConfig, health: &Arc<Health>, metrics: &Arc<Metrics>) {
    let (health, metrics) = (Arc::clone(health), Arc::clone(metrics));
    let other_methods = |payload: web::Payload| async { early(not_allowed("GET, HEAD"), payload) };
    let reading = |resource: actix_web::Resource| resource.default_service(web::to(other_methods));
    app.app_data(web::Data::from(health))
        .service(reading(web::resource("/healthz").get(admin::healthz).head(admin::healthz)))
        .service(reading(web::resource("/readyz").get(admin::readyz).head(admin::readyz)))
        .service(reading(
            web::resource("/metrics").app_data(web::Data::from(metrics)).get(admin::metrics).head(admin::metrics),
        ))
        .default_service(web::to(|payload: web::Payload| async {
            early(text(StatusCode::NOT_FOUND, "not found; try /healthz, /readyz or /metrics\n"), payload)
        }));
}
