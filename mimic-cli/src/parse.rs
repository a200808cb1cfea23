//! `mimic parse`

use mimic_core::ImageRef;
use serde::Serialize;

use crate::args::ParseArgs;
use crate::input;
use crate::output::{Format, Output};

#[derive(Serialize)]
struct Parsed<'a> {
    input: &'a str,
    registry: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    canonical: String,
}

#[derive(Serialize)]
struct Invalid<'a> {
    /// `None` for a line that is not a string.
    input: Option<&'a str>,
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    kind: &'a str,
    message: &'a str,
    offset: usize,
}

pub(crate) fn run(args: &ParseArgs, out: &mut Output) -> anyhow::Result<()> {
    input::for_each(&args.images, out, |input, out| {
        let (kind, message, offset) = match input.text {
            Ok(text) => match ImageRef::parse(text) {
                Ok(image) => return write(text, &image, out),
                Err(error) => (error.kind().as_str(), error.to_string(), error.offset()),
            },
            Err(error) => (error.kind(), error.to_string(), error.offset()),
        };
        input.error(out, &message);
        match out.format() {
            Format::Text => Ok(()),
            Format::Json => {
                let error = Error { kind, message: &message, offset };
                out.json(&Invalid { input: input.text.ok(), error })
            }
        }
    })
}

fn write(input: &str, image: &ImageRef<'_>, out: &mut Output) -> std::io::Result<()> {
    let (registry, repository, tag, digest) = (image.registry(), &image.repository(), image.tag(), image.digest());
    match out.format() {
        Format::Json => out.json(&Parsed { input, registry, repository, tag, digest, canonical: image.to_string() }),
        Format::Text => {
            // Neither a tag nor a digest can be `-`.
            let (tag, digest) = (tag.unwrap_or("-"), digest.unwrap_or("-"));
            out.text(format_args!(
                "{input}\n  registry:   {registry}\n  repository: {repository}\n  tag:        {tag}\n  \
                 digest:     {digest}\n  canonical:  {image}"
            ));
            Ok(())
        }
    }
}
