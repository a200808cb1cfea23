//! The load run: two routes of one server in turn, in the same run, so that what the machine does otherwise meets both.

mod exchange;
mod process;
mod report;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;

use crate::client::{self, Channel, Opener, Transport};
use crate::serve::{LIMIT, MUTATE};
pub(crate) use exchange::Exchange;
pub use process::{Memory, Process};
use report::Spread;
pub use report::{Report, Row};

/// Significant digits of latencies.
pub(crate) const PRECISION: u8 = 3;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The review that is sent.
    pub review: &'static [u8],
    /// How it is sent.
    pub transport: Transport,
    /// Requests on their way at any time, at most.
    pub connections: usize,
    /// When each is sent.
    pub pace: Pace,
    /// Requests to one route before it is the other's turn.
    pub requests: u32,
    /// How often it is each route's turn.
    pub rounds: usize,
    /// The run ends with an error after this time.
    pub time_limit: Duration,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each as soon as there is a free connection: a closed loop.
    Closed,
    /// So many a second, each when it is its time whether or not others have been answered, as long as there is a free
    /// connection: an open loop.
    Rate(u32),
    /// An open loop at this part of what a closed loop gets answered, which is tried for each route first.
    Load(f64),
}

/// What one turn of one route cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) requests: u32,
    pub(crate) server: Duration,
    pub(crate) wall: Duration,
}

impl Turn {
    /// Processor time of the server per request, in microseconds.
    pub(crate) fn cost(&self) -> f64 {
        1e6 * self.server.as_secs_f64() / f64::from(self.requests)
    }

    /// Which part of the time the server was at work.
    pub(crate) fn busy(&self) -> f64 {
        self.server.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// All turns of one route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    /// Requests a second, in an open loop.
    pub(crate) rate: Option<u32>,
    pub(crate) turns: Vec<Turn>,
    /// Nanoseconds from a request to its answer.
    pub(crate) latency: Histogram<u64>,
}

impl Route {
    /// Requests that were answered in a second, in the middle one of the turns.
    fn throughput(&self) -> f64 {
        Spread::of(self.turns.iter().map(|turn| f64::from(turn.requests) / turn.wall.as_secs_f64())).median
    }
}

/// Runs `plan` against `server`, in this thread.
///
/// # Errors
/// When an answer is missing or wrong, or the time is over.
pub fn run(server: &Process, plan: &Plan) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Ok(report) = tokio::time::timeout(plan.time_limit, alternate(server, plan)).await else {
            bail!("not done within {:?}", plan.time_limit);
        };
        report
    })
}

async fn alternate(server: &Process, plan: &Plan) -> Result<Report> {
    let opener = Rc::new(Opener::new(server.address(), plan.transport)?);
    let (mut channels, tls) = client::channels(&opener, plan.connections).await?;
    let exchanges = [Exchange::new(LIMIT, plan.review)?, Exchange::new(MUTATE, plan.review)?];
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

/// Sends the requests of one turn. Every channel takes the next request when it is free; without a rate that is when
/// it has its answer (a closed loop), with one (an open loop) not before the request's time. Latencies count from that
/// time on, so that waiting for a free channel is not left out.
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
                // A timer would be too coarse.
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
    // A client that sleeps is woken by what the server sends, in the server's time, and the more often the longer the
    // server takes: the slower route would be charged for it. So this one never sleeps.
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
