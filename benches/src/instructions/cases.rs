//! The cases.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::rt::System;
use actix_web::{App, test};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use mimic_core::{Catalog, Context, ImageRef, Rewriter};
use mimic_k8s::admission::{Review, ReviewSettings};
use mimic_server::Settings;
use mimic_server::internal::{Health, Metrics, State, configure, init_logging};

use crate::data::{self, Shape};

/// Images per count, with many rules.
const IMAGES: usize = 30;

/// Runs `case` twice: to warm up, and to be counted.
///
/// # Errors
/// When there is no such case, or it fails.
pub fn work(case: &str) -> Result<()> {
    match *case.split('/').collect::<Vec<_>>() {
        ["parse"] => parse(),
        ["rewrite"] => rewrite(&organisation()?, &data::references()),
        ["rewrite", rules, kind] => {
            let rules = rules.parse()?;
            let image = if kind == "hit" { Shape::hit } else { Shape::miss };
            let images: Vec<_> = data::scattered(IMAGES, rules).map(|rule| image(Shape::Prefixes, rule)).collect();
            rewrite(
                &data::rewriter(Shape::Prefixes.rules(rules)),
                &images.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        }
        ["review", size] => review(size),
        ["server", size] => server(size),
        ["compile", rules] => compile(rules.parse()?),
        _ => bail!("there is no case `{case}`"),
    }
}

/// The counter counts what this function does. It is not generic, so there is one copy, which the counter finds by name.
#[inline(never)]
fn measured(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    black_box(work())
}

fn twice(mut work: impl FnMut() -> Result<()>) -> Result<()> {
    work()?;
    measured(&mut work)
}

/// The rules of an organisation.
fn organisation() -> Result<Rewriter> {
    let list = mimic_core::parse_rules_file("mirrors.yaml", data::MIRRORS).map_err(|problem| anyhow!("{problem}"))?;
    Ok(data::rewriter(list.rules.into()))
}

fn body(size: &str) -> Result<&'static [u8]> {
    let found = data::REVIEWS.into_iter().find(|(name, _)| *name == size);
    Ok(found.with_context(|| format!("there is no review `{size}`"))?.1)
}

fn parse() -> Result<()> {
    let references = data::references();
    twice(|| {
        for reference in &references {
            black_box(ImageRef::parse(black_box(reference)))?;
        }
        Ok(())
    })
}

fn rewrite(rewriter: &Rewriter, images: &[&str]) -> Result<()> {
    twice(|| {
        for image in images {
            drop(black_box(rewriter.rewrite(black_box(image), &Context::default())));
        }
        Ok(())
    })
}

/// A whole review, from the request's body to the response's.
fn review(size: &str) -> Result<()> {
    let (body, rewriter, settings) = (body(size)?, organisation()?, ReviewSettings::default());
    twice(|| {
        let review = Review::parse(black_box(body))?;
        drop(black_box(review.decide(&rewriter, &settings).to_response()));
        Ok(())
    })
}

/// A whole request without sockets and TLS: routing, parsing, matching, the response, metrics and the log line.
fn server(size: &str) -> Result<()> {
    let body = body(size)?;
    let settings = Settings::load([], None, &[]).settings.map_err(|problems| anyhow!("{problems:?}"))?;
    let _last_lines = init_logging(settings.log, None)?;
    let catalog = Arc::new(Catalog::new(["file"]));
    let list = mimic_core::parse_rules_file("mirrors.yaml", data::MIRRORS).map_err(|problem| anyhow!("{problem}"))?;
    catalog.publish("file", list.rules);
    let health = Arc::new(Health::new(Arc::clone(&catalog), Duration::ZERO));
    let metrics = Arc::new(Metrics::new(&catalog, &health)?);
    let state = Arc::new(State::new(catalog, health, metrics, ReviewSettings::default(), settings.limits));
    let system = System::new();
    let app = system.block_on(test::init_service(App::new().configure(|app| configure(app, &state))));
    let request = || {
        let request = test::TestRequest::post().uri("/mutate?timeout=5s");
        request.insert_header(("Content-Type", "application/json")).set_payload(body).to_request()
    };
    let mut requests = [request(), request()].into_iter();
    twice(|| {
        let request = requests.next().context("there are two")?;
        let answer: ServiceResponse = system.block_on(app.call(request)).map_err(|error| anyhow!("{error}"))?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    })
}

fn compile(rules: usize) -> Result<()> {
    let rules = Shape::Prefixes.rules(rules);
    twice(|| {
        drop(black_box(data::rewriter(Arc::clone(&rules))));
        Ok(())
    })
}
