//! Requests while a long list of mirrors is read and compiled.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;

use super::{block_on, start};
use crate::client::{self, Channel, Message, Opener, Transport};
use crate::data;
use crate::load::PRECISION;
use crate::serve::MUTATE;

/// A request is sent so often, whether or not those before it have been answered.
const INTERVAL: Duration = Duration::from_millis(2);
/// Requests on their way at any time, at most.
const CHANNELS: usize = 16;
/// How long latencies are looked at before anything changes.
const QUIET: Duration = Duration::from_secs(3);
/// How long a new list may take to come into use.
const PATIENCE: Duration = Duration::from_mins(1);

/// What requests took, in nanoseconds.
#[derive(Debug)]
pub struct Reload {
    quiet: Histogram<u64>,
    during: Histogram<u64>,
    /// From the change of the file to the first answer by the new list.
    took: Duration,
}

/// Replaces a file of mirrors by one with so many `rules` while requests are sent at a steady rate.
///
/// # Errors
/// When an answer is missing, or the new list does not come into use.
pub fn reload(rules: usize, workers: usize) -> Result<Reload> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mirrors.yaml");
    fs::write(&file, data::MIRRORS)?;
    let server = start(0, workers, |command| {
        command.env("MIMIC_FILE_PATH", &file);
    })?;
    // Written before, so that it is put there in no time.
    let next = folder.path().join("next.yaml");
    fs::write(&next, data::mirrors(rules))?;
    let image = format!("{}/team/service:v1", data::Shape::Registries.upstream(rules - 1));
    let body = std::str::from_utf8(data::REVIEWS[0].1)?.replace("nginx:1.27", &image);
    let request = Message::new(MUTATE, body.as_bytes());
    block_on(async {
        let opener = Rc::new(Opener::new(server.address(), Transport::Http1)?);
        let (mut channels, _) = client::channels(&opener, CHANNELS).await?;
        // The first answers make connections and caches.
        ask(&mut channels, &request, |begin, _| begin.elapsed() > QUIET / 10).await?;
        let (quiet, _) = ask(&mut channels, &request, |begin, rewritten| rewritten || begin.elapsed() > QUIET).await?;
        replace(&next, &file)?;
        let done = |begin: Instant, rewritten: bool| rewritten || begin.elapsed() > PATIENCE;
        let (during, (took, rewritten)) = ask(&mut channels, &request, done).await?;
        ensure!(rewritten, "the new list is not in use after {PATIENCE:?}");
        Ok(Reload { quiet, during, took })
    })
}

fn replace(next: &Path, file: &Path) -> Result<()> {
    fs::rename(next, file).context("the file cannot be replaced")
}

/// Sends at a steady rate, give or take the millisecond that timers know, until it is `done`: latencies from each request's time on; and after what time it was done, and
/// whether the image is rewritten by then.
async fn ask(
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
        for (when, latency) in [("before", &self.quiet), ("meanwhile", &self.during)] {
            write!(f, "latency {when}, µs:")?;
            for percent in [50.0, 99.0, 100.0] {
                write!(f, " p{percent} {}", latency.value_at_percentile(percent) / 1000)?;
            }
            writeln!(f, " ({} requests)", latency.len())?;
        }
        write!(f, "in use after {:.2?}, of which up to a second is the time until the file is looked at", self.took)
    }
}
