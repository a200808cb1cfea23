use std::path::PathBuf;

use clap::Parser;

/// Mimic's webhook server: rewrites the images of pods so that they are pulled from a mirror.
///
/// It is configured by variables that begin with MIMIC_, or by the same keys in a YAML file; docs/configuration.md
/// lists them.
#[derive(Debug, Parser)]
#[command(name = "mimic-server", version)]
pub(crate) struct Args {
    /// Read this YAML file, whatever the variable `MIMIC_CONFIG` says
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Check the configuration, the files with mirrors and the certificate, report all problems and exit
    #[arg(long)]
    pub(crate) check: bool,

    /// Try Mimic out: self-signed certificate, loopback only, no cluster, example mirrors
    #[arg(long)]
    pub(crate) demo: bool,
}
