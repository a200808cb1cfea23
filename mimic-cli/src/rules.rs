//! Loads the rules that the arguments name.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use mimic_core::internal::text::decode;
use mimic_core::{Hint as _, Problem, Rewriter, Rule, RuleList};
use mimic_k8s::mirrors::parse_document_or_values;

use crate::args::{COMMAND_LINE, RuleArgs, STDIN};
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
                    out.warning(format_args!("`{}` has no rules", shown(path)));
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
        let source = if path == Path::new(STDIN) { shown(path) } else { format!("file:{}", shown(path)) };
        lists.push((source, rules.into()));
    }
    valid.then_some(lists)
}

/// The name of a file in messages.
fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

fn read(path: &Path) -> anyhow::Result<RuleList> {
    let name = shown(path);
    let bytes = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.with_context(|| format!("cannot read `{name}`"))?;
    decode(&bytes)
        .map_err(|error| Problem::from_error(&name, &error))
        .and_then(|text| parse_document_or_values(&name, text))
        .map_err(|problem| anyhow!("{}", problem.full_message()))
}
