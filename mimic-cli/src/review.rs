//! `mimic review`

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use json_patch::Patch;
use mimic_core::internal::text::{TextError, decode};
use mimic_core::internal::{Globs, Printable};
use mimic_core::{Hint as _, Outcome};
use mimic_k8s::admission::{ContainerKind, Decision, Review, ReviewSettings, Verdict};
use serde::Serialize;
use serde_json::Value;

use crate::args::{PodArgs, ReviewArgs};
use crate::output::{Format, Output};
use crate::rewrite::Why;
use crate::rules;

/// Largest review, in bytes: the default of the server.
const REVIEW_MAX: u64 = 8 << 20;

pub(crate) fn run(args: ReviewArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(rewriter) = rules::load(args.rules, &args.harbor, out)? else { return Ok(()) };
    let settings = ReviewSettings {
        annotate: !args.no_annotate,
        dry_run: args.dry_run,
        excluded_namespaces: Globs::new(&args.excluded_namespaces)?,
    };
    let body = with_pod_options(&args.pod, read(&args.file)?);
    let review = Review::parse(&body)?;
    if let Some(reason) = review.unreadable() {
        out.error(format_args!("cannot read the pod: {reason}"));
    }
    let verdict = review.decide(&rewriter, &settings);
    let response = verdict.to_response();
    if args.show {
        return show(&body, &verdict, &response, out);
    }
    match out.format() {
        Format::Json => out.line(&response),
        Format::Text => {
            // Transcoded, so that the members stay in order.
            let mut from = serde_json::Deserializer::from_slice(&response);
            let mut to = serde_json::Serializer::pretty(out.results());
            serde_transcode::transcode(&mut from, &mut to)?;
            out.line(b"");
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let stdin = path == Path::new("-");
    let name = if stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let read = || {
        let reader: Box<dyn Read> = if stdin { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
        let mut body = Vec::new();
        reader.take(REVIEW_MAX + 1).read_to_end(&mut body)?;
        io::Result::Ok(body)
    };
    let body = read().with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(body.len() as u64 <= REVIEW_MAX, "{name} is larger than {} MiB", REVIEW_MAX >> 20);
    match decode(&body) {
        // Without a byte order mark, which JSON does not allow.
        Ok(text) if text.len() < body.len() => Ok(text.as_bytes().to_vec()),
        Err(error @ TextError::Utf16) => anyhow::bail!("cannot read {name}: {}", error.full_message()),
        _ => Ok(body),
    }
}

/// The review with the given namespace and labels. It is unchanged if neither is given, or if it is invalid, which is
/// reported later.
fn with_pod_options(pod: &PodArgs, body: Vec<u8>) -> Vec<u8> {
    let labels = pod.labels();
    if pod.namespace.is_none() && labels.is_empty() {
        return body;
    }
    let Ok(mut review) = serde_json::from_slice::<Value>(&body) else { return body };
    let Some(request) = review.get_mut("request").filter(|request| request.is_object()) else { return body };
    if let Some(namespace) = &pod.namespace {
        request["namespace"] = namespace.as_str().into();
    }
    if let Some(metadata) = request.pointer_mut("/object/metadata").filter(|metadata| metadata.is_object()) {
        for (key, value) in labels {
            let labels = &mut metadata["labels"];
            if !labels.is_object() {
                *labels = Value::Object(serde_json::Map::new());
            }
            labels[key] = value.into();
        }
    }
    review.to_string().into_bytes()
}

#[derive(Serialize)]
struct Shown<'a> {
    container_kind: &'a str,
    name: &'a str,
    before: &'a str,
    after: &'a str,
    #[serde(flatten)]
    why: Why<'a>,
}

#[derive(Serialize)]
struct Skipped {
    skipped: &'static str,
}

/// Prints the result for each image. `after` is read from a copy of the pod to which the patch of the response was
/// applied.
fn show(body: &[u8], verdict: &Verdict<'_>, response: &[u8], out: &mut Output) -> anyhow::Result<()> {
    if let Some(skip) = verdict.skipped() {
        match out.format() {
            Format::Json => out.json(&Skipped { skipped: skip.as_str() })?,
            Format::Text => out.text(format_args!("skipped: {}", skip.as_str())),
        }
    }
    let review: Value = serde_json::from_slice(body)?;
    let mut pod = review["request"]["object"].clone();
    let patch = patch(response)?;
    json_patch::patch(&mut pod, &patch).context("the patch does not apply to the pod")?;
    for decision in verdict.images() {
        let after = image(&pod, decision);
        let expected = if patch.is_empty() { None } else { decision.outcome.rewritten() }.unwrap_or(decision.image);
        anyhow::ensure!(after == expected, "the patch changes an image to `{after}`, expected `{expected}`");
        match out.format() {
            Format::Json => out.json(&Shown {
                container_kind: decision.kind.as_str(),
                name: decision.name,
                before: decision.image,
                after,
                why: Why::new(&decision.outcome),
            })?,
            // Escaped: a pod can hold anything, and the output can be a terminal.
            Format::Text => out.text(format_args!(
                "{} {}\n  before: {}\n  after:  {}\n  reason: {}",
                decision.kind.as_str(),
                Printable(decision.name),
                Printable(decision.image),
                Printable(after),
                reason(&decision.outcome),
            )),
        }
    }
    if out.format() == Format::Text {
        out.text(if patch.is_empty() { "patch: none" } else { "patch, applied to the pod:" });
        for operation in patch.iter() {
            out.text(format_args!("  {}", serde_json::to_string(operation)?));
        }
        for warning in verdict.warnings() {
            out.text(format_args!("warning: {warning}"));
        }
    }
    Ok(())
}

/// The reason, without the rewritten image, which is shown as `after`.
fn reason(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Rewritten { rule, .. } => format!("rewritten by {rule}"),
        _ => outcome.to_string(),
    }
}

/// The patch as the API server reads it from the response; empty if there is none.
fn patch(response: &[u8]) -> anyhow::Result<Patch> {
    let response: Value = serde_json::from_slice(response)?;
    let Some(patch) = response["response"]["patch"].as_str() else { return Ok(Patch(Vec::new())) };
    let patch = BASE64_STANDARD.decode(patch).context("the patch is not base64")?;
    serde_json::from_slice(&patch).context("the patch is not a JSON Patch")
}

/// The image of a decision in a pod; empty if it has none.
fn image<'p>(pod: &'p Value, decision: &Decision<'_>) -> &'p str {
    let spec = &pod["spec"];
    let image = match decision.kind {
        ContainerKind::InitContainer => &spec["initContainers"][decision.index]["image"],
        ContainerKind::Container => &spec["containers"][decision.index]["image"],
        ContainerKind::EphemeralContainer => &spec["ephemeralContainers"][decision.index]["image"],
        ContainerKind::Volume => &spec["volumes"][decision.index]["image"]["reference"],
    };
    image.as_str().unwrap_or_default()
}
