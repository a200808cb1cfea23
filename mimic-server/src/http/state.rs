//! What the handlers of the webhook share.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::ConnectionType;
use mimic_core::Catalog;

use crate::health::Health;
use crate::metrics::Metrics;
use crate::settings::Limits;

/// What requests use. It is created once and never locked.
pub struct State {
    pub(super) catalog: Arc<Catalog>,
    health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: mimic_k8s::admission::ReviewSettings,
    pub(super) limits: Limits,
}

impl State {
    /// The state of a webhook that rewrites by the rules of `catalog`.
    pub fn new(
        catalog: Arc<Catalog>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        settings: mimic_k8s::admission::ReviewSettings,
        limits: Limits,
    ) -> Self {
        Self { catalog, health, metrics, settings, limits }
    }

    /// Adds `Connection: close` while the server drains.
    pub(super) fn close_if_draining(&self, mut response: HttpResponse) -> HttpResponse {
        if self.health.is_draining() {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}
