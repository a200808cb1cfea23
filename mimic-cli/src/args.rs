//! What the command line looks like.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use mimic_core::internal::{GlobError, Globs};
use mimic_core::{Context, Rule};
use mimic_k8s::admission::ReviewSettings;

use crate::harbor::HarborArgs;
use crate::rules;

/// Shows what Mimic makes of images, by the same code as the webhook.
///
/// Works offline; only `mirrors --harbor` and `doctor` ask a Harbor. Results go to standard output, problems to standard error.
///
/// Exit status: 0; 1 when some input was bad; 2 when the command was called wrongly.
#[derive(Debug, Parser)]
#[command(name = "mimic", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// How results are written.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, and for `rewrite` one reference a line.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take references apart: registry, repository, tag and digest.
    ///
    /// The parts are normalised as the kubelet does it: `nginx` is `library/nginx` of `docker.io`. A missing tag stays
    /// missing.
    #[command(after_help = "Examples:
  mimic parse nginx:1.27
  mimic parse -o json quay.io/prometheus/node-exporter:v1.9.0 localhost:5000/app
  cat images.txt | mimic parse")]
    Parse(ParseArgs),
    /// Rewrite references to their mirrors.
    ///
    /// Writes a line for each: the reference at the mirror, or, if nothing is to be changed or it is no reference, what was
    /// given.
    #[command(after_help = "Examples:
  mimic rewrite -m docker.io=harbor.example.com/dockerhub nginx:1.27
  mimic rewrite -f mirrors.yaml --namespace shop --label tier=web nginx:1.27
  cat images.txt | mimic rewrite -f mirrors.yaml -o json")]
    Rewrite(RewriteArgs),
    /// Tell every step of a decision.
    ///
    /// How the reference was taken apart, which rules were candidates, which of them won and why, and the result.
    #[command(after_help = "Examples:
  mimic explain -m docker.io=harbor.example.com/dockerhub nginx:1.27
  mimic explain -f mirrors.yaml --namespace shop nginx:1.27 ghcr.io/acme/app")]
    Explain(RewriteArgs),
    /// Answer an AdmissionReview as the webhook does.
    ///
    /// Writes the AdmissionReview that is the answer. Namespace and labels are those of the review, unless they are given
    /// here. Images that cannot be rewritten are warnings in the answer, not bad input.
    #[command(after_help = "Examples:
  mimic review -f mirrors.yaml review.json
  mimic review -f mirrors.yaml --show review.json
  cat review.json | mimic review -m docker.io=harbor.example.com/dockerhub -o json -")]
    Review(ReviewArgs),
    /// List mirrors: those that are used, and those that are not, with the reason.
    ///
    /// Rules come from the command line, from files, and from the proxy-cache projects of a Harbor, in this order. A rule
    /// is left out when one before it always applies instead; a project for many reasons, all of which are told.
    #[command(after_help = "Examples:
  mimic mirrors -f mirrors.yaml
  mimic mirrors --harbor http://harbor.example.com --username 'robot$mimic' --password-file password")]
    Mirrors(MirrorsArgs),
    /// Look for what is wrong, and say it in plain words.
    Doctor {
        /// What is looked at.
        #[command(subcommand)]
        subject: Subject,
    },
    /// Write a completion script for a shell.
    #[command(after_help = "Examples:
  mimic completions bash")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What `doctor` looks at.
#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// Ask a Harbor and say what works, what the account can see, and which permission is missing.
    #[command(after_help = "Examples:
  mimic doctor harbor --harbor http://harbor.example.com --username 'robot$mimic' --password-file password")]
    #[command(group = ArgGroup::new("address").required(true).args(["harbor"]))]
    Harbor(HarborArgs),
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("rules").required(true).multiple(true).args(["mirrors", "files", "harbor"]))]
pub(crate) struct MirrorsArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ParseArgs {
    #[command(flatten)]
    pub(crate) images: ImageArgs,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("rules").required(true).multiple(true).args(["mirrors", "files"]))]
pub(crate) struct RewriteArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) pod: PodArgs,
    #[command(flatten)]
    pub(crate) images: ImageArgs,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("rules").required(true).multiple(true).args(["mirrors", "files"]))]
pub(crate) struct ReviewArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) pod: PodArgs,
    /// Show what becomes of each image, and apply the patch, instead of writing the answer.
    #[arg(long)]
    pub(crate) show: bool,
    /// Decide and warn, but patch nothing (the server's `MIMIC_DRYRUN`).
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not note the original images in an annotation (the server's `MIMIC_ANNOTATE=false`).
    #[arg(long)]
    pub(crate) no_annotate: bool,
    /// Leave the pods of these namespaces alone; replaces the default (the server's `MIMIC_EXCLUDE_NAMESPACES`). Can be
    /// given more than once.
    #[arg(
        long = "exclude-namespace",
        value_name = "GLOB",
        default_values_t = ReviewSettings::default().excluded_namespaces.patterns().to_vec(),
        value_parser = glob,
    )]
    pub(crate) excluded_namespaces: Vec<String>,
    /// File with the review, in JSON and of 8 MiB at most; `-` is standard input.
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
}

/// Where the rules are.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct RuleArgs {
    /// A mirror: images of UPSTREAM are at MIRROR (`docker.io=harbor.example.com/dockerhub`). Several can be separated
    /// by commas. Comes before files.
    #[arg(short, long = "mirror", value_name = "UPSTREAM=MIRROR", value_parser = rules::short_form)]
    pub(crate) mirrors: Vec<Mirrors>,
    /// A file of rules, `mirrors.yaml`. Of several, earlier ones come first.
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// The rules of one `--mirror`.
#[derive(Clone, Debug)]
pub(crate) struct Mirrors(pub(crate) Vec<Rule>);

/// What is known of the pod.
#[derive(Args, Debug)]
pub(crate) struct PodArgs {
    /// The pod's namespace; without one, rules for certain namespaces do not apply.
    #[arg(long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// A label of the pod, for rules with a `podSelector`. Can be given more than once.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

impl PodArgs {
    /// The labels; of one that is given twice, the last counts.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }

    /// What rules ask of the pod.
    pub(crate) fn context<'a>(&'a self, labels: &'a BTreeMap<String, String>) -> Context<'a> {
        let context = Context::default().with_labels(labels);
        match &self.namespace {
            Some(namespace) => context.with_namespace(namespace),
            None => context,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ImageArgs {
    /// Image references. None, or `-`: the lines of standard input.
    #[arg(value_name = "REF")]
    pub(crate) references: Vec<String>,
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a label is `KEY=VALUE`")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn glob(text: &str) -> Result<String, GlobError> {
    Globs::new([text]).map(|_| text.to_owned())
}
