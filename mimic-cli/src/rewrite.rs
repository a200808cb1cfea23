//! `mimic rewrite`

use mimic_core::{Outcome, Reason};
use serde::Serialize;

use crate::args::RewriteArgs;
use crate::output::{Format, Output};
use crate::{input, rules};

#[derive(Serialize)]
struct Rewritten<'a> {
    /// `None` for a line that is not a string.
    input: Option<&'a str>,
    /// `None` for a line that is not a string.
    output: Option<&'a str>,
    #[serde(flatten)]
    why: Why<'a>,
}

/// The outcome for an image, and why.
#[derive(Serialize)]
pub(crate) struct Why<'a> {
    outcome: &'a str,
    reason: &'a str,
    rule: Option<&'a str>,
    source: Option<&'a str>,
}

impl<'a> Why<'a> {
    pub(crate) fn new(outcome: &'a Outcome<'a>) -> Self {
        let rule = outcome.rule();
        Self {
            outcome: outcome.as_str(),
            reason: outcome.reason().as_str(),
            rule: rule.map(|rule| rule.rule.name()),
            source: rule.map(|rule| rule.source),
        }
    }

    /// For a line that is not a string.
    pub(crate) fn unreadable() -> Self {
        Self { outcome: "invalid", reason: "invalid_reference", rule: None, source: None }
    }
}

/// The error in an image, if there is one.
pub(crate) fn problem(image: &str, outcome: &Outcome<'_>) -> Option<String> {
    match outcome {
        Outcome::Invalid(error) => Some(error.to_string()),
        Outcome::Unchanged(Reason::InvalidResult { .. }) => Some(format!("`{image}` {outcome}")),
        _ => None,
    }
}

pub(crate) fn run(args: RewriteArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(rewriter) = rules::load(args.rules, &args.harbor, out)? else { return Ok(()) };
    let labels = args.pod.labels();
    let context = args.pod.context(&labels);
    input::for_each(&args.images, out, |input, out| {
        let image = match input.text {
            Ok(image) => image,
            Err(error) => {
                input.error(out, error);
                return match out.format() {
                    Format::Text => {
                        out.line(error.bytes());
                        Ok(())
                    }
                    Format::Json => out.json(&Rewritten { input: None, output: None, why: Why::unreadable() }),
                };
            }
        };
        let outcome = rewriter.rewrite(image, &context);
        if let Some(problem) = problem(image, &outcome) {
            input.error(out, problem);
        }
        let output = outcome.rewritten().unwrap_or(image);
        match out.format() {
            Format::Text => {
                out.line(output.as_bytes());
                Ok(())
            }
            Format::Json => out.json(&Rewritten { input: Some(image), output: Some(output), why: Why::new(&outcome) }),
        }
    })
}
