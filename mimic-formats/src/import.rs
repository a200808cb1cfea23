//! From files of another tool to `mirrors.yaml`.

use mimic_core::Problem;
use mimic_core::internal::named_variants;

use crate::report::Report;
use crate::source_file::SourceFile;
use crate::{
    container_webhook, hosts_toml, image_mapper, image_swapper, imageswap, kyverno, mirror_sets, registries_conf,
    registries_yaml, render,
};

named_variants! {
    /// A format to import.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ImportFormat {
        /// containerd's `hosts.toml`, in a directory for each registry.
        HostsToml = "hosts.toml",
        /// `registries.yaml` of k3s and RKE2.
        RegistriesYaml = "registries.yaml",
        /// `registries.conf` of CRI-O, Podman and Skopeo.
        RegistriesConf = "registries.conf",
        /// OpenShift's `ImageDigestMirrorSet`, `ImageTagMirrorSet` and `ImageContentSourcePolicy`.
        Idms = "idms",
        /// The map file of imageswap-webhook, alone or in its ConfigMap.
        Imageswap = "imageswap",
        /// The configuration of harbor-container-webhook.
        ContainerWebhook = "harbor-container-webhook",
        /// The mapping file of SAP's image-mapper.
        ImageMapper = "image-mapper",
        /// The configuration of k8s-image-swapper.
        ImageSwapper = "k8s-image-swapper",
        /// Policies of Kyverno that replace the registry of images.
        Kyverno = "kyverno",
    }
}

/// The result of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The content of a `mirrors.yaml`.
    pub mirrors: String,
    /// What changes which image is pulled, with file and line.
    pub warnings: Vec<Problem>,
    /// What was left out and does not change which image is pulled.
    pub note: Option<String>,
}

/// Turns files of another tool into a `mirrors.yaml`.
///
/// ```
/// use mimic_formats::{ImportFormat, SourceFile, import};
///
/// let file = SourceFile {
///     name: "certs.d/quay.io/hosts.toml",
///     text: "[host.\"https://harbor.example.com/v2/quay\"]\noverride_path = true\n",
/// };
/// let imported = import(ImportFormat::HostsToml, &[file]).map_err(|problems| problems[0].clone())?;
/// assert!(imported.mirrors.contains("quay.io: harbor.example.com/quay"));
/// # Ok::<(), mimic_core::Problem>(())
/// ```
///
/// # Errors
/// If a file is not valid: all problems, with file and line.
pub fn import(format: ImportFormat, files: &[SourceFile<'_>]) -> Result<Imported, Vec<Problem>> {
    let mut report = Report::default();
    match format {
        ImportFormat::HostsToml => hosts_toml::import(files, &mut report),
        ImportFormat::RegistriesYaml => registries_yaml::import(files, &mut report),
        ImportFormat::RegistriesConf => registries_conf::import(files, &mut report),
        ImportFormat::Idms => mirror_sets::import(files, &mut report),
        ImportFormat::Imageswap => imageswap::import(files, &mut report),
        ImportFormat::ContainerWebhook => container_webhook::import(files, &mut report),
        ImportFormat::ImageMapper => image_mapper::import(files, &mut report),
        ImportFormat::ImageSwapper => image_swapper::import(files, &mut report),
        ImportFormat::Kyverno => kyverno::import(files, &mut report),
    }
    if !report.problems.is_empty() {
        return Err(report.problems);
    }
    let number = |name: &str| files.iter().position(|file| file.name == name);
    report.warnings.sort_by_key(|warning| (number(warning.origin()), warning.line()));
    let several = files.len() > 1;
    Ok(Imported { mirrors: render::mirrors(&report.entries, several), note: report.notes(), warnings: report.warnings })
}
