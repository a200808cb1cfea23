//! The handler of `POST /mutate`, and its log lines.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use log::Level;
use mimic_core::internal::Printable;
use mimic_k8s::admission::{Review, Skip, Verdict};

use super::body::{self, Refusal};
use super::response::{json, text};
use super::state::State;
use crate::metrics::Metrics;

/// Bytes after which the list of images in a log line ends.
const LISTED: usize = 6 << 10;

/// Responds to a review. Nothing is awaited after the body was received.
pub(super) async fn mutate(state: &State, request: &HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let answer = match body::receive(request, &mut payload, state.limits).await {
        Ok(body) => guarded(&state.metrics, &body, || decide(state, &body)),
        Err(refusal) => Err(refusal),
    };
    answer.map_or_else(
        |refusal| {
            state.metrics.refused();
            refuse(&refusal)
        },
        json,
    )
}

fn refuse(refusal: &Refusal) -> HttpResponse {
    let (status, reason) = (refusal.status.as_u16(), refusal.message.as_ref());
    log::debug!(status, reason; "request refused");
    // The text can quote the request, and the API server logs it.
    text(refusal.status, format!("{}\n", Printable(reason)))
}

/// Allows the pod unchanged if `decide` panics: a bug of Mimic must not block pods.
fn guarded(
    metrics: &Metrics,
    body: &[u8],
    decide: impl FnOnce() -> Result<Vec<u8>, Refusal>,
) -> Result<Vec<u8>, Refusal> {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
        metrics.failed();
        log::error!("internal error while processing a review; pod admitted unchanged");
        catch_unwind(|| Review::parse(body).ok().map(|review| allow(review.uid())))
            .ok()
            .flatten()
            .ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error"))
    })
}

fn decide(state: &State, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let received = Instant::now();
    let review = Review::parse(body).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let rewriter = state.catalog.rewriter();
    let verdict = review.decide(&rewriter, &state.settings);
    let answer = verdict.to_response();
    state.metrics.decided(&review, &verdict, &rewriter, received.elapsed());
    note(&review, &verdict, state.settings.dry_run);
    Ok(answer)
}

fn allow(uid: &str) -> Vec<u8> {
    serde_json::json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": uid,
            "allowed": true,
            "warnings": ["mimic: internal error, images unchanged"],
        },
    })
    .to_string()
    .into_bytes()
}

/// Logs the result for a pod: a line when images were rewritten or warnings returned; at `debug`, a line per image.
fn note(review: &Review<'_>, verdict: &Verdict<'_>, dry_run: bool) {
    let (namespace, pod) = (review.namespace().unwrap_or_default(), review.pod_name().unwrap_or_default());
    let operation = review.operation();
    if verdict.skipped() == Some(Skip::TooCostly) {
        log::warn!(namespace, pod, operation; "pod too costly to evaluate; admitted unchanged");
    }
    if !log::log_enabled!(Level::Info) {
        return;
    }
    let owner = review.owner().map(|owner| [owner.kind, "/", owner.name].concat()).unwrap_or_default();
    let owner = owner.as_str();
    let mut images = String::with_capacity((192 * verdict.images().len()).min(2 * LISTED));
    let (mut rewritten, mut listed) = (0, 0);
    for image in verdict.images() {
        let (source, rule) = image.outcome.rule().map_or(("", ""), |rule| (rule.source, rule.rule.name()));
        if let Some(mirrored) = image.outcome.rewritten() {
            rewritten += 1;
            if images.len() < LISTED {
                listed += 1;
                let separator = if images.is_empty() { "" } else { ", " };
                for part in [separator, image.image, " -> ", mirrored, " by ", rule, " of ", source] {
                    images.push_str(part);
                }
            }
        }
        log::debug!(
            namespace, pod, owner, operation, container_kind = image.kind.as_str(), container = image.name,
            image = image.image, outcome = image.outcome.as_str(), reason = image.outcome.reason().as_str(), rule, source;
            "image processed"
        );
    }
    if listed < rewritten {
        let _ = write!(images, ", and {} more", rewritten - listed);
    }
    let images = images.as_str();
    let request_dry_run = review.is_dry_run();
    if rewritten > 0 && dry_run {
        log::info!(namespace, pod, owner, operation, rewritten, images; "pod would be rewritten");
    } else if rewritten > 0 {
        log::info!(namespace, pod, owner, operation, rewritten, images, dry_run = request_dry_run; "pod rewritten");
    }
    if !verdict.warnings().is_empty() {
        let warnings = verdict.warnings().join("; ");
        let unreadable = review.unreadable().unwrap_or_default();
        log::info!(
            namespace, pod, owner, operation, warnings = warnings.as_str(), unreadable; "warnings returned for pod"
        );
    }
    if let Some(skipped) = verdict.skipped() {
        log::debug!(namespace, pod, owner, operation, reason = skipped.as_str(); "pod skipped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mimic_core::Catalog;

    use super::*;
    use crate::health::Health;

    #[test]
    fn a_pod_is_admitted_unchanged_when_processing_it_panics() {
        let review = include_bytes!("../../../examples/review.json");
        let catalog = Arc::new(Catalog::new(["file"]));
        let health = Arc::new(Health::new(Arc::clone(&catalog), Duration::ZERO));
        let metrics = Metrics::new(&catalog, &health).expect("the metrics have different names");
        let answer = guarded(&metrics, review, || panic!("on purpose")).expect("there is a response");
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("it is JSON");
        assert_eq!(answer["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
        assert_eq!(answer["response"]["allowed"], true);
        assert!(answer["response"].get("patch").is_none());

        let refusal = guarded(&metrics, b"{}", || panic!("on purpose")).expect_err("there is no uid to respond to");
        assert_eq!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR);

        let page = metrics.text().expect("they can be written");
        let counted = r#"mimic_admission_requests_total{operation="none",outcome="error"} 2"#;
        assert!(page.lines().any(|line| line == counted), "{page}");
    }
}
