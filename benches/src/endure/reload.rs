//! Latency while many rules are loaded.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;

use super::server::{block_on, start};
use crate::client::{self, Channel, Message, Opener, Transport};
use crate::data;
use crate::load::PRECISION;
use crate::serve::MUTATE;

/// The interval between requests, whether or not earlier ones were answered.
const INTERVAL: Duration = Duration::from_millis(2);
/// Requests in flight at any time, at most.
const CHANNELS: usize = 16;
/// How long latencies are measured before the change.
const QUIET: Duration = Duration::from_secs(3);
/// How long the new rules can take to be applied.
const PATIENCE: Duration = Duration::from_mins(1);

/// Latencies in nanoseconds.
#[derive(Debug)]
pub struct Reload {
    quiet: Histogram<u64>,
    during: Histogram<u64>,
    /// From the change of the file to the first response by the new rules.
    took: Duration,
}

/// Replaces the mirror file by one with `rules` rules while requests are sent at a steady rate.
///
/// # Errors
/// When a response is missing, or the new rules are not applied.
pub fn reload(rules: usize, workers: usize) -> Result<Reload> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mirrors.yaml");
    fs::write(&file, data::MIRRORS)?;
    let server = start(0, workers, |command| {
        command.env("MIMIC_FILE_PATH", &file);
    })?;
    // Written in advance, so that the replacement is one rename.
    let next = folder.path().join("next.yaml");
    fs::write(&next, data::mirrors(rules))?;
    let image = format!("{}/team/service:v1", data::Shape::Registries.upstream(rules - 1));
    let body = std::str::from_utf8(data::REVIEWS[0].1)?.replace("nginx:1.27", &image);
    let request = Message::new(MUTATE, body.as_bytes());
    block_on(async {
        let opener = Rc::new(Opener::new(server.address(), Transport::Http1)?);
        let (mut channels, _) = client::channels(&opener, CHANNELS).await?;
        // The first requests warm up connections and caches.
        send(&mut channels, &request, |begin, _| begin.elapsed() > QUIET / 10).await?;
        let (quiet, _) = send(&mut channels, &request, |begin, rewritten| rewritten || begin.elapsed() > QUIET).await?;
        replace(&next, &file)?;
        let done = |begin: Instant, rewritten: bool| rewritten || begin.elapsed() > PATIENCE;
        let (during, (took, rewritten)) = send(&mut channels, &request, done).await?;
        ensure!(rewritten, "the new rules are not in use after {PATIENCE:?}");
        Ok(Reload { quiet, during, took })
    })
}

fn replace(next: &Path, file: &Path) -> Result<()> {
    fs::rename(next, file).context("cannot replace the file")
}

/// Sends at a steady rate, within the millisecond resolution of timers, until it is `done`. Returns the latencies, counted
/// from the time at which each request was due, the duration, and whether the image was rewritten at the end.
async fn send(
    channels: &mut [Channel],
    request: &Message,
    done: impl Fn(Instant, bool) -> bool,
) -> Result<(Histogram<u64>, (Duration, bool))> {
    let begin = Instant::now();
    let (sent, rewritten, done) = (&Cell::new(0), &Cell::new(false), &done);
    let workers: FuturesUnordered<_> = channels
        .iter_mut()
        .map(|channel| async move {
            let mut latency = Histogram::<u64>::new(PRECISION)?;
            while !done(begin, rewritten.get()) {
                let time = begin + INTERVAL * sent.replace(sent.get() + 1);
                tokio::time::sleep_until(time.into()).await;
                let answer = channel.exchange(request).await?;
                let patched = answer.windows(7).any(|part| part == b"\"patch\"");
                rewritten.set(rewritten.get() || patched);
                latency.record(u64::try_from(time.elapsed().as_nanos())?)?;
            }
            anyhow::Ok(latency)
        })
        .collect();
    let none = Histogram::new(PRECISION)?;
    let all = workers.try_fold(none, async |mut all, latency| {
        all.add(latency)?;
        Ok(all)
    });
    let all = all.await?;
    Ok((all, (begin.elapsed(), rewritten.get())))
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (when, latency) in [("before", &self.quiet), ("during", &self.during)] {
            write!(f, "latency {when}, µs:")?;
            for percent in [50.0, 99.0, 100.0] {
                write!(f, " p{percent} {}", latency.value_at_percentile(percent) / 1000)?;
            }
            writeln!(f, " ({} requests)", latency.len())?;
        }
        write!(f, "in use after {:.2?}, of which up to a second is the polling interval of the file", self.took)
    }
}
