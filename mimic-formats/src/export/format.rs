//! What can be exported, and what an export gives.

use mimic_core::internal::named_variants;

named_variants! {
    /// A format to export.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ExportFormat {
        /// containerd's `hosts.toml`, in a directory for each registry.
        HostsToml = "hosts.toml",
        /// `registries.yaml` of k3s and RKE2.
        RegistriesYaml = "registries.yaml",
        /// `registries.conf` of CRI-O, Podman and Skopeo.
        RegistriesConf = "registries.conf",
        /// OpenShift's `ImageDigestMirrorSet`.
        Idms = "idms",
        /// OpenShift's `ImageTagMirrorSet`.
        Itms = "itms",
    }
}

/// A file that an export gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Its path, with `/`, in the directory of the tool.
    pub path: String,
    /// Its content.
    pub text: String,
}
