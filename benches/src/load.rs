//! The load run: two routes of one server in turn, in the same run, so that other load on the machine affects both.

mod exchange;
mod process;
mod report;
mod route;
mod spread;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;

use crate::client::{self, Channel, Opener, Transport};
use crate::serve::{BASELINE, MUTATE};
pub(crate) use exchange::{Exchange, Requests};
pub use process::{Memory, Process};
pub use report::{Report, Row};
use route::{Route, Turn};

/// Significant digits of latencies.
pub(crate) const PRECISION: u8 = 3;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The review that is sent.
    pub review: &'static [u8],
    /// The transport.
    pub transport: Transport,
    /// Requests in flight at any time, at most.
    pub connections: usize,
    /// When each is sent.
    pub pace: Pace,
    /// Requests to one route in a turn.
    pub requests: u32,
    /// Turns of each route.
    pub rounds: usize,
    /// The run ends with an error after this time.
    pub time_limit: Duration,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each as soon as there is a free connection: a closed loop.
    Closed,
    /// This number per second, each when it is due whether or not earlier ones were answered, as long as a connection is
    /// free: an open loop.
    Rate(u32),
    /// An open loop at this fraction of the throughput of a closed loop, which is measured first for each route.
    Load(f64),
}

/// Runs `plan` against `server`, in this thread.
///
/// # Errors
/// When a response is missing or wrong, or the time limit is exceeded.
pub fn run(server: &Process, plan: &Plan) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Ok(report) = tokio::time::timeout(plan.time_limit, alternate(server, plan)).await else {
            bail!("not finished within {:?}", plan.time_limit);
        };
        report
    })
}

async fn alternate(server: &Process, plan: &Plan) -> Result<Report> {
    let opener = Rc::new(Opener::new(server.address(), plan.transport)?);
    let (mut channels, tls) = client::channels(&opener, plan.connections).await?;
    let exchanges = [Exchange::new(BASELINE, plan.review)?, Exchange::new(MUTATE, plan.review)?];
    let mut run = async |rates: [Option<u32>; 2]| {
        let mut routes = Vec::new();
        for (exchange, rate) in exchanges.iter().zip(rates) {
            routes.push(Route { path: exchange.path(), rate, turns: Vec::new(), latency: Histogram::new(PRECISION)? });
        }
        for round in 0..=plan.rounds {
            for (exchange, route) in exchanges.iter().zip(&mut routes) {
                let before = server.time()?;
                let start = Instant::now();
                let latencies = turn(&mut channels, exchange, plan.requests, route.rate).await?;
                let wall = start.elapsed();
                let turn = Turn { requests: plan.requests, server: server.time()?.saturating_sub(before), wall };
                // The first round warms up.
                if round > 0 {
                    route.turns.push(turn);
                    route.latency.add(latencies)?;
                }
            }
        }
        anyhow::Ok(routes)
    };
    let routes = match plan.pace {
        Pace::Closed => run([None; 2]).await?,
        Pace::Rate(rate) => run([Some(rate); 2]).await?,
        Pace::Load(part) => {
            let closed = run([None; 2]).await?;
            let rate = |route: &Route| Some(per_second(part * route.throughput()));
            run([rate(&closed[0]), rate(&closed[1])]).await?
        }
    };
    opener.check()?;
    Ok(Report { tls, review: plan.review.len(), routes })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn per_second(rate: f64) -> u32 {
    rate.clamp(1.0, 1e6) as u32
}

/// Sends the requests of one turn. Every channel sends the next request when it is free: without a rate as soon as it has
/// its response (a closed loop), with one not before the request is due (an open loop). Latencies count from the time at
/// which the request is due, so they include the wait for a free channel.
async fn turn(channels: &mut [Channel], exchange: &Exchange, count: u32, rate: Option<u32>) -> Result<Histogram<u64>> {
    let interval = rate.map(|rate| Duration::from_secs(1) / rate);
    let (begin, sent) = (Instant::now(), &Cell::new(0));
    let workers: FuturesUnordered<_> = channels
        .iter_mut()
        .map(|channel| async move {
            let mut latency = Histogram::<u64>::new(PRECISION)?;
            let mut requests = exchange.requests();
            while sent.get() < count {
                let number = sent.replace(sent.get() + 1);
                let start = match interval {
                    None => Instant::now(),
                    Some(interval) => begin + interval * number,
                };
                // The resolution of timers is too low.
                while Instant::now() < start {
                    tokio::task::yield_now().await;
                }
                requests.next(channel).await?;
                latency.record(u64::try_from(start.elapsed().as_nanos())?)?;
            }
            anyhow::Ok(latency)
        })
        .collect();
    let none = Histogram::new(PRECISION)?;
    let all = workers.try_fold(none, async |mut all, latency| {
        Ok({
            all.add(latency)?;
            all
        })
    });
    // Waking a sleeping client costs the server processor time, and the slower the route, the more often the client sleeps.
    // So this client never sleeps.
    let awake = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    match select(pin!(all), pin!(awake)).await {
        Either::Left((all, _)) => all,
        Either::Right((never, _)) => never,
    }
}
