//! The fields of a Pod that a decision needs.

use std::fmt;

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};

use crate::annotation::ORIGINAL_IMAGES;
use crate::view::{Length, List, Text, View, check_room, object, view};

/// The label by which a pod opts out: `mimic.cryptkcoding.com/rewrite: "false"`.
pub const OPT_OUT_LABEL: &str = "mimic.cryptkcoding.com/rewrite";

/// The annotation by which the kubelet marks the API server's copy of a static pod: nothing in it can be changed.
const MIRROR_POD: &str = "kubernetes.io/config.mirror";

/// A list of the pod in which images are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// `spec.initContainers`
    InitContainer,
    /// `spec.containers`
    Container,
    /// `spec.ephemeralContainers`
    EphemeralContainer,
    /// `spec.volumes`, where a volume is an image
    Volume,
}

impl Place {
    /// All places, in the order in which they are decided.
    pub const ALL: [Self; 4] = [Self::InitContainer, Self::Container, Self::EphemeralContainer, Self::Volume];

    /// A stable name for logs and JSON: `init_container`, `container`, `ephemeral_container`, `volume`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InitContainer => "init_container",
            Self::Container => "container",
            Self::EphemeralContainer => "ephemeral_container",
            Self::Volume => "volume",
        }
    }

    /// The words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::InitContainer => "init container",
            Self::Container => "container",
            Self::EphemeralContainer => "ephemeral container",
            Self::Volume => "volume",
        }
    }

    /// The list's name in the spec, and the way from an entry to its image, as in a JSON Pointer.
    pub(crate) fn pointer(self) -> (&'static str, &'static str) {
        match self {
            Self::InitContainer => ("initContainers", "image"),
            Self::Container => ("containers", "image"),
            Self::EphemeralContainer => ("ephemeralContainers", "image"),
            Self::Volume => ("volumes", "image/reference"),
        }
    }
}

view! {
    /// The pod as it is asked for.
    Pod { metadata: Option<Metadata<'a>> = "metadata", spec: Spec<'a> = "spec" }
}

view! {
    /// The pod as it is stored: only its images are of interest.
    OldPod { spec: Spec<'a> = "spec" }
}

view! {
    /// What is needed of `metadata`.
    Metadata {
        name: Text<'a> = "name",
        generate_name: Text<'a> = "generateName",
        labels: Labels<'a> = "labels",
        annotations: Option<Annotations<'a>> = "annotations",
        deletion_timestamp: Text<'a> = "deletionTimestamp",
        owner_references: List<OwnerReference<'a>> = "ownerReferences",
    }
}

view! {
    /// An entry of `ownerReferences`.
    OwnerReference { kind: Text<'a> = "kind", name: Text<'a> = "name", controller: Option<bool> = "controller" }
}

view! {
    /// What is needed of `spec`.
    Spec {
        init_containers: List<Container<'a>> = "initContainers",
        containers: List<Container<'a>> = "containers",
        ephemeral_containers: List<Container<'a>> = "ephemeralContainers",
        volumes: List<Volume<'a>> = "volumes",
        image_pull_secrets: Option<List<SecretRef<'a>>> = "imagePullSecrets",
    }
}

view! {
    /// A container of any kind.
    Container { name: Text<'a> = "name", image: Text<'a> = "image" }
}

view! {
    /// A volume; only image volumes are looked at.
    Volume { name: Text<'a> = "name", image: Option<ImageSource<'a>> = "image" }
}

view! {
    /// The source of an image volume.
    ImageSource { reference: Text<'a> = "reference" }
}

view! {
    /// An entry of `imagePullSecrets`.
    SecretRef { name: Text<'a> = "name" }
}

/// What a pod belongs to, such as a `ReplicaSet` or a `Job`. Displayed as `KIND/NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner<'a> {
    /// Its kind, without the API group.
    pub kind: &'a str,
    /// Its name; it is in the pod's namespace.
    pub name: &'a str,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Metadata<'_> {
    /// The owner that manages the pod, or else the first one.
    pub(crate) fn owner(&self) -> Option<Owner<'_>> {
        let owners = &self.owner_references;
        let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first())?;
        Some(Owner { kind: &owner.kind, name: &owner.name })
    }
}

/// An image in a pod, as written there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedImage<'a> {
    /// Position in its list.
    pub(crate) index: usize,
    /// Name of the container or volume.
    pub(crate) name: &'a str,
    /// The reference.
    pub(crate) reference: &'a str,
}

impl Spec<'_> {
    /// The images of one list, in its order.
    pub(crate) fn images(&self, place: Place) -> impl Iterator<Item = NamedImage<'_>> {
        let (containers, volumes): (&[Container<'_>], &[Volume<'_>]) = match place {
            Place::InitContainer => (&self.init_containers, &[]),
            Place::Container => (&self.containers, &[]),
            Place::EphemeralContainer => (&self.ephemeral_containers, &[]),
            Place::Volume => (&[], &self.volumes),
        };
        let containers = containers.iter().enumerate();
        let volumes = volumes.iter().enumerate();
        containers
            .map(|(index, container)| NamedImage { index, name: &container.name, reference: &container.image })
            .chain(volumes.filter_map(|(index, volume)| {
                let source = volume.image.as_ref()?;
                Some(NamedImage { index, name: &volume.name, reference: &source.reference })
            }))
    }
}

/// The labels, in the order written.
#[derive(Debug, Default)]
pub(crate) struct Labels<'a>(Vec<(Text<'a>, Text<'a>)>);

impl Labels<'_> {
    /// Whether the pod opted out of being rewritten.
    pub(crate) fn opted_out(&self) -> bool {
        mimic_core::Labels::get(self, OPT_OUT_LABEL) == Some("false")
    }
}

impl mimic_core::Labels for Labels<'_> {
    /// From the end: of a label that is written twice, the last counts.
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| **name == *key).map(|(_, value)| &**value)
    }
}

impl<'a> View<'a> for Labels<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        check_room(self.0.len())?;
        self.0.push((key, map.next_value()?));
        Ok(())
    }
}

impl<'a> Deserialize<'a> for Labels<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

/// What is needed of the annotations: two of them, and how large all are together.
#[derive(Debug, Default)]
pub(crate) struct Annotations<'a> {
    /// Whether this is the API server's copy of a static pod.
    pub(crate) mirror_pod: bool,
    /// The originals that an earlier review noted.
    pub(crate) original_images: Option<Text<'a>>,
    /// Bytes of all keys and values, as Kubernetes counts them against its limit.
    pub(crate) size: usize,
}

impl<'a> View<'a> for Annotations<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        let value = if &*key == ORIGINAL_IMAGES {
            let value: Text<'a> = map.next_value()?;
            self.original_images.insert(value).len()
        } else {
            self.mirror_pod |= &*key == MIRROR_POD;
            map.next_value::<Length>()?.0
        };
        self.size += key.len() + value;
        Ok(())
    }
}

impl<'a> Deserialize<'a> for Annotations<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}
