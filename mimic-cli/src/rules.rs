//! Loads the rules that the arguments name.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use mimic_core::{Hint as _, Rewriter, Rule, RuleList, parse_rules_file};

use crate::args::{COMMAND_LINE, RuleArgs};
use crate::output::Output;

/// Rules of one source, with its name.
pub(crate) type Lists = Vec<(String, Arc<[Rule]>)>;

/// Loads and compiles the rules. `None` if a file has an error: an incomplete list would give wrong results. The errors
/// have been reported.
pub(crate) fn load(args: RuleArgs, out: &mut Output) -> Option<Rewriter> {
    let rewriter = compile(&lists(args, out)?);
    for warning in rewriter.warnings() {
        out.warning(warning);
    }
    Some(rewriter)
}

/// Compiles lists of rules, in order of precedence.
pub(crate) fn compile(lists: &Lists) -> Rewriter {
    Rewriter::new(lists.iter().map(|(name, rules)| (name.as_str(), Arc::clone(rules))))
}

/// Loads the rules. `None` as for [`load`].
pub(crate) fn lists(args: RuleArgs, out: &mut Output) -> Option<Lists> {
    let given: Vec<Rule> = args.mirrors.into_iter().flat_map(|mirrors| mirrors.0).collect();
    let mut lists: Lists = vec![(COMMAND_LINE.into(), given.into())];
    let mut valid = true;
    for path in &args.files {
        let rules = match read(path) {
            Ok(RuleList { rules, problems }) => {
                valid &= problems.is_empty();
                if rules.is_empty() && problems.is_empty() {
                    out.warning(format_args!("`{}` has no rules", path.display()));
                }
                for problem in problems {
                    out.error(problem.full_message());
                }
                rules
            }
            Err(error) => {
                valid = false;
                out.error(format_args!("{error:#}"));
                continue;
            }
        };
        lists.push((format!("file:{}", path.display()), rules.into()));
    }
    valid.then_some(lists)
}

fn read(path: &Path) -> anyhow::Result<RuleList> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?;
    parse_rules_file(&name, &text).map_err(|problem| anyhow!("{}", problem.full_message()))
}
