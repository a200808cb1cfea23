//! Waiting for conditions, with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take: far longer than any does, so that a slow machine fails no test.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// Between two looks at a condition that cannot wake its waiter.
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks until the answer is yes.
///
/// # Errors
/// What the condition says, or that `what` has not happened in a minute.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    eventually_some(what, async || Ok(condition().await?.then_some(()))).await
}

/// Asks until there is something, and returns it.
///
/// # Errors
/// What the condition says, or that `what` has not happened in a minute.
pub async fn eventually_some<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        if Instant::now() > end {
            bail!("waited {} s for this in vain: {what}", DEADLINE.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
