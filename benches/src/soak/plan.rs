//! What a run does.

use std::time::Duration;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The review that is sent.
    pub review: &'static [u8],
    /// How long.
    pub duration: Duration,
    /// Requests per second; `None` for 70 % of what the server can do, which is measured first.
    pub rate: Option<f64>,
    /// Idle connections.
    pub idle: usize,
}
