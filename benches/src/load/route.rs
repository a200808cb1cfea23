use std::time::Duration;

use hdrhistogram::Histogram;

use super::spread::Spread;

/// The cost of one turn of one route.
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

    /// The fraction of the time in which the server was busy.
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
    /// Nanoseconds from a request to its response.
    pub(crate) latency: Histogram<u64>,
}

impl Route {
    /// Responses per second, in the median turn.
    pub(super) fn throughput(&self) -> f64 {
        Spread::of(self.turns.iter().map(|turn| f64::from(turn.requests) / turn.wall.as_secs_f64())).median
    }
}
