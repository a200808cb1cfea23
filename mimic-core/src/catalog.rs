//! The lists of all sources, compiled into one rewriter.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::outcome::RuleRef;
use crate::rewriter::Rewriter;
use crate::rule::Rule;
use crate::uses::Uses;
use crate::warning::Warning;

/// Keeps the last good list of every source, and publishes the rewriter compiled from all of them.
///
/// Readers never wait: [`rewriter`](Self::rewriter) and [`status`](Self::status) return at once, also while a list is
/// compiled. A [`Snapshot`] does not change when another list is published. Writers wait for each other, and compile on
/// their own thread.
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
    published: ArcSwap<Published>,
    /// Held while a list is compiled and published. Readers do not need it.
    writer: Mutex<()>,
    /// Never held for long.
    sources: Mutex<Vec<Source>>,
}

#[derive(Clone)]
struct Source {
    name: Arc<str>,
    /// `None` until the first list.
    rules: Option<Arc<[Rule]>>,
    failures: u64,
    last_error: Option<String>,
}

/// A rewriter with a counter for each of its rules.
struct Published {
    rewriter: Rewriter,
    uses: Uses,
}

/// The rewriter of one moment. Hold it for one decision or one pod; it keeps its rules in memory.
pub struct Snapshot(Guard<Arc<Published>>);

impl Deref for Snapshot {
    type Target = Rewriter;

    fn deref(&self) -> &Rewriter {
        &self.0.rewriter
    }
}

impl Snapshot {
    /// Counts one use of a rule of this snapshot. The rewriter itself counts nothing.
    pub fn note_use(&self, rule: RuleRef<'_>) {
        self.0.uses.note(rule.number);
    }

    /// The rules that were used, and how often since their source first listed them.
    pub fn uses(&self) -> impl Iterator<Item = (RuleRef<'_>, u64)> {
        self.0.used_rules()
    }
}

/// The state of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Name of the source.
    pub name: String,
    /// Number of rules in its last good list; `None` before the first.
    pub rules: Option<usize>,
    /// Number of failures since the last good list.
    pub failures: u64,
    /// Message of the last failure; `None` if there was none since the last good list.
    pub last_error: Option<String>,
}

impl Catalog {
    /// A catalog for the named sources, in order of precedence. A source without a list counts as empty.
    pub fn new(sources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let sources = sources.into_iter().map(|name| Source::new(name.into())).collect();
        let published = Published::new(Rewriter::new([]));
        Self { published: ArcSwap::from_pointee(published), writer: Mutex::new(()), sources: Mutex::new(sources) }
    }

    /// Replaces the whole list of a source, compiles the lists of all sources and publishes the result. Returns the
    /// warnings about the rules of all sources. A source that [`new`](Self::new) does not name is added with the lowest
    /// precedence.
    ///
    /// Time is proportional to the number of all rules: do not call it while a request waits.
    pub fn publish(&self, source: &str, rules: Vec<Rule>) -> Vec<Warning> {
        self.publish_with(source, rules, compile)
    }

    fn publish_with(
        &self,
        source: &str,
        rules: Vec<Rule>,
        compile: impl FnOnce(&[Source]) -> Rewriter,
    ) -> Vec<Warning> {
        let rules: Arc<[Rule]> = rules.into();
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Only writers change a list, so the lists cannot change until they are published.
        let mut sources = self.sources().clone();
        entry(&mut sources, source).rules = Some(Arc::clone(&rules));
        let published = Published::new(compile(&sources));
        published.carry_over_uses(&self.published.load());
        let warnings = published.rewriter.warnings().to_vec();

        let mut sources = self.sources();
        let entry = entry(&mut sources, source);
        entry.rules = Some(rules);
        entry.failures = 0;
        entry.last_error = None;
        let replaced = self.published.swap(Arc::new(published));
        drop(sources);
        // Freeing many rules takes time, so the lock is released first.
        drop(replaced);
        warnings
    }

    /// Notes that a source failed. Its last list stays in use. A source that [`new`](Self::new) does not name is added
    /// with the lowest precedence.
    pub fn fail(&self, source: &str, error: impl Into<String>) {
        let mut sources = self.sources();
        let entry = entry(&mut sources, source);
        entry.failures += 1;
        entry.last_error = Some(error.into());
    }

    /// The current rewriter. Does not wait.
    pub fn rewriter(&self) -> Snapshot {
        Snapshot(self.published.load())
    }

    /// The state of every source, in order of precedence.
    pub fn status(&self) -> Vec<SourceStatus> {
        let status = |source: &Source| SourceStatus {
            name: source.name.to_string(),
            rules: source.rules.as_ref().map(|rules| rules.len()),
            failures: source.failures,
            last_error: source.last_error.clone(),
        };
        self.sources().iter().map(status).collect()
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Source>> {
        // A panic cannot leave the sources inconsistent: no change needs more than one of their fields.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into().into(), rules: None, failures: 0, last_error: None }
    }
}

fn compile(sources: &[Source]) -> Rewriter {
    Rewriter::new(sources.iter().filter_map(|source| Some((&*source.name, source.rules.clone()?))))
}

/// The source of that name, added if there is none.
fn entry<'s>(sources: &'s mut Vec<Source>, name: &str) -> &'s mut Source {
    let index = sources.iter().position(|source| &*source.name == name).unwrap_or_else(|| {
        sources.push(Source::new(name));
        sources.len() - 1
    });
    &mut sources[index]
}

impl Published {
    fn new(rewriter: Rewriter) -> Self {
        let uses = Uses::new(rewriter.len());
        Self { rewriter, uses }
    }

    fn used_rules(&self) -> impl Iterator<Item = (RuleRef<'_>, u64)> {
        self.rewriter.rules().map(|rule| (rule, self.uses.of(rule.number))).filter(|(_, uses)| *uses > 0)
    }

    /// Continues the counts of an earlier rewriter, for rules with the same source and name.
    fn carry_over_uses(&self, earlier: &Self) {
        let mut known: HashMap<_, u64> = HashMap::new();
        for (rule, uses) in earlier.used_rules() {
            *known.entry((rule.source, rule.rule.name())).or_default() += uses;
        }
        if known.is_empty() {
            return;
        }
        for rule in self.rewriter.rules() {
            // If several rules have the same name, the first continues the count of all.
            if let Some(uses) = known.remove(&(rule.source, rule.rule.name())) {
                self.uses.set(rule.number, uses);
            }
        }
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("sources", &self.status()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};

    use super::*;

    fn rules(upstream: &str, location: &str) -> Vec<Rule> {
        vec![Rule::mirror(upstream, location).expect("the rule is valid")]
    }

    fn rule_counts(catalog: &Catalog) -> Vec<Option<usize>> {
        catalog.status().iter().map(|source| source.rules).collect()
    }

    #[test]
    fn readers_do_not_wait_for_a_compile() {
        let catalog = Catalog::new(["a", "b"]);
        catalog.publish("a", rules("docker.io", "m.example.com/hub"));
        catalog.publish_with("b", rules("quay.io", "m.example.com/quay"), |sources| {
            // The compile is in progress. If it held the lock, a reader on this thread could never get it.
            assert!(catalog.sources.try_lock().is_ok(), "readers would wait for the compile");
            assert_eq!(rule_counts(&catalog), [Some(1), None], "a list counts only once it is published");
            assert_eq!(catalog.rewriter().len(), 1);
            catalog.fail("a", "unavailable");
            compile(sources)
        });
        assert_eq!(rule_counts(&catalog), [Some(1), Some(1)]);
        assert_eq!(catalog.rewriter().len(), 2);
        assert_eq!(catalog.status()[0].failures, 1, "a failure during a compile is not lost");
    }

    #[test]
    fn a_list_that_arrives_during_a_compile_is_published_with_the_one_that_is_compiled() {
        let catalog = Catalog::new(["a", "b"]);
        let (arrived, second) = mpsc::channel();
        std::thread::scope(|scope| {
            catalog.publish_with("a", rules("docker.io", "m.example.com/hub"), |sources| {
                let catalog = &catalog;
                scope.spawn(move || {
                    arrived.send(()).expect("the first publisher waits");
                    catalog.publish("b", rules("quay.io", "m.example.com/quay"));
                });
                second.recv().expect("the second publisher starts");
                assert!(catalog.writer.try_lock().is_err(), "the second publisher waits for the first");
                compile(sources)
            });
        });
        assert_eq!(catalog.rewriter().len(), 2);
        assert_eq!(rule_counts(&catalog), [Some(1), Some(1)]);
    }

    #[test]
    fn concurrent_publishers_lose_no_list() {
        const PUBLISHERS: usize = 4;
        for _ in 0..50 {
            let names: Vec<String> = (0..PUBLISHERS).map(|number| format!("source{number}")).collect();
            let catalog = Catalog::new(&names);
            let start = Barrier::new(PUBLISHERS);
            std::thread::scope(|scope| {
                for name in &names {
                    let (start, catalog) = (&start, &catalog);
                    scope.spawn(move || {
                        start.wait();
                        catalog.publish(name, rules(&format!("{name}.example.com"), "m.example.com/a"));
                    });
                }
            });
            assert_eq!(catalog.rewriter().len(), PUBLISHERS);
            assert_eq!(rule_counts(&catalog), [Some(1); PUBLISHERS]);
        }
    }
}
