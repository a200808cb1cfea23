//! The lists of a pod that contain images.

use mimic_core::internal::named_variants;

named_variants! {
    /// A list of the pod spec that contains images. Images are evaluated in this order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum ContainerKind {
        /// `spec.initContainers`
        InitContainer = "init_container",
        /// `spec.containers`
        Container = "container",
        /// `spec.ephemeralContainers`
        EphemeralContainer = "ephemeral_container",
        /// `spec.volumes`, for image volumes
        Volume = "volume",
    }
}

impl ContainerKind {
    /// The name used in warnings.
    pub(super) fn display_name(self) -> &'static str {
        match self {
            Self::InitContainer => "init container",
            Self::Container => "container",
            Self::EphemeralContainer => "ephemeral container",
            Self::Volume => "volume",
        }
    }

    /// The list's name in the spec, and the path from an entry to its image, as in a JSON Pointer.
    pub(super) fn pointer(self) -> (&'static str, &'static str) {
        match self {
            Self::InitContainer => ("initContainers", "image"),
            Self::Container => ("containers", "image"),
            Self::EphemeralContainer => ("ephemeralContainers", "image"),
            Self::Volume => ("volumes", "image/reference"),
        }
    }
}
