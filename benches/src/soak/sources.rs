//! The server's sources: one whose rules change, and one that fails every other time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use mimic_core::{MirrorSource, Rule, RuleList, SourceError, SourceErrorKind, async_trait};

use super::expected::{VERSIONS, rules};

/// Time between two changes of the rules.
const CHANGE: Duration = Duration::from_millis(100);

/// Time between two loads of the source that fails.
const FLAP: Duration = Duration::from_millis(250);

/// The sources.
pub(crate) fn sources() -> Result<[Arc<dyn MirrorSource>; 2]> {
    let versions = (0..VERSIONS).map(rules).collect::<Result<_>>()?;
    let flapping = vec![Rule::mirror("flapping.example.org", "harbor.example.com/flapping")?];
    Ok([
        Arc::new(Changing { versions, loads: AtomicUsize::new(0) }),
        Arc::new(Flapping { rules: flapping, loads: AtomicUsize::new(0) }),
    ])
}

struct Changing {
    versions: Vec<Vec<Rule>>,
    loads: AtomicUsize,
}

#[async_trait]
impl MirrorSource for Changing {
    fn name(&self) -> &'static str {
        "changing"
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(RuleList { rules: self.versions[load % self.versions.len()].clone(), problems: Vec::new() })
    }

    async fn changed(&self) {
        tokio::time::sleep(CHANGE).await;
    }
}

struct Flapping {
    rules: Vec<Rule>,
    loads: AtomicUsize,
}

#[async_trait]
impl MirrorSource for Flapping {
    fn name(&self) -> &'static str {
        "flapping"
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        match self.loads.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => Ok(RuleList { rules: self.rules.clone(), problems: Vec::new() }),
            // A list that becomes empty is a change of every rule.
            2 => Ok(RuleList::default()),
            _ => Err(SourceError::new(SourceErrorKind::Unavailable, "fails every other time")),
        }
    }

    async fn changed(&self) {
        tokio::time::sleep(FLAP).await;
    }
}
