//! Requests that each name a different image.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::server::{block_on, start};
use crate::client::{self, Channel, Message, Opener, Transport};
use crate::data;
use crate::load::Memory;
use crate::serve::MUTATE;

/// Requests in flight at any time.
const CHANNELS: usize = 16;

#[derive(Deserialize)]
struct Review<'a> {
    #[serde(borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    patch: Option<&'a str>,
}

/// Sends `requests` requests to a server with `rules` rules, and returns its memory before and after.
///
/// # Errors
/// When a response is missing or wrong.
pub fn never_twice(rules: usize, workers: usize, requests: usize) -> Result<[Memory; 2]> {
    let file = NamedTempFile::with_suffix(".yaml")?;
    std::fs::write(file.path(), data::mirrors(rules))?;
    let server = start(0, workers, |command| {
        command.env("MIMIC_FILE_PATH", file.path());
    })?;
    block_on(async {
        let opener = Rc::new(Opener::new(server.address(), Transport::Http1)?);
        let (mut channels, _) = client::channels(&opener, CHANNELS).await?;
        let next = Cell::new(0);
        send(&mut channels[..1], rules, &next, 1).await?;
        let before = server.memory()?;
        send(&mut channels, rules, &next, requests).await?;
        Ok([before, server.memory()?])
    })
}

async fn send(channels: &mut [Channel], rules: usize, next: &Cell<usize>, requests: usize) -> Result<()> {
    let workers: FuturesUnordered<_> = channels
        .iter_mut()
        .map(|channel| async move {
            while next.get() < requests {
                let number = next.replace(next.get() + 1);
                let rule = number % rules;
                let answer = channel.exchange(&request(rule, number)?).await?;
                let patch = serde_json::from_slice::<Review<'_>>(answer)?.response.patch.context("no patch")?;
                let patch = String::from_utf8(BASE64_STANDARD.decode(patch)?)?;
                let mirrored = format!(r#""harbor.example.com/mirror-{rule}/team/service-{number}:v1""#);
                ensure!(patch.contains(&mirrored), "{mirrored} is not in {patch}");
            }
            anyhow::Ok(())
        })
        .collect();
    workers.try_collect().await
}

/// The small review, with an image that no other request names.
fn request(rule: usize, number: usize) -> Result<Message> {
    let (_, review) = data::REVIEWS[0];
    let image = format!("{}/team/service-{number}:v1", data::Shape::Registries.upstream(rule));
    let body = std::str::from_utf8(review)?.replace("nginx:1.27", &image);
    Ok(Message::new(MUTATE, body.as_bytes()))
}
