//! The result of a run.

use std::fmt;

use anyhow::Result;

use super::route::{Route, Turn};
use super::spread::Spread;

/// The result of a run, to be printed.
#[derive(Debug)]
pub struct Report {
    pub(super) tls: String,
    pub(super) review: usize,
    pub(super) routes: Vec<Route>,
}

impl Report {
    /// Adds the result of another run of the same plan.
    ///
    /// # Errors
    /// When a latency is out of the histogram's range.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        for (route, other) in self.routes.iter_mut().zip(&other.routes) {
            route.turns.extend_from_slice(&other.turns);
            route.latency.add(&other.latency)?;
        }
        Ok(())
    }

    /// The server's processor time per request as a multiple of the first route's: for each round, and least by least.
    /// Disturbances only ever add time, so the second figure varies less.
    fn ratio(&self, route: &Route) -> (Spread, f64) {
        let baseline = self.routes.first().map_or(&[][..], |route| &route.turns);
        let costs = |turns: &[Turn]| Spread::of(turns.iter().map(Turn::cost));
        let rounds = baseline.iter().zip(&route.turns).map(|(baseline, other)| other.cost() / baseline.cost());
        (Spread::of(rounds), costs(&route.turns).least / costs(baseline).least)
    }
}

impl Route {
    /// The 99th percentile as a multiple of the median.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few seconds")]
    fn tail(&self) -> f64 {
        let [median, slow] = [50.0, 99.0].map(|percent| self.latency.value_at_percentile(percent) as f64);
        slow / median
    }
}

/// One row of the table that the script `figures` prints.
#[derive(Debug)]
pub struct Row<'a>(pub &'a str, pub &'a Report);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, report) = self;
        write!(f, "| {name} |")?;
        for route in report.routes.iter().skip(1) {
            let (rounds, least) = report.ratio(route);
            write!(f, " {:.2} | {least:.2} |", rounds.median)?;
        }
        report.routes.iter().try_for_each(|route| write!(f, " {:.1} |", route.tail()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.routes.first().map_or(0, |route| route.turns.len());
        writeln!(
            f,
            "{}; reviews of {} bytes; every response was correct; median of {rounds} rounds (least to greatest)",
            self.tls, self.review
        )?;
        for route in &self.routes {
            writeln!(
                f,
                "{:8} server's processor time per request, µs: {}",
                route.path,
                Spread::of(route.turns.iter().map(Turn::cost))
            )?;
            let busy = 100.0 * Spread::of(route.turns.iter().map(Turn::busy)).median;
            match route.rate {
                Some(rate) => writeln!(f, "{:8} server busy: {busy:.0} % with {rate} requests a second", "")?,
                None => writeln!(f, "{:8} server busy: {busy:.0} %", "")?,
            }
            write!(f, "{:8} latency, µs:", "")?;
            for percent in [50.0, 90.0, 99.0, 99.9] {
                write!(f, " p{percent} {}", route.latency.value_at_percentile(percent) / 1000)?;
            }
            writeln!(f, "; p99 is {:.1} times p50", route.tail())?;
        }
        for route in self.routes.iter().skip(1) {
            let (rounds, least) = self.ratio(route);
            writeln!(f, "{} costs {rounds} times as much, least by least {least:.2}", route.path)?;
        }
        Ok(())
    }
}
