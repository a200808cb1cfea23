//! The table of rules that the arguments ask for.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use mimic_core::{Hint as _, Problem, Rewriter, Rule, RuleList, parse_rules_file, parse_short_form};

use crate::args::{Mirrors, RuleArgs};
use crate::output::Output;

/// The source of the rules given with `--mirror`.
const COMMAND_LINE: &str = "command line";

/// Reads the value of `--mirror`.
pub(crate) fn short_form(text: &str) -> Result<Mirrors, String> {
    let RuleList { rules, problems } = parse_short_form(COMMAND_LINE, text);
    if rules.is_empty() && problems.is_empty() {
        return Err("it names no mirror".into());
    }
    if problems.is_empty() {
        return Ok(Mirrors(rules));
    }
    let sentence = |problem: &Problem| match problem.hint() {
        Some(hint) => format!("{} (hint: {hint})", problem.message()),
        None => problem.message().to_owned(),
    };
    Err(problems.iter().map(sentence).collect::<Vec<_>>().join("; "))
}

/// Rules of one source, with its name.
pub(crate) type Lists = Vec<(String, Arc<[Rule]>)>;

/// Compiles the rules. `None` when one of the files is wrong: a table with holes would give wrong answers. All that is
/// wrong has been reported then.
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

/// Reads the rules. `None` as for [`load`].
pub(crate) fn lists(args: RuleArgs, out: &mut Output) -> Option<Lists> {
    let given: Vec<Rule> = args.mirrors.into_iter().flat_map(|mirrors| mirrors.0).collect();
    let mut lists: Lists = vec![(COMMAND_LINE.into(), given.into())];
    let mut sound = true;
    for path in &args.files {
        let rules = match read(path) {
            Ok(RuleList { rules, problems }) => {
                sound &= problems.is_empty();
                if rules.is_empty() && problems.is_empty() {
                    out.warning(format_args!("{} has no rules", path.display()));
                }
                for problem in problems {
                    out.error(problem.full_message());
                }
                rules
            }
            Err(error) => {
                sound = false;
                out.error(format_args!("{error:#}"));
                continue;
            }
        };
        lists.push((format!("file:{}", path.display()), rules.into()));
    }
    sound.then_some(lists)
}

fn read(path: &Path) -> anyhow::Result<RuleList> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?;
    parse_rules_file(&name, &text).map_err(|problem| anyhow!("{}", problem.full_message()))
}
