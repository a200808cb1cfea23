//! Watching one object. `docs/decisions/0008-watching-objects.md` explains the design.

use std::fmt::{self, Debug};
use std::time::Duration;

use backon::ExponentialBuilder;
use futures_util::stream::{BoxStream, StreamExt as _};
use kube::runtime::utils::{Backoff as _, ResetTimerBackoff};
use kube::runtime::watcher::{self, Event, ExponentialBackoff, watcher};
use kube::{Api, Resource};
use tokio::time::Instant;

use super::error::{ClusterError, ClusterErrorKind};

/// Duration of one watch request, in seconds. The API server then ends it, and `kube` starts the next. If nothing arrives
/// for five seconds longer, the connection is broken, and `kube` also starts the next.
const WATCH: u32 = 45;

/// The shortest and the longest pause after a failure. Jitter makes each up to twice as long, so that replicas do not retry
/// at the same time.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// After a failure, a watch must be stable for this long before an unchanged object counts as recovery. Lists can succeed
/// while watches fail.
const SETTLED: Duration = Duration::from_secs(2);

/// After this long without a failure, the pauses start at the shortest again.
const CALM: Duration = Duration::from_mins(1);

/// A permanent watch of one object, across changes, deletion, and failures of the API server or the network.
///
/// The requests select the object by its name, so the permissions `list` and `watch` can be limited to that name.
pub struct ObjectWatch<K> {
    api: Api<K>,
    name: String,
    events: Option<BoxStream<'static, watcher::Result<Event<K>>>>,
    /// Whether the current list has the object.
    listed: bool,
    /// The version of the object that was returned last.
    known: Option<String>,
    /// Whether the last result was an error.
    failing: bool,
    /// When a watch last ended because its version had expired.
    expired: Option<Instant>,
    /// An unchanged object that was read after a failure, and when it counts as recovery.
    unsettled: Option<(Instant, Option<K>)>,
    backoff: ResetTimerBackoff<ExponentialBackoff>,
    resume: Option<Instant>,
}

impl<K> ObjectWatch<K>
where
    K: Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    /// Watches the object of this name. Sends no request before the first [`ObjectWatch::next`].
    pub fn new(api: Api<K>, name: &str) -> Self {
        let (shortest, longest) = PAUSE;
        let backoff = ExponentialBuilder::default()
            .with_min_delay(shortest)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter();
        Self {
            api,
            name: name.to_owned(),
            events: None,
            listed: false,
            known: None,
            failing: false,
            expired: None,
            unsettled: None,
            backoff: ResetTimerBackoff::new(backoff.into(), CALM),
            resume: None,
        }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the object, or `None` if it does not exist: first the current state, then the state after each change.
    /// Never ends.
    ///
    /// After an error, the next call waits before it tries again. The pause gets longer with each consecutive failure. The
    /// first `Ok` after an error means that the watch works again. The object may be unchanged.
    ///
    /// Dropping the future before it is ready loses nothing.
    ///
    /// # Errors
    /// [`ClusterError`], once for each failed attempt.
    pub async fn next(&mut self) -> Result<Option<K>, ClusterError> {
        loop {
            if let Some(resume) = self.resume {
                tokio::time::sleep_until(resume).await;
                self.resume = None;
            }
            let events = self.events.get_or_insert_with(|| {
                let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name)).timeout(WATCH);
                watcher(self.api.clone(), config).boxed()
            });
            let next = match &self.unsettled {
                None => Ok(events.next().await),
                Some((at, _)) => tokio::time::timeout_at(*at, events.next()).await,
            };
            let Ok(event) = next else {
                let object = self.unsettled.take().and_then(|(_, object)| object);
                self.backoff.reset();
                return Ok(self.deliver(object));
            };
            let object = match event {
                Some(Ok(Event::Init)) => {
                    self.listed = false;
                    continue;
                }
                Some(Ok(Event::InitApply(object))) => {
                    self.listed = true;
                    Some(object)
                }
                Some(Ok(Event::Apply(object))) => Some(object),
                Some(Ok(Event::InitDone)) if self.listed => continue,
                Some(Ok(Event::InitDone | Event::Delete(_))) => None,
                Some(Err(error)) => match self.fail(error.into()) {
                    Some(error) => return Err(error),
                    None => continue,
                },
                // `kube` never ends the stream. If it did, the next iteration would start another.
                None => {
                    self.events = None;
                    continue;
                }
            };
            if self.known.as_deref() != Some(version(object.as_ref())) {
                return Ok(self.deliver(object));
            }
            if self.failing {
                // The watch must be stable for a while before this counts as recovery.
                self.unsettled = Some((Instant::now() + SETTLED, object));
            }
        }
    }

    fn deliver(&mut self, object: Option<K>) -> Option<K> {
        self.known = Some(version(object.as_ref()).to_owned());
        self.unsettled = None;
        self.failing = false;
        object
    }

    /// Handles a failure. Returns the error if the caller must handle it.
    fn fail(&mut self, error: ClusterError) -> Option<ClusterError> {
        // The next attempt starts with a list, because a success must be visible: `kube` resumes a watch without an event.
        self.events = None;
        self.unsettled = None;
        self.resume = self.backoff.next().map(|pause| Instant::now() + pause);
        // Versions expire in normal operation. Only repeated expiry is an error.
        if error.kind() == ClusterErrorKind::Expired && !self.failing {
            let before = self.expired.replace(Instant::now());
            if before.is_none_or(|before| before.elapsed() > CALM) {
                return None;
            }
        }
        self.failing = true;
        Some(error)
    }
}

/// The version of an object, which is never empty. An absent object has the empty version.
fn version<K: Resource>(object: Option<&K>) -> &str {
    object.and_then(|object| object.meta().resource_version.as_deref()).unwrap_or_default()
}

impl<K> fmt::Debug for ObjectWatch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectWatch").field("name", &self.name).field("failing", &self.failing).finish_non_exhaustive()
    }
}
