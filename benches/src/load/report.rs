//! What a run showed.

use std::fmt;

use anyhow::Result;

use crate::load::{Route, Turn};

/// What a run showed, to be printed.
#[derive(Debug)]
pub struct Report {
    pub(super) tls: String,
    pub(super) review: usize,
    pub(super) routes: Vec<Route>,
}

/// Least, middle and greatest.
pub(super) struct Spread {
    least: f64,
    pub(super) median: f64,
    greatest: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { least: at(0), median: at(values.len() / 2), greatest: at(values.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.least, self.greatest)
    }
}

impl Report {
    /// Takes in what another run of the same plan showed.
    ///
    /// # Errors
    /// Never, unless latencies are beyond all measure.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        for (route, other) in self.routes.iter_mut().zip(&other.routes) {
            route.turns.extend_from_slice(&other.turns);
            route.latency.add(&other.latency)?;
        }
        Ok(())
    }

    /// The server's processor time per request as a multiple of the first route's: round by round, and the least of the
    /// one by the least of the other. What disturbs the machine only ever adds, so the second is the steadier figure.
    fn ratio(&self, route: &Route) -> (Spread, f64) {
        let limit = self.routes.first().map_or(&[][..], |route| &route.turns);
        let costs = |turns: &[Turn]| Spread::of(turns.iter().map(Turn::cost));
        let rounds = limit.iter().zip(&route.turns).map(|(limit, other)| other.cost() / limit.cost());
        (Spread::of(rounds), costs(&route.turns).least / costs(limit).least)
    }
}

impl Route {
    /// How many times the middle latency one in a hundred takes at least.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few seconds")]
    fn tail(&self) -> f64 {
        let [middle, slow] = [50.0, 99.0].map(|percent| self.latency.value_at_percentile(percent) as f64);
        slow / middle
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
            "{}; reviews of {} bytes; every answer was right; median of {rounds} rounds (least to greatest)",
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
