//! The load run: two routes of one server in turn, in the same run, so that what the machine does otherwise meets both.

mod exchange;
mod report;

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::stream::{FuturesUnordered, TryStreamExt as _};
use hdrhistogram::Histogram;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Connection, Connector};
use crate::cpu;
use crate::serve::{LIMIT, MUTATE};
use exchange::Exchange;
pub use report::Report;

/// Significant digits of latencies.
const PRECISION: u8 = 3;

/// How long a server may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The review that is sent.
    pub review: &'static [u8],
    /// Connections, each with one request on its way at any time.
    pub connections: usize,
    /// Requests a second, sent when it is their time whether or not others have been answered, as long as a connection
    /// is free; `None` sends each as soon as its connection is free.
    pub rate: Option<u32>,
    /// Requests to one route before it is the other's turn.
    pub requests: u32,
    /// How often it is each route's turn.
    pub rounds: usize,
    /// The run ends with an error after this time.
    pub time_limit: Duration,
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
    pub(crate) turns: Vec<Turn>,
    /// Nanoseconds from a request to its answer.
    pub(crate) latency: Histogram<u64>,
}

/// A server in a process of its own. It is ended when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a server, with its log going to the file `log`. It has to write its address to the standard output.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log).with_context(|| format!("`{}` cannot be written", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let child = child.with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let mut process = Self { child, address: SocketAddr::from(([0; 4], 0)) };
        let mut line = String::new();
        let output = process.child.stdout.take().context("the server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        process.address = line.trim().parse().context("the server did not say where it listens; see its log")?;
        ensure!(process.address.ip().is_loopback(), "load is for servers on this machine only");
        Ok(process)
    }

    fn time(&self) -> Result<Duration> {
        Ok(cpu::process_time(self.child.id())?)
    }
}

impl Drop for Process {
    /// Asks it to leave, so that a profiler around it can write what it saw; and makes it leave if it does not.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = Instant::now();
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            while asked.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
        }
        // Neither can fail but for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let connector = Connector::new(server.address)?;
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(connector.connect().await.context("no connection")?);
    }
    let tls = connections.first().map(Connection::tls).unwrap_or_default();

    let mut routes = Vec::new();
    for path in [LIMIT, MUTATE] {
        let exchange = Exchange::new(path, plan.review)?;
        let route = Route { path, turns: Vec::new(), latency: Histogram::new(PRECISION)? };
        routes.push((exchange, route));
    }
    for round in 0..=plan.rounds {
        for (exchange, route) in &mut routes {
            let before = server.time()?;
            let start = Instant::now();
            let latencies = turn(&mut connections, exchange, plan).await?;
            let wall = start.elapsed();
            let turn = Turn { requests: plan.requests, server: server.time()?.saturating_sub(before), wall };
            // The first round warms up.
            if round > 0 {
                route.turns.push(turn);
                route.latency.add(latencies)?;
            }
        }
    }
    Ok(Report { tls, review: plan.review.len(), routes: routes.into_iter().map(|(_, route)| route).collect() })
}

/// Sends the requests of one turn. Every connection takes the next request when it is free; without a rate that is when
/// it has its answer (a closed loop), with one (an open loop) not before the request's time. Latencies count from that
/// time on, so that waiting for a free connection is not left out.
async fn turn(connections: &mut [Connection], exchange: &Exchange, plan: &Plan) -> Result<Histogram<u64>> {
    let interval = plan.rate.map(|rate| Duration::from_secs(1) / rate);
    let (begin, sent) = (Instant::now(), &Cell::new(0));
    let workers: FuturesUnordered<_> = connections
        .iter_mut()
        .map(|connection| async move {
            let mut latency = Histogram::<u64>::new(PRECISION)?;
            let mut requests = exchange.requests();
            while sent.get() < plan.requests {
                let number = sent.replace(sent.get() + 1);
                let start = match interval {
                    None => Instant::now(),
                    Some(interval) => begin + interval * number,
                };
                // A timer would be too coarse. And a client that sleeps costs the server the work of waking it, the
                // more so the less it has to do.
                while Instant::now() < start {
                    tokio::task::yield_now().await;
                }
                requests.next(connection).await?;
                latency.record(u64::try_from(start.elapsed().as_nanos())?)?;
            }
            anyhow::Ok(latency)
        })
        .collect();
    let none = Histogram::new(PRECISION)?;
    workers
        .try_fold(none, async |mut all, latency| {
            Ok({
                all.add(latency)?;
                all
            })
        })
        .await
}
