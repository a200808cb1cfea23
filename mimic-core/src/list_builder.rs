//! Lists of rules whose size is bounded, whatever their source contains.

use crate::problem::Problem;
use crate::rule::Rule;
use crate::rule_list::RuleList;

/// Most memory of the rules of one list in bytes, as [`Rule::memory`] estimates it.
const MEMORY: usize = 64 << 20;
/// Most problems listed. A large file can have as many mistakes as lines.
const PROBLEMS: usize = 1_000;

/// Builds a list of bounded size.
#[derive(Debug, Default)]
pub struct ListBuilder {
    list: RuleList,
    /// Memory of the rules in bytes.
    memory: usize,
    is_full: bool,
}

impl ListBuilder {
    /// Builds a part of a list, whose other rules need `used` bytes.
    pub fn after(used: usize) -> Self {
        Self { memory: used, ..Self::default() }
    }

    /// Memory of the rules so far, in bytes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The rules so far.
    pub fn rules(&self) -> &[Rule] {
        &self.list.rules
    }

    /// Whether nothing more is added. Reading on would only take time.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Adds a valid rule or the problem of an entry. `problem` creates one for a rule that does not fit into the memory of
    /// a list.
    pub fn add(&mut self, rule: Result<Rule, Problem>, problem: impl FnOnce(String) -> Problem) {
        match rule {
            Ok(_) if self.is_full => {}
            Ok(rule) if self.memory + rule.memory() <= MEMORY => {
                self.memory += rule.memory();
                self.list.rules.push(rule);
            }
            Ok(_) => {
                let message = format!(
                    "the rules need more than {} MiB of memory; this one and all after it are skipped",
                    MEMORY >> 20
                );
                let hint = "use fewer rules, patterns and globs, or divide them between two files";
                self.problem(problem(message).with_hint(hint));
                self.is_full = true;
            }
            Err(problem) => self.problem(problem),
        }
    }

    /// Adds a problem. After the first thousand the list is full.
    pub fn problem(&mut self, problem: Problem) {
        if self.is_full {
            return;
        }
        self.list.problems.push(problem);
        if let Some(last) = self.list.problems.get(PROBLEMS - 1) {
            let message = format!("{PROBLEMS} invalid entries; everything after them is skipped");
            let last = Problem::new(last.origin(), message).at_line(last.line()).with_hint("correct those before");
            self.list.problems.push(last);
            self.is_full = true;
        }
    }

    /// The list.
    pub fn finish(self) -> RuleList {
        self.list
    }
}
