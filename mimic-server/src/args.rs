//! The arguments of `mimic-server`.

use std::path::PathBuf;

use clap::Parser;

/// Mimic's webhook server: rewrites the images of pods so that nodes pull them from a mirror.
///
/// Configure it with variables that begin with MIMIC_, or with the same keys in a YAML file; see
/// docs/configuration.md.
#[derive(Debug, Parser)]
#[command(name = "mimic-server", version)]
pub(crate) struct Args {
    /// Configuration file; overrides `MIMIC_CONFIG`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Check the configuration, the mirror files and the certificate, report all problems and exit
    #[arg(long)]
    pub(crate) check: bool,

    /// Run with a self-signed certificate and example mirrors, on loopback, without a cluster
    #[arg(long)]
    pub(crate) demo: bool,
}
