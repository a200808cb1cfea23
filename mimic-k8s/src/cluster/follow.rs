//! One object, followed by its name. `docs/decisions/0008-watching-objects.md` says why it is done this way.

use std::fmt::{self, Debug};
use std::time::Duration;

use backon::ExponentialBuilder;
use futures_util::stream::{BoxStream, StreamExt as _};
use kube::runtime::utils::{Backoff as _, ResetTimerBackoff};
use kube::runtime::watcher::{self, Event, ExponentialBackoff, watcher};
use kube::{Api, Resource};
use tokio::time::Instant;

use super::error::{ClusterError, ClusterErrorKind};

/// Length of one watch, in seconds, after which the API server ends it and `kube` asks for the next. A watch of which
/// nothing is heard for five seconds longer has broken without a word, and is asked for anew as well.
const WATCH: u32 = 45;

/// The shortest and the longest pause after a failure; each is up to twice as long, so that replicas do not ask in step.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How long a watch has to hold, after a failure, before an object that did not change meanwhile is taken as a sign of
/// recovery. Lists may succeed where watches do not.
const SETTLED: Duration = Duration::from_secs(2);

/// After so long without one, a failure counts as the first.
const CALM: Duration = Duration::from_mins(1);

/// One object, followed for good: through changes, deletion, failures of the API server and of the way to it.
///
/// Asks for that object alone, by field selector: the permissions `list` and `watch` limited to its name suffice.
pub struct Follower<K> {
    api: Api<K>,
    name: String,
    events: Option<BoxStream<'static, watcher::Result<Event<K>>>>,
    /// Whether the object was among those listed.
    listed: bool,
    /// The version of what was handed out last.
    known: Option<String>,
    /// Whether the last thing handed out was an error.
    failing: bool,
    /// When a watch last ended because its version had expired.
    expired: Option<Instant>,
    /// An unchanged object read after a failure, and when it counts.
    unsettled: Option<(Instant, Option<K>)>,
    backoff: ResetTimerBackoff<ExponentialBackoff>,
    resume: Option<Instant>,
}

impl<K> Follower<K>
where
    K: Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    /// Follows the object of this name. Nothing is asked before the first [`Follower::next`].
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

    /// At first the object as it is now, or `None` when there is none; then the same for every change. Never ends.
    ///
    /// After an error the next call waits for a while, longer after each failure in a row, and tries again. The first
    /// `Ok` after an error says that all is well again, whether the object has changed or not.
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    ///
    /// # Errors
    /// [`ClusterError`], once for every attempt that failed.
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
                return Ok(self.hand_out(object));
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
                // The stream has no end; without one there is nothing to wait for.
                None => {
                    self.events = None;
                    continue;
                }
            };
            if self.known.as_deref() != Some(version(object.as_ref())) {
                return Ok(self.hand_out(object));
            }
            if self.failing {
                // It has to prove first that the failure is over.
                self.unsettled = Some((Instant::now() + SETTLED, object));
            }
        }
    }

    fn hand_out(&mut self, object: Option<K>) -> Option<K> {
        self.known = Some(version(object.as_ref()).to_owned());
        self.unsettled = None;
        self.failing = false;
        object
    }

    /// Takes note of a failure, and returns it if it is to be told.
    fn fail(&mut self, error: ClusterError) -> Option<ClusterError> {
        // What follows begins with a list, so that its success is seen: `kube` would take up a watch without a word.
        self.events = None;
        self.unsettled = None;
        self.resume = self.backoff.next().map(|pause| Instant::now() + pause);
        // That versions expire is in the nature of watches. Only if it goes on something is wrong.
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

/// The version of an object, which is never empty; that of its absence is.
fn version<K: Resource>(object: Option<&K>) -> &str {
    object.and_then(|object| object.meta().resource_version.as_deref()).unwrap_or_default()
}

impl<K> fmt::Debug for Follower<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("name", &self.name).field("failing", &self.failing).finish_non_exhaustive()
    }
}
