//! Waiting for conditions, with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Deadline of a condition: far longer than needed, so that a slow machine fails no test.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// Polling interval.
const INTERVAL: Duration = Duration::from_millis(20);

/// Polls until the condition is true.
///
/// # Errors
/// The error of the condition, or a timeout after a minute that names `what`.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    eventually_some(what, async || Ok(condition().await?.then_some(()))).await
}

/// The same with another deadline, for what takes long by design.
///
/// # Errors
/// The error of the condition, or a timeout.
pub async fn eventually_within(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    poll(what, deadline, async || Ok(condition().await?.then_some(()))).await
}

/// Polls until there is a value, and returns it.
///
/// # Errors
/// The error of the condition, or a timeout after a minute that names `what`.
pub async fn eventually_some<T>(what: &str, condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    poll(what, DEADLINE, condition).await
}

async fn poll<T>(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        if Instant::now() > end {
            bail!("timeout after {} s: {what}", deadline.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
