use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::text;
use crate::health::Health;

pub(super) async fn healthz() -> HttpResponse {
    text(StatusCode::OK, "ok\n")
}

pub(super) async fn readyz(request: HttpRequest, health: web::Data<Health>) -> HttpResponse {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = request.query_string().split('&').any(|part| part == "verbose" || part.starts_with("verbose="));
    text(status, if verbose { report.verbose() } else { report.to_string() })
}
