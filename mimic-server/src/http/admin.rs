//! The handlers of the admin port.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, web};

use super::response::{respond, text};
use crate::health::Health;
use crate::metrics::Metrics;

pub(super) async fn healthz(health: web::Data<Health>) -> HttpResponse {
    match health.heartbeats().stuck() {
        None => text(StatusCode::OK, "ok\n"),
        Some(silence) => {
            let seconds = silence.as_secs();
            log::error!(seconds; "worker stuck");
            text(StatusCode::SERVICE_UNAVAILABLE, format!("a worker has been stuck for {seconds} seconds\n"))
        }
    }
}

pub(super) async fn readyz(request: HttpRequest, health: web::Data<Health>) -> HttpResponse {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = request.query_string().split('&').any(|part| part == "verbose" || part.starts_with("verbose="));
    text(status, if verbose { report.verbose() } else { report.to_string() })
}

pub(super) async fn metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(page) => respond(StatusCode::OK, HeaderValue::from_static(prometheus::TEXT_FORMAT), page.into()),
        Err(error) => {
            log::error!(error:%; "cannot encode metrics");
            text(StatusCode::INTERNAL_SERVER_ERROR, "cannot encode metrics\n")
        }
    }
}
