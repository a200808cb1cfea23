//! Rules on one line: `upstream=mirror,upstream=mirror`.

use crate::list_builder::ListBuilder;
use crate::problem::Problem;
use crate::rule::Rule;
use crate::rule_list::RuleList;
use crate::text::without_mark;

/// Parses rules on one line, as in `docker.io=harbor.example.com/dockerhub,quay.io=…`. `origin` names the text in
/// problems.
///
/// Empty entries, a byte order mark, and white space around entries are ignored. An invalid entry is skipped and reported.
///
/// ```
/// let list = mimic_core::parse_short_form("MIRRORS", "docker.io=harbor.example.com/dockerhub, quay.io");
/// assert_eq!(list.rules.len(), 1);
/// assert_eq!(list.problems[0].to_string(), "MIRRORS: entry `quay.io` has no `=`");
/// ```
pub fn parse_short_form(origin: &str, text: &str) -> RuleList {
    let mut list = ListBuilder::default();
    for entry in without_mark(text).split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        let Some((upstream, location)) = entry.split_once('=') else {
            list.problem(
                Problem::new(origin, format!("entry `{entry}` has no `=`"))
                    .with_hint("an entry is `upstream=mirror`, as in `docker.io=harbor.example.com/dockerhub`"),
            );
            continue;
        };
        let rule = Rule::mirror(upstream.trim(), location.trim());
        list.add(rule.map_err(|error| Problem::from_error(origin, &error)), |message| Problem::new(origin, message));
        if list.is_full() {
            break;
        }
    }
    list.finish()
}
