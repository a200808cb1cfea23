//! `mimic doctor`

use mimic_harbor::{Finding, Verdict, checkup};
use serde::Serialize;

use crate::args::Format;
use crate::harbor::{self, HarborArgs};
use crate::output::Output;

#[derive(Serialize)]
struct Found<'a> {
    verdict: &'a str,
    text: &'a str,
    hint: Option<&'a str>,
}

/// `mimic doctor harbor`
pub(crate) fn harbor(args: &HarborArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(settings) = args.settings()? else { return Ok(()) };
    for Finding { verdict, text, hint } in checkup(&settings, &harbor::ask(&settings)?) {
        let verdict = match verdict {
            Verdict::Bad => {
                out.fail();
                verdict.as_str()
            }
            Verdict::Good | Verdict::Note => verdict.as_str(),
        };
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
