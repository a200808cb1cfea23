//! `mimic doctor`

use mimic_harbor::{Finding, FindingLevel, checkup};
use serde::Serialize;

use crate::harbor::{self, HarborArgs};
use crate::output::{Format, Output};

#[derive(Serialize)]
struct Found<'a> {
    verdict: &'a str,
    text: &'a str,
    hint: Option<&'a str>,
}

/// `mimic doctor harbor`
pub(crate) fn harbor(args: &HarborArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(settings) = args.settings()? else { return Ok(()) };
    for Finding { level, text, hint } in checkup(&settings, &harbor::discover(&settings)?) {
        if level == FindingLevel::Problem {
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
            Format::Json => out.json(&Found { verdict, text: &text, hint: hint.as_deref() })?,
        }
    }
    Ok(())
}
