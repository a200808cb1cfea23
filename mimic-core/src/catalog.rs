//! The lists of all sources, merged into one table that requests use.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::rewriter::Rewriter;
use crate::rule::Rule;

/// Keeps the last good list of every source and publishes the table made of all of them.
///
/// Readers never wait: a new table is swapped in at once, and whoever holds a [`Snapshot`] keeps the old one. Writers
/// take turns, and compile on their own thread.
///
/// ```
/// use mimic_core::{Catalog, Context, Rule};
///
/// let catalog = Catalog::new(["file", "harbor"]);
/// catalog.publish("harbor", vec![Rule::mirror("quay.io", "harbor.example.com/quay")?]);
/// let outcome = catalog.rewriter().rewrite("quay.io/a/b", &Context::default()).rewritten().map(str::to_owned);
/// assert_eq!(outcome.as_deref(), Some("harbor.example.com/quay/a/b"));
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
pub struct Catalog {
    published: ArcSwap<Rewriter>,
    state: Mutex<State>,
}

struct State {
    sources: Vec<Source>,
    listeners: Vec<Arc<Listener>>,
}

type Listener = dyn Fn(&Rewriter) + Send + Sync;

struct Source {
    name: Box<str>,
    /// `None` until the first list.
    rules: Option<Arc<[Rule]>>,
    failures: u64,
    last_error: Option<String>,
}

/// A table, held for the time of one decision or one pod.
pub struct Snapshot(Guard<Arc<Rewriter>>);

impl Deref for Snapshot {
    type Target = Rewriter;

    fn deref(&self) -> &Rewriter {
        &self.0
    }
}

/// How a source is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Name of the source.
    pub name: String,
    /// Number of rules in its last good list; `None` when it never had one.
    pub rules: Option<usize>,
    /// Failures since the last good list.
    pub failures: u64,
    /// What the last of them said.
    pub last_error: Option<String>,
}

impl Catalog {
    /// A catalog of the named sources, in order of precedence. Sources without a list yet count as empty.
    pub fn new(sources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let sources = sources
            .into_iter()
            .map(|name| Source { name: name.into().into(), rules: None, failures: 0, last_error: None })
            .collect();
        let state = State { sources, listeners: Vec::new() };
        Self { published: ArcSwap::from_pointee(Rewriter::empty()), state: Mutex::new(state) }
    }

    /// Takes a source's whole new list, compiles all lists and publishes the table. False when the catalog has no
    /// source of that name.
    ///
    /// Costs time in proportion to the number of all rules; not for a request thread.
    pub fn publish(&self, source: &str, rules: Vec<Rule>) -> bool {
        let mut state = self.state();
        let Some(entry) = state.sources.iter_mut().find(|entry| &*entry.name == source) else { return false };
        entry.rules = Some(rules.into());
        entry.failures = 0;
        entry.last_error = None;
        let lists = state.sources.iter().filter_map(|source| Some((&*source.name, source.rules.clone()?)));
        let rewriter = Arc::new(Rewriter::new(lists));
        rewriter.carry_over_uses(&self.published.load());
        self.published.store(Arc::clone(&rewriter));
        let listeners = state.listeners.clone();
        drop(state);
        for listener in listeners {
            listener(&rewriter);
        }
        true
    }

    /// Notes that a source failed; its last list stays. False when the catalog has no source of that name.
    pub fn fail(&self, source: &str, error: &str) -> bool {
        let mut state = self.state();
        let Some(entry) = state.sources.iter_mut().find(|entry| &*entry.name == source) else { return false };
        entry.failures += 1;
        entry.last_error = Some(error.to_owned());
        true
    }

    /// The table of this moment, without waiting.
    pub fn rewriter(&self) -> Snapshot {
        Snapshot(self.published.load())
    }

    /// How every source is doing, in order of precedence.
    pub fn status(&self) -> Vec<SourceStatus> {
        let status = |source: &Source| SourceStatus {
            name: source.name.to_string(),
            rules: source.rules.as_ref().map(|rules| rules.len()),
            failures: source.failures,
            last_error: source.last_error.clone(),
        };
        self.state().sources.iter().map(status).collect()
    }

    /// Has `listener` called with every table published from now on, on the thread that published it.
    pub fn subscribe(&self, listener: impl Fn(&Rewriter) + Send + Sync + 'static) {
        self.state().listeners.push(Arc::new(listener));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole between any two statements, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("sources", &self.status()).finish_non_exhaustive()
    }
}
