//! Loads the rules that the arguments name.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use mimic_core::internal::text::decode;
use mimic_core::{Hint as _, Problem, Rewriter, Rule, RuleList};
use mimic_k8s::mirrors::parse_document_or_values;

use crate::args::{COMMAND_LINE, RuleArgs, STDIN, no_rules};
use crate::harbor::{Discovered, HarborArgs};
use crate::output::Output;

/// Rules of one source, with its name.
pub(crate) type Lists = Vec<(String, Arc<[Rule]>)>;

/// Loads and compiles the rules. `None` if a file or a Harbor has an error: an incomplete list would give wrong results.
/// The errors have been reported.
///
/// # Errors
/// If there are no rules, or a Harbor cannot be queried.
pub(crate) fn load(args: RuleArgs, harbor: &HarborArgs, out: &mut Output) -> anyhow::Result<Option<Rewriter>> {
    let Some((lists, harbors)) = discover(args, harbor, out)? else { return Ok(None) };
    for discovered in &harbors {
        // An error has been reported.
        let Ok(report) = &discovered.report else { return Ok(None) };
        for warning in report.warnings() {
            out.warning(harbor.named(&warning.full_message().to_string()));
        }
    }
    let rewriter = compile(&lists);
    for warning in rewriter.warnings() {
        out.warning(warning);
    }
    Ok(Some(rewriter))
}

/// Loads the rules of the arguments, of files and of Harbors, in this order of precedence. Also returns what the Harbors
/// mirror. `None` as for [`load`], except if only a Harbor has an error.
///
/// The Harbors of the server's configuration are used if an option of [`HarborArgs`] is given, or no other rules are.
///
/// # Errors
/// As for [`load`].
pub(crate) fn discover(
    args: RuleArgs,
    harbor: &HarborArgs,
    out: &mut Output,
) -> anyhow::Result<Option<(Lists, Vec<Discovered>)>> {
    let is_given = args.is_given();
    let Some(mut lists) = lists(args, out) else { return Ok(None) };
    if is_given && !harbor.is_given() {
        return Ok(Some((lists, Vec::new())));
    }
    let Some(harbors) = harbor.discover(out)? else { return Ok(None) };
    if !is_given && harbors.is_empty() {
        return Err(no_rules().into());
    }
    for discovered in &harbors {
        match &discovered.report {
            Ok(report) => {
                lists.push((discovered.source.clone(), report.rule_list().rules.into()));
                for problem in report.problems() {
                    out.error(harbor.named(&problem.full_message().to_string()));
                }
            }
            Err(error) => out.error(harbor.named(&error.full_message().to_string())),
        }
    }
    Ok(Some((lists, harbors)))
}

/// Compiles lists of rules, in order of precedence.
pub(crate) fn compile(lists: &Lists) -> Rewriter {
    Rewriter::new(lists.iter().map(|(name, rules)| (name.as_str(), Arc::clone(rules))))
}

/// Loads the rules of the arguments and of files. `None` as for [`load`].
fn lists(args: RuleArgs, out: &mut Output) -> Option<Lists> {
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
