//! `mimic explain`

use serde::Serialize;

use crate::args::{Format, RewriteArgs};
use crate::output::Output;
use crate::rewrite::{Why, problem};
use crate::{input, rules};

#[derive(Serialize)]
struct Explained<'a> {
    /// `None` for a line that is no text.
    input: Option<&'a str>,
    /// The last one is the result.
    steps: Vec<String>,
    /// `None` for a line that is no text.
    output: Option<&'a str>,
    #[serde(flatten)]
    why: Why<'a>,
}

pub(crate) fn run(args: RewriteArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(rewriter) = rules::load(args.rules, out) else { return Ok(()) };
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
                        let steps = vec![error.to_string()];
                        out.json(&Explained { input: None, steps, output: None, why: Why::unreadable() })
                    }
                };
            }
        };
        let mut explanation = rewriter.explain(image, &context);
        if let Some(problem) = problem(image, &explanation.outcome) {
            input.error(out, problem);
        }
        match out.format() {
            Format::Text => {
                out.text(explanation);
                Ok(())
            }
            Format::Json => {
                let mut steps = std::mem::take(&mut explanation.steps);
                steps.push(explanation.outcome.to_string());
                let output = explanation.outcome.rewritten().unwrap_or(image);
                let why = Why::new(&explanation.outcome);
                out.json(&Explained { input: Some(image), steps, output: Some(output), why })
            }
        }
    })
}
