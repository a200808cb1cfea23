//! `mimic explain`. The texts of the steps are in `mimic-core/src/explain.rs`.

use serde::Serialize;

use crate::args::RewriteArgs;
use crate::output::{Format, Output};
use crate::rewrite::{Why, problem};
use crate::{input, rules};

#[derive(Serialize)]
struct Explained<'a> {
    /// `None` for a line that is not a string.
    input: Option<&'a str>,
    /// The last one is the result.
    steps: Vec<Step>,
    /// `None` for a line that is not a string.
    output: Option<&'a str>,
    #[serde(flatten)]
    why: Why<'a>,
}

/// The kind of the last step, which is the result.
const OUTCOME: &str = "outcome";

#[derive(Serialize)]
struct Step {
    /// [`mimic_core::Step::kind`], or [`OUTCOME`] for the last step.
    kind: &'static str,
    text: String,
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
                    Format::Text => Ok(()),
                    Format::Json => {
                        let steps = vec![Step { kind: OUTCOME, text: error.to_string() }];
                        out.json(&Explained { input: None, steps, output: None, why: Why::unreadable() })
                    }
                };
            }
        };
        let explanation = rewriter.explain(image, &context);
        if let Some(problem) = problem(image, &explanation.outcome) {
            input.error(out, problem);
        }
        match out.format() {
            Format::Text => {
                out.text(explanation);
                Ok(())
            }
            Format::Json => {
                let step = |step: &mimic_core::Step<'_>| Step { kind: step.kind(), text: step.to_string() };
                let mut steps: Vec<Step> = explanation.steps.iter().map(step).collect();
                steps.push(Step { kind: OUTCOME, text: explanation.outcome.to_string() });
                let output = explanation.outcome.rewritten().unwrap_or(image);
                let why = Why::new(&explanation.outcome);
                out.json(&Explained { input: Some(image), steps, output: Some(output), why })
            }
        }
    })
}
