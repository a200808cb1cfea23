//! `mimic policy`

use mimic_core::Hint as _;
use mimic_core::internal::Globs;
use mimic_k8s::policy::{PolicySettings, compile};

use crate::args::PolicyArgs;
use crate::output::{Format, Output};
use crate::{rules, yaml};

pub(crate) fn run(args: PolicyArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(rewriter) = rules::load(args.rules, &args.harbor, out)? else { return Ok(()) };
    let excluded = args.excluded_namespaces.iter().chain([&args.namespace]).filter(|glob| !glob.is_empty());
    let settings =
        PolicySettings { name: args.name, annotate: !args.no_annotate, excluded_namespaces: Globs::new(excluded)? };
    let policy = match compile(&rewriter, &settings) {
        Ok(policy) => policy,
        Err(error) => {
            out.error(error.full_message());
            return Ok(());
        }
    };
    for left in policy.left() {
        out.notice(format_args!("left to the webhook: {left}"));
    }
    for (number, object) in [policy.object(args.api_version), policy.binding(args.api_version)].iter().enumerate() {
        match out.format() {
            Format::Json => out.json(object)?,
            Format::Text => {
                if number > 0 {
                    out.line(b"---");
                }
                out.line(yaml::document(object).trim_end().as_bytes());
            }
        }
    }
    Ok(())
}
