//! The grammar of the command line. `docs/cli.md` has its reference from here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use mimic_core::internal::{GlobError, Globs};
use mimic_core::{Context, Hint as _, Problem, Rule, RuleList, parse_short_form};
use mimic_formats::{ExportFormat, ImportFormat};
use mimic_k8s::admission::ReviewSettings;
use mimic_k8s::policy::ApiVersion;
use mimic_manifests::{ImagePath, ImagePathError};

use crate::formats;
use crate::harbor::HarborArgs;
use crate::output::Format;

/// The name of a file that means standard input.
pub(crate) const STDIN: &str = "-";

/// Name of the source of rules given with `--mirror`.
pub(crate) const COMMAND_LINE: &str = "command line";

/// Shows how Mimic rewrites images, using the webhook's code.
///
/// Works offline, except that `doctor` and rules of a Harbor need the Harbor. Results go to standard output, errors and
/// warnings to standard error.
///
/// Exit status: 0 success, 1 invalid input or another error, 2 usage error.
#[derive(Debug, Parser)]
#[command(name = "mimic", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Output format.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Parse references into registry, repository, tag and digest.
    ///
    /// Normalises as the kubelet does: `nginx` becomes `docker.io/library/nginx`. No tag is added.
    #[command(after_help = "Examples:
  mimic parse nginx:1.27
  mimic parse -o json quay.io/prometheus/node-exporter:v1.9.0 localhost:5000/app
  cat images.txt | mimic parse")]
    Parse(ParseArgs),
    /// Rewrite references to their mirrors.
    ///
    /// Prints one line per input: the rewritten reference, or the input if it is unchanged or invalid.
    #[command(after_help = "Examples:
  mimic rewrite -m docker.io=harbor.example.com/dockerhub nginx:1.27
  mimic rewrite --harbor http://harbor.example.com --registry harbor.example.com nginx:1.27
  mimic rewrite -f mirrors.yaml --namespace shop --label tier=web nginx:1.27
  cat images.txt | mimic rewrite -f mirrors.yaml -o json")]
    Rewrite(RewriteArgs),
    /// Explain a decision step by step.
    ///
    /// Prints the parsed reference, the matching rules, the selected rule and why, and the result.
    #[command(after_help = "Examples:
  mimic explain -m docker.io=harbor.example.com/dockerhub nginx:1.27
  mimic explain -f mirrors.yaml --namespace shop nginx:1.27 ghcr.io/acme/app")]
    Explain(RewriteArgs),
    /// Answer an AdmissionReview as the webhook does.
    ///
    /// Namespace and labels come from the review unless given here. An image that cannot be rewritten causes a warning, not an
    /// error.
    #[command(after_help = "Examples:
  mimic review -f mirrors.yaml review.json
  mimic review -f mirrors.yaml --show review.json
  cat review.json | mimic review -m docker.io=harbor.example.com/dockerhub -o json -")]
    Review(ReviewArgs),
    /// Rewrite the images in Kubernetes manifests.
    ///
    /// Prints YAML or JSON with nothing changed but the images, byte for byte. Decides as the webhook would for the pods: pod
    /// templates, namespaces, labels, opt-outs and pull policies count. What cannot be read is reported and left unchanged, and the
    /// exit status is 1.
    #[command(after_help = "Examples:
  mimic manifests -f mirrors.yaml deployment.yaml
  mimic manifests -f mirrors.yaml --diff deployment.yaml
  mimic manifests -f mirrors.yaml --check deployment.yaml
  cat deployment.yaml | mimic manifests -m docker.io=harbor.example.com/dockerhub -
  mimic manifests -f mirrors.yaml --image-path 'Machine.example.com:/spec/parts/*/image' machine.yaml")]
    Manifests(ManifestsArgs),
    /// List the mirrors in use, and those not used with the reason.
    ///
    /// Mirrors come from the command line, files and Harbors' proxy-cache projects, in this order of precedence. A rule is
    /// not used if an earlier one always applies instead.
    #[command(after_help = "Examples:
  mimic mirrors -f mirrors.yaml
  mimic mirrors --harbor http://harbor.example.com --username 'robot$mimic' --password-file password")]
    Mirrors(MirrorsArgs),
    /// Print the rules as a mutating admission policy, which the API server evaluates without Mimic.
    ///
    /// Prints the policy and its binding for `kubectl apply`. Rules that a policy cannot express are listed on standard
    /// error; they need the webhook.
    #[command(after_help = "Examples:
  mimic policy -f mirrors.yaml
  mimic policy -m docker.io=harbor.example.com/dockerhub --api-version v1beta1")]
    Policy(PolicyArgs),
    /// Query the Harbors and report what works, what the accounts see, and which permissions are missing.
    ///
    /// Prints `ok`, `note` (a warning) or `problem` for each check. With a problem, the exit status is 1.
    #[command(after_help = "Examples:
  mimic doctor --config mimic.yaml
  mimic doctor --harbor http://harbor.example.com --username 'robot$mimic' --password-file password")]
    Doctor(DoctorArgs),
    /// Turn the mirror configuration of another tool into a `mirrors.yaml`.
    ///
    /// A warning names the line of everything that changes which image is pulled. Credentials and TLS settings are never
    /// imported.
    #[command(after_help = "Examples:
  mimic import --from hosts.toml certs.d
  mimic import --from idms --strict idms.yaml")]
    Import(ImportArgs),
    /// Write the rules in the format of another tool, for nodes.
    ///
    /// A warning names each rule that the format cannot express.
    #[command(after_help = "Examples:
  mimic export --to hosts.toml -f mirrors.yaml
  mimic export --to registries.conf -m quay.io=harbor.example.com/quay")]
    Export(ExportArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:
  mimic completions bash")]
    Completions {
        /// Shell.
        shell: Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Format of the files.
    #[arg(long, value_name = "FORMAT", value_parser = formats::imported())]
    pub(crate) from: ImportFormat,
    /// Exit with status 1 if there is a warning.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Files and directories; `-` for standard input. `hosts.toml` files must be in directories named after registries. A
    /// `registries.conf` takes its `registries.conf.d` along.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// Format to write.
    #[arg(long, value_name = "FORMAT", value_parser = formats::exported())]
    pub(crate) to: ExportFormat,
    /// Write the files into this directory, which is created, instead of to standard output.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// Exit with status 1, and write nothing, if there is a warning.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// What to check. If omitted, everything.
    pub(crate) subject: Option<Subject>,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
}

/// What `doctor` checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// The Harbors.
    Harbor,
}

#[derive(Args, Debug)]
pub(crate) struct MirrorsArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// Version of the API: `v1` since Kubernetes 1.36, `v1beta1` in 1.34 and 1.35.
    #[arg(long, value_name = "VERSION", default_value = "v1", value_parser = api_version)]
    pub(crate) api_version: ApiVersion,
    /// Name of the policy and of its binding.
    #[arg(long, value_name = "NAME", default_value = "mimic", value_parser = object_name)]
    pub(crate) name: String,
    /// Namespace of Mimic, which is excluded.
    #[arg(long, value_name = "NS", default_value = "mimic")]
    pub(crate) namespace: String,
    /// Exclude these namespaces; replaces the default (`MIMIC_EXCLUDE_NAMESPACES`). Repeatable, or separated by commas.
    #[arg(
        long = "exclude-namespaces",
        value_name = "GLOB",
        value_delimiter = ',',
        default_values_t = ReviewSettings::default().excluded_namespaces.patterns().to_vec(),
        value_parser = glob,
    )]
    pub(crate) excluded_namespaces: Vec<String>,
    /// Do not record the original images in an annotation (`MIMIC_ANNOTATE=false`).
    #[arg(long)]
    pub(crate) no_annotate: bool,
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
pub(crate) struct RewriteArgs {
    #[command(flatten)]
    pub(crate) images: ImageArgs,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
    #[command(flatten)]
    pub(crate) pod: PodArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReviewArgs {
    /// Show the result for each image instead of the response.
    #[arg(long)]
    pub(crate) show: bool,
    /// Return warnings but no patch (the server's `MIMIC_DRYRUN`).
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not record the original images in an annotation (`MIMIC_ANNOTATE=false`).
    #[arg(long)]
    pub(crate) no_annotate: bool,
    /// Skip pods in these namespaces; replaces the default (`MIMIC_EXCLUDE_NAMESPACES`). Repeatable.
    #[arg(
        long = "exclude-namespace",
        value_name = "GLOB",
        default_values_t = ReviewSettings::default().excluded_namespaces.patterns().to_vec(),
        value_parser = glob,
    )]
    pub(crate) excluded_namespaces: Vec<String>,
    /// File with the review, as JSON of at most 8 MiB; `-` for standard input.
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
    #[command(flatten)]
    pub(crate) pod: PodArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ManifestsArgs {
    #[command(flatten)]
    pub(crate) mode: ModeArgs,
    /// Namespace of objects that name none. If omitted, rules with `namespaces.include` do not apply to them.
    #[arg(long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// Leave objects in these namespaces unchanged; replaces the default (`MIMIC_EXCLUDE_NAMESPACES`). Repeatable.
    #[arg(
        long = "exclude-namespace",
        value_name = "GLOB",
        default_values_t = ReviewSettings::default().excluded_namespaces.patterns().to_vec(),
        value_parser = glob,
    )]
    pub(crate) excluded_namespaces: Vec<String>,
    /// Where custom resources have more images (`Kind.group:/spec/parts/*/image`). Repeatable.
    #[arg(long = "image-path", value_name = "PATH", value_parser = image_path)]
    pub(crate) image_paths: Vec<ImagePath>,
    /// Files and folders; `-` for standard input. Of a folder, all files `*.yaml`, `*.yml` and `*.json` in it and below.
    #[arg(value_name = "PATH", default_value = STDIN)]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) harbor: HarborArgs,
}

/// What `manifests` does instead of printing the manifests.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct ModeArgs {
    /// List what would change, as `FILE:LINE:COLUMN: BEFORE -> AFTER`. The exit status is 1 if something would.
    #[arg(long)]
    check: bool,
    /// Print a unified diff. The exit status is 1 if there is one.
    #[arg(long)]
    diff: bool,
    /// Rewrite the files. Each is replaced at once, and keeps mode and owner.
    #[arg(long)]
    in_place: bool,
}

/// What `manifests` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestMode {
    Print,
    Check,
    Diff,
    InPlace,
}

impl ModeArgs {
    pub(crate) fn mode(&self) -> ManifestMode {
        match (self.check, self.diff, self.in_place) {
            (true, ..) => ManifestMode::Check,
            (_, true, _) => ManifestMode::Diff,
            (_, _, true) => ManifestMode::InPlace,
            _ => ManifestMode::Print,
        }
    }
}

/// The rules. Without them, those of the Harbors that the server is configured with are used.
#[derive(Args, Debug)]
#[group(skip)]
// Applies to all following arguments of a command, so this group comes after the arguments without a heading.
#[command(next_help_heading = "Rule options")]
pub(crate) struct RuleArgs {
    /// Map UPSTREAM to MIRROR (`docker.io=harbor.example.com/dockerhub`). Repeatable, or separated by commas. Takes
    /// precedence over files.
    #[arg(short, long = "mirror", value_name = "UPSTREAM=MIRROR", value_parser = mirrors)]
    pub(crate) mirrors: Vec<Mirrors>,
    /// Rules file: `mirrors.yaml`, the manifest of a ConfigMap, or the chart's values; `-` for standard input. Repeatable;
    /// earlier files take precedence.
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// The rules of one `--mirror`.
#[derive(Clone, Debug)]
pub(crate) struct Mirrors(pub(crate) Vec<Rule>);

/// The pod that the images belong to.
#[derive(Args, Debug)]
#[command(next_help_heading = "Pod options")]
pub(crate) struct PodArgs {
    /// Namespace of the pod. If omitted, rules with `namespaces.include` do not apply.
    #[arg(long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// Label of the pod, for rules with a `podSelector`. Repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

impl Cli {
    /// Checks what the grammar cannot express.
    ///
    /// # Errors
    /// If standard input would be read twice.
    pub(crate) fn checked(self) -> Result<Self, clap::Error> {
        let (rules, more) = match &self.command {
            Command::Rewrite(args) | Command::Explain(args) => (&args.rules, args.images.uses_stdin()),
            Command::Review(args) => (&args.rules, args.file == Path::new(STDIN)),
            Command::Mirrors(args) => (&args.rules, false),
            Command::Manifests(args) => {
                let stdin = args.paths.iter().filter(|path| *path == Path::new(STDIN)).count();
                let mode = args.mode.mode();
                if stdin > 1 {
                    return Err(conflict("standard input can be read only once"));
                }
                if mode == ManifestMode::InPlace && stdin > 0 {
                    return Err(conflict("`--in-place` needs files; standard input cannot be replaced"));
                }
                if self.output == Format::Json && mode != ManifestMode::Check {
                    return Err(conflict("`manifests` prints JSON only with `--check`"));
                }
                (&args.rules, stdin > 0)
            }
            Command::Policy(args) => (&args.rules, false),
            Command::Export(args) => (&args.rules, false),
            Command::Parse(_) | Command::Doctor(_) | Command::Import(_) | Command::Completions { .. } => {
                return Ok(self);
            }
        };
        let files = rules.files.iter().filter(|file| *file == Path::new(STDIN)).count();
        if files + usize::from(more) > 1 {
            let message = if more {
                "standard input cannot hold both the rules (`--file -`) and what to rewrite"
            } else {
                "standard input can be read only once"
            };
            return Err(conflict(message));
        }
        Ok(self)
    }
}

/// The usage error of arguments that exclude each other.
fn conflict(message: &str) -> clap::Error {
    Cli::command().error(ErrorKind::ArgumentConflict, message)
}

/// The usage error of a command that has no rules.
pub(crate) fn no_rules() -> clap::Error {
    let message =
        "no rules given: use `--mirror`, `--file` or `--harbor`, or `--config` or variables that enable a Harbor";
    Cli::command().error(ErrorKind::MissingRequiredArgument, message)
}

impl RuleArgs {
    /// Whether any rule is given.
    pub(crate) fn is_given(&self) -> bool {
        !self.mirrors.is_empty() || !self.files.is_empty()
    }
}

impl ImageArgs {
    /// Whether references are read from standard input.
    fn uses_stdin(&self) -> bool {
        self.references.is_empty() || self.references.iter().any(|reference| reference == STDIN)
    }
}

impl PodArgs {
    /// The labels. If one is given twice, the last one counts.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }

    /// What rules check.
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
    /// Image references. If omitted or `-`, the lines of standard input.
    #[arg(value_name = "REF")]
    pub(crate) references: Vec<String>,
}

/// Parses the value of `--mirror`.
fn mirrors(text: &str) -> Result<Mirrors, String> {
    let RuleList { rules, problems } = parse_short_form(COMMAND_LINE, text);
    if rules.is_empty() && problems.is_empty() {
        return Err("no mirror given".into());
    }
    if problems.is_empty() {
        return Ok(Mirrors(rules));
    }
    // Without the origin, which clap prints.
    let message = |problem: &Problem| match problem.hint() {
        Some(hint) => format!("{} (hint: {hint})", problem.message()),
        None => problem.message().to_owned(),
    };
    Err(problems.iter().map(message).collect::<Vec<_>>().join("; "))
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("expected `KEY=VALUE`")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn glob(text: &str) -> Result<String, GlobError> {
    Globs::new([text]).map(|_| text.to_owned())
}

fn api_version(text: &str) -> Result<ApiVersion, &'static str> {
    let version = ApiVersion::ALL.iter().find(|version| version.as_str() == text);
    version.copied().ok_or("expected `v1` or `v1beta1`")
}

/// Checks a name as the API server checks the names of policies.
fn object_name(text: &str) -> Result<String, &'static str> {
    let is_alphanumeric =
        |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_valid = |label: &str| {
        let (first, last) = (label.bytes().next(), label.bytes().last());
        is_alphanumeric(first) && is_alphanumeric(last) && label.bytes().all(|b| b == b'-' || is_alphanumeric(Some(b)))
    };
    if text.len() <= 253 && text.split('.').all(is_valid) {
        Ok(text.to_owned())
    } else {
        Err("expected a name of lower-case letters, digits, `-` and `.`")
    }
}

fn image_path(text: &str) -> Result<ImagePath, String> {
    text.parse().map_err(|error: ImagePathError| error.full_message().to_string())
}
