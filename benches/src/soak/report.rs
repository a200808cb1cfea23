//! The result of a run.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::clients::Clients;
use super::counts::Counts;
use super::files::Files;
use super::plan::Plan;
use crate::load::{Exchange, Memory};
use crate::serve::{BASELINE, MUTATE};

/// The result of a run, to be printed.
#[derive(Debug)]
pub struct Report {
    tls: String,
    saturation: f64,
    rate: f64,
    measured: Steady,
    /// At the start, after a quarter and half of the time, and at the end.
    pub memory: Vec<Memory>,
    /// All requests, also those on idle and new connections.
    pub requests: u64,
    /// Responses that are not exactly as expected.
    pub wrong: u64,
    /// Requests without a response, or with a status other than 200.
    pub refused: u64,
    fault: Option<String>,
    /// How many responses each version of the rules gave.
    pub versions: Vec<u64>,
    vanished: u64,
    idle: usize,
    /// How many certificates there were, and how many of them clients saw.
    certificates: [u64; 2],
}

/// Requests and latencies of a phase.
#[derive(Debug)]
pub(super) struct Steady {
    pub(super) wall: Duration,
    /// In nanoseconds, of the constant handler and of reviews.
    pub(super) latency: [Histogram<u64>; 2],
}

impl Steady {
    pub(super) fn throughput(&self) -> f64 {
        let [baseline, mutate] = self.latency.each_ref().map(Histogram::len);
        #[expect(clippy::cast_precision_loss, reason = "there are not that many requests")]
        let requests = (baseline + mutate) as f64;
        requests / self.wall.as_secs_f64()
    }
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "it gathers what the parts of a run counted")]
    pub(super) fn new(
        tls: String,
        plan: &Plan,
        saturation: f64,
        rate: f64,
        measured: Steady,
        memory: Vec<Memory>,
        counts: &Counts,
        clients: &Clients<'_>,
        files: &Files,
        mutate: &Exchange,
    ) -> Self {
        Self {
            tls,
            saturation,
            rate,
            measured,
            memory,
            requests: counts.requests.get(),
            wrong: counts.wrong.get(),
            refused: counts.refused.get(),
            fault: counts.fault.take(),
            versions: mutate.seen(),
            vanished: clients.vanished.get(),
            idle: plan.idle,
            certificates: [files.certificates.get(), clients.certificates.borrow().len() as u64],
        }
    }

    /// Whether all responses were right.
    pub fn is_right(&self) -> bool {
        self.wrong + self.refused == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Steady { wall, latency } = &self.measured;
        writeln!(
            f,
            "{}; {:.0} s at {:.0} requests a second; saturation {:.0}",
            self.tls,
            wall.as_secs_f64(),
            self.rate,
            self.saturation
        )?;
        writeln!(f, "{} requests, {} wrong, {} refused", self.requests, self.wrong, self.refused)?;
        if let Some(fault) = &self.fault {
            writeln!(f, "the first fault: {fault}")?;
        }
        let [issued, seen] = self.certificates;
        writeln!(
            f,
            "responses by version of the rules {:?}; {} idle connections; {} clients vanished; {seen} of {issued} certificates seen",
            self.versions, self.idle, self.vanished
        )?;
        for (when, memory) in ["start", "a quarter", "half", "end"].iter().zip(&self.memory) {
            let start = self.memory.first().map_or(memory.bytes(), Memory::bytes);
            #[expect(clippy::cast_precision_loss, reason = "a ratio")]
            let ratio = memory.bytes() as f64 / start as f64;
            writeln!(f, "memory at {when}: {memory}, ×{ratio:.3}")?;
        }
        for (path, latency) in [BASELINE, MUTATE].iter().zip(latency) {
            write!(f, "latency of {path}, µs:")?;
            for percent in [50.0, 99.0, 99.9] {
                write!(f, " p{percent} {}", latency.value_at_percentile(percent) / 1000)?;
            }
            writeln!(f, " ({} requests)", latency.len())?;
        }
        Ok(())
    }
}
