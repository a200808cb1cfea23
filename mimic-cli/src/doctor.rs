//! `mimic doctor`

use mimic_harbor::{Finding, FindingLevel, checkup};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::output::{Format, Output};

#[derive(Serialize)]
struct Found<'a> {
    /// The source of the Harbor; `None` if there is none.
    source: Option<&'a str>,
    verdict: &'a str,
    text: &'a str,
    hint: Option<&'a str>,
}

const NOTHING: &str = "no Harbor configured";
const NAME_ONE: &str =
    "set `harbor.enabled` and `harbor.api.host` in the server's configuration, or use `--config` or `--harbor`";

pub(crate) fn run(args: &DoctorArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(harbors) = args.harbor.discover(out)? else { return Ok(()) };
    if harbors.is_empty() {
        let level = if args.subject.is_some() { FindingLevel::Problem } else { FindingLevel::Note };
        let nothing = Finding { level, text: NOTHING.to_owned(), hint: Some(NAME_ONE.to_owned()) };
        return print(None, &nothing, out);
    }
    let several = harbors.len() > 1;
    for (number, harbor) in harbors.iter().enumerate() {
        if several && out.format() == Format::Text {
            let gap = if number == 0 { "" } else { "\n" };
            out.text(format_args!("{gap}{}", harbor.source));
        }
        for finding in checkup(&harbor.settings, &harbor.report) {
            let named = |text: String| args.harbor.named(&text);
            let finding = Finding { text: named(finding.text), hint: finding.hint.map(named), ..finding };
            print(Some(&harbor.source), &finding, out)?;
        }
    }
    Ok(())
}

fn print(source: Option<&str>, finding: &Finding, out: &mut Output) -> anyhow::Result<()> {
    let Finding { level, text, hint } = finding;
    if *level == FindingLevel::Problem {
        out.fail();
    }
    let verdict = level.as_str();
    match out.format() {
        Format::Text => {
            out.text(format_args!("{verdict:8} {text}"));
            if let Some(hint) = hint {
                out.text(format_args!("{:8} hint: {hint}", ""));
            }
        }
        Format::Json => out.json(&Found { source, verdict, text, hint: hint.as_deref() })?,
    }
    Ok(())
}
