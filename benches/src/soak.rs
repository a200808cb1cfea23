//! A server under everything at once: reviews at a steady rate while rules, certificates and sources change, clients vanish,
//! and connections are idle. Every response is checked.

mod clients;
mod counts;
mod expected;
mod files;
mod plan;
mod report;
mod sources;

use std::cell::Cell;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::{Either, select, try_join5};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;

use crate::client::{self, Channel, Opener, Transport};
use crate::load::{Exchange, Memory, PRECISION, Process};
use crate::serve::{BASELINE, MUTATE};
use clients::Clients;
use counts::Counts;
use files::Files;
pub use plan::Plan;
pub use report::Report;
use report::Steady;
pub(crate) use sources::sources;

/// Requests in flight at any time, at most.
const CHANNELS: usize = 16;

/// Of this number of requests, one is for the constant handler.
const SHARE: u32 = 4;

/// How long the saturation is measured.
const CLOSED: Duration = Duration::from_secs(5);

/// How long the server can take to use its rules.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `plan` against `command`, the `baseline-server` with sources that change.
///
/// # Errors
/// When the server does not start or use its rules, or a disturbance cannot be caused. A response that is missing or wrong
/// is counted.
pub fn run(mut command: Command, plan: &Plan) -> Result<Report> {
    client::raise_open_files()?;
    let files = Files::new()?;
    files.configure(&mut command);
    command.arg("--soak").env("MIMIC_LIMITS_CONNECTIONS", (plan.idle + 1_000).to_string());
    let server = Process::start(command, Path::new("/dev/null"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let opener = Rc::new(Opener::new(server.address(), Transport::Http1)?);
        let (mut channels, tls) = client::channels(&opener, CHANNELS).await?;
        let mutate = Exchange::answered(MUTATE, plan.review, &expected::answers(plan.review)?)?;
        let exchanges = [&Exchange::new(BASELINE, plan.review)?, &mutate];
        wait_for_rules(&mut channels[0], &mutate).await?;

        let counts = Counts::default();
        let mut clients = Clients::new(&opener, &mutate, &counts);
        clients.open_idle(plan.idle).await?;
        let closed = steady(&opener, &mut channels, exchanges, &counts, None, CLOSED).await?;
        let saturation = closed.throughput();
        let rate = plan.rate.unwrap_or(0.7 * saturation);

        let samples = Cell::new(vec![server.memory()?]);
        let measured = steady(&opener, &mut channels, exchanges, &counts, Some(rate), plan.duration);
        let disturbed = async {
            let memory = sample(&server, &samples, plan.duration);
            let clients = (clients.vanish(), clients.reconnect(), clients.use_idle());
            try_join5(clients.0, clients.1, clients.2, files.change(), memory).await
        };
        let measured = match select(pin!(measured), pin!(disturbed)).await {
            Either::Left((measured, _)) => measured?,
            Either::Right((error, _)) => bail!(error.err().context("the disturbances ended")?),
        };
        let mut memory = samples.take();
        memory.push(server.memory()?);
        clients.close_idle().await;
        Ok(Report::new(tls, plan, saturation, rate, measured, memory, &counts, &clients, &files, &mutate))
    })
}

/// Waits until the rules that change are in use.
async fn wait_for_rules(channel: &mut Channel, exchange: &Exchange) -> Result<()> {
    let begin = Instant::now();
    let mut requests = exchange.requests();
    while !requests.send(channel).await? {
        ensure!(begin.elapsed() < PATIENCE, "the rules are not in use after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Notes the memory after a quarter and after half of the time, and then never ends.
async fn sample(server: &Process, samples: &Cell<Vec<Memory>>, duration: Duration) -> Result<()> {
    let begin = tokio::time::Instant::now();
    for part in [duration / 4, duration / 2] {
        tokio::time::sleep_until(begin + part).await;
        let mut all = samples.take();
        all.push(server.memory()?);
        samples.set(all);
    }
    std::future::pending().await
}

/// Sends requests to both routes: with a `rate` each when it is due, otherwise each as soon as a channel is free. Latencies
/// count from when a request is due.
async fn steady(
    opener: &Rc<Opener>,
    channels: &mut [Channel],
    exchanges: [&Exchange; 2],
    counts: &Counts,
    rate: Option<f64>,
    duration: Duration,
) -> Result<Steady> {
    let interval = rate.map(|rate| 1.0 / rate);
    let (begin, sent) = (Instant::now(), &Cell::new(0_u32));
    let workers: FuturesUnordered<_> = channels
        .iter_mut()
        .map(|channel| async move {
            let mut latency = [Histogram::<u64>::new(PRECISION)?, Histogram::new(PRECISION)?];
            let mut requests = exchanges.map(Exchange::requests);
            loop {
                let number = sent.get();
                let start = match interval {
                    None => Instant::now(),
                    Some(interval) => begin + Duration::from_secs_f64(interval * f64::from(number)),
                };
                if start >= begin + duration {
                    return anyhow::Ok(latency);
                }
                sent.set(number + 1);
                // The resolution of timers is too low.
                while Instant::now() < start {
                    tokio::task::yield_now().await;
                }
                let route = usize::from(number % SHARE > 0);
                if !counts.send(&mut requests[route], channel).await {
                    *channel = client::channels(opener, 1).await?.0.pop().context("no channel")?;
                }
                latency[route].record(u64::try_from(start.elapsed().as_nanos())?)?;
            }
        })
        .collect();
    let none = [Histogram::new(PRECISION)?, Histogram::new(PRECISION)?];
    let all = workers.try_fold(none, async |mut all, latencies| {
        for (all, latency) in all.iter_mut().zip(&latencies) {
            all.add(latency)?;
        }
        Ok(all)
    });
    // A client that never sleeps: see `load`.
    let awake = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    let latency = match select(pin!(all), pin!(awake)).await {
        Either::Left((all, _)) => all?,
        Either::Right((never, _)) => never,
    };
    Ok(Steady { wall: begin.elapsed(), latency })
}
