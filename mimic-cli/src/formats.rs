//! The formats of other tools as values of options.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use mimic_formats::{ExportFormat, ImportFormat};

/// Parses a format to import.
pub(crate) fn imported() -> impl TypedValueParser<Value = ImportFormat> {
    let about = |format: &ImportFormat| match format {
        ImportFormat::HostsToml => "containerd",
        ImportFormat::RegistriesYaml => "k3s, RKE2",
        ImportFormat::RegistriesConf => "CRI-O, Podman",
        ImportFormat::Idms => "OpenShift's mirror sets and `ImageContentSourcePolicy`",
        ImportFormat::Imageswap => "map file of imageswap-webhook, or its ConfigMap",
        ImportFormat::ContainerWebhook | ImportFormat::ImageSwapper => "configuration",
        ImportFormat::ImageMapper => "mapping file of SAP's image-mapper",
        ImportFormat::Kyverno => "policies that replace the registry",
    };
    let value = move |format: &ImportFormat| PossibleValue::new(format.as_str()).help(about(format));
    PossibleValuesParser::new(ImportFormat::ALL.iter().map(value)).try_map(|name| {
        ImportFormat::ALL.iter().copied().find(|format| format.as_str() == name).ok_or("unknown format")
    })
}

/// Parses a format to export.
pub(crate) fn exported() -> impl TypedValueParser<Value = ExportFormat> {
    let about = |format: &ExportFormat| match format {
        ExportFormat::HostsToml => "containerd",
        ExportFormat::RegistriesYaml => "k3s, RKE2",
        ExportFormat::RegistriesConf => "CRI-O, Podman",
        ExportFormat::Idms => "OpenShift, for digests",
        ExportFormat::Itms => "OpenShift, for tags",
    };
    let value = move |format: &ExportFormat| PossibleValue::new(format.as_str()).help(about(format));
    PossibleValuesParser::new(ExportFormat::ALL.iter().map(value)).try_map(|name| {
        ExportFormat::ALL.iter().copied().find(|format| format.as_str() == name).ok_or("unknown format")
    })
}
