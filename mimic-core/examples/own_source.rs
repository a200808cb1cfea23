//! Implements a source of rules and keeps its list in a catalog.
//!
//! A real source would ask a database or an API. This one counts its loads and fails the second one.

#![expect(clippy::print_stdout, reason = "the example prints its results")]

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};

use mimic_core::{
    Catalog, Context, Hint as _, MirrorSource, Rule, RuleList, SourceError, SourceErrorKind, async_trait,
};

struct Inventory {
    loads: AtomicU32,
}

#[async_trait]
impl MirrorSource for Inventory {
    fn name(&self) -> &'static str {
        "inventory"
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        if load == 1 {
            return Err(SourceError::new(SourceErrorKind::Unavailable, "cannot reach the inventory")
                .with_hint("check its address"));
        }
        let rule = Rule::mirror("docker.io", &format!("mirror{load}.example.com/hub"));
        let rule = rule.map_err(|error| SourceError::from_error(SourceErrorKind::Invalid, error))?;
        Ok(RuleList { rules: vec![rule], problems: Vec::new() })
    }
}

fn main() {
    let source = Inventory { loads: AtomicU32::new(0) };
    let catalog = Catalog::new([source.name()]);
    for _ in 0..3 {
        match block_on(source.load()) {
            Ok(list) => {
                for problem in &list.problems {
                    println!("skipped: {}", problem.full_message());
                }
                for warning in catalog.publish(source.name(), list.rules) {
                    println!("warning: {warning}");
                }
            }
            Err(error) => {
                println!("failed: {}", error.full_message());
                catalog.fail(source.name(), error.to_string());
            }
        }
        println!("nginx: {}", catalog.rewriter().rewrite("nginx", &Context::default()));
    }
}

/// Polls a future that is always ready. A program with a runtime awaits it instead.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            return output;
        }
    }
}
