//! `mimic manifests`

mod diff;
mod files;
mod in_place;
mod progress;
mod sink;

use std::fs::File;
use std::io::{self, Read};

use mimic_core::internal::Globs;
use mimic_k8s::admission::ReviewSettings;
use mimic_manifests::{Document, Documents, ImagePaths, Manifests, Rewritten, Severity};

use crate::args::{ManifestMode, ManifestsArgs};
use crate::manifests::files::{Input, inputs};
use crate::manifests::progress::Progress;
use crate::manifests::sink::{Check, Diff, InPlace, Print, Sink};
use crate::output::Output;
use crate::rules;

pub(crate) fn run(args: ManifestsArgs, out: &mut Output) -> anyhow::Result<()> {
    let mode = args.mode.mode();
    let Some(rewriter) = rules::load(args.rules, &args.harbor, out)? else { return Ok(()) };
    let excluded_namespaces = Globs::new(&args.excluded_namespaces)?;
    let settings = ReviewSettings { excluded_namespaces, ..ReviewSettings::default() };
    let mut paths = ImagePaths::built_in();
    args.image_paths.into_iter().for_each(|path| paths.add(path));
    let namespace = args.namespace.as_deref();
    let manifests = Manifests { rewriter: &rewriter, settings: &settings, paths: &paths, namespace };
    let mut sink: Box<dyn Sink> = match mode {
        ManifestMode::Print => Box::new(Print::default()),
        ManifestMode::Check => Box::new(Check::default()),
        ManifestMode::Diff => Box::new(Diff::default()),
        ManifestMode::InPlace => Box::new(InPlace::default()),
    };
    let mut progress = Progress::new();
    for input in inputs(&args.paths, out) {
        match process(&input, &manifests, sink.as_mut(), &mut progress, out) {
            Ok(()) => {}
            // An input that cannot be read does not concern the others.
            Err(Failure::Input(error)) => out.error(format_args!("cannot read `{}`: {error}", input.name)),
            Err(Failure::Output(error)) => return Err(error),
        }
    }
    progress.clear();
    Ok(())
}

/// Why an input was not processed to its end.
enum Failure {
    Input(io::Error),
    Output(anyhow::Error),
}

fn process(
    input: &Input,
    manifests: &Manifests<'_>,
    sink: &mut dyn Sink,
    progress: &mut Progress,
    out: &mut Output,
) -> Result<(), Failure> {
    let reader: Box<dyn Read> = match &input.path {
        None => Box::new(io::stdin().lock()),
        Some(path) => Box::new(File::open(path).map_err(Failure::Input)?),
    };
    sink.begin(input);
    let mut documents = Documents::new(reader);
    while let Some(document) = documents.next_document().map_err(Failure::Input)? {
        let rewritten = manifests.rewrite(&document, input.kind);
        report(input, &rewritten, out);
        progress.add(document.bytes.len(), &input.name);
        write(sink, &document, &rewritten, progress, out).map_err(Failure::Output)?;
    }
    sink.end(out).map_err(Failure::Output)
}

fn write(
    sink: &mut dyn Sink,
    document: &Document<'_>,
    rewritten: &Rewritten,
    progress: &mut Progress,
    out: &mut Output,
) -> anyhow::Result<()> {
    sink.document(document, rewritten, out)?;
    if out.is_full() {
        progress.clear();
        out.flush()?;
    }
    Ok(())
}

fn report(input: &Input, rewritten: &Rewritten, out: &mut Output) {
    for note in &rewritten.notes {
        match note.severity {
            Severity::Error => out.error(format_args!("{}:{note}", input.name)),
            Severity::Warning => out.warning(format_args!("{}:{note}", input.name)),
        }
    }
}
