//! The fields of a Pod that are read: its images, and the metadata that decides whether they are evaluated.

use std::fmt;

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};

use super::container_kind::ContainerKind;
use super::json::views::{Length, List, Text, View, check_room, object, view};

/// The label, or the annotation, with which a pod opts out: `mimic.cryptkcoding.com/rewrite: "false"`.
pub const OPT_OUT: &str = "mimic.cryptkcoding.com/rewrite";

/// The annotation that records the original images of a rewritten pod: a JSON object, container name → image as written.
/// The key of an image volume is `volumes/NAME`.
pub const ORIGINAL_IMAGES: &str = "mimic.cryptkcoding.com/original-images";

/// [`ORIGINAL_IMAGES`] as a part of a JSON Pointer (RFC 6901): `/` is written `~1`.
pub(super) const ORIGINAL_IMAGES_POINTER: &str = "mimic.cryptkcoding.com~1original-images";

/// The value of [`OPT_OUT`] that has an effect.
const OPTED_OUT: &str = "false";

/// The pull policy of an image that must be on the node already.
const NEVER: &str = "Never";

/// The annotation that the kubelet sets on the API server's copy of a static pod. Such a pod cannot be changed.
const MIRROR_POD: &str = "kubernetes.io/config.mirror";

view! {
    /// The pod of the request.
    Pod { metadata: Option<Metadata<'a>> = "metadata", spec: Spec<'a> = "spec" }
}

view! {
    /// The pod as stored. Only its images are read.
    OldPod { spec: Spec<'a> = "spec" }
}

view! {
    /// The fields of `metadata` that are read.
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
    /// The fields of `spec` that are read.
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
    Container { name: Text<'a> = "name", image: Text<'a> = "image", pull_policy: PullPolicy = "imagePullPolicy" }
}

view! {
    /// A volume. Only image volumes are evaluated.
    Volume { name: Text<'a> = "name", image: Option<ImageSource<'a>> = "image" }
}

view! {
    /// The source of an image volume.
    ImageSource { reference: Text<'a> = "reference", pull_policy: PullPolicy = "pullPolicy" }
}

/// A pull policy, as far as it is needed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PullPolicy {
    /// Whether the image is never pulled.
    never: bool,
}

impl<'a> Deserialize<'a> for PullPolicy {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { never: &*Text::deserialize(deserializer)? == NEVER })
    }
}

view! {
    /// An entry of `imagePullSecrets`.
    SecretRef { name: Text<'a> = "name" }
}

/// The owner of a pod, such as a `ReplicaSet` or a `Job`. Displayed as `KIND/NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner<'a> {
    /// The kind, without the API group.
    pub kind: &'a str,
    /// The name. The owner is in the pod's namespace.
    pub name: &'a str,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Metadata<'_> {
    /// The controller that manages the pod, or else the first owner.
    pub(super) fn owner(&self) -> Option<Owner<'_>> {
        let owners = &self.owner_references;
        let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first())?;
        Some(Owner { kind: &owner.kind, name: &owner.name })
    }
}

/// An image as written in a pod.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedImage<'a> {
    /// Position in its list, from 0.
    pub(super) index: usize,
    /// Name of the container or volume.
    pub(super) name: &'a str,
    /// The reference.
    pub(super) reference: &'a str,
    /// Whether its pull policy is `Never`.
    pub(super) never_pulled: bool,
}

impl Spec<'_> {
    /// An upper bound for the number of images.
    pub(super) fn size(&self) -> usize {
        self.init_containers.len() + self.containers.len() + self.ephemeral_containers.len() + self.volumes.len()
    }

    /// The images of one list, in order.
    pub(super) fn images(&self, kind: ContainerKind) -> impl Iterator<Item = NamedImage<'_>> {
        let (containers, volumes): (&[Container<'_>], &[Volume<'_>]) = match kind {
            ContainerKind::InitContainer => (&self.init_containers, &[]),
            ContainerKind::Container => (&self.containers, &[]),
            ContainerKind::EphemeralContainer => (&self.ephemeral_containers, &[]),
            ContainerKind::Volume => (&[], &self.volumes),
        };
        let containers = containers.iter().enumerate();
        let volumes = volumes.iter().enumerate();
        containers
            .map(|(index, container)| NamedImage {
                index,
                name: &container.name,
                reference: &container.image,
                never_pulled: container.pull_policy.never,
            })
            .chain(volumes.filter_map(|(index, volume)| {
                let source = volume.image.as_ref()?;
                Some(NamedImage {
                    index,
                    name: &volume.name,
                    reference: &source.reference,
                    never_pulled: source.pull_policy.never,
                })
            }))
    }
}

/// The labels, in the order of the request.
#[derive(Debug, Default)]
pub(super) struct Labels<'a>(Vec<(Text<'a>, Text<'a>)>);

impl Labels<'_> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All labels, in the order of the request.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether the pod opted out with its label.
    pub(super) fn opted_out(&self) -> bool {
        mimic_core::Labels::get(self, OPT_OUT) == Some(OPTED_OUT)
    }
}

impl mimic_core::Labels for Labels<'_> {
    /// Searched from the end: if a label occurs twice, the last one counts.
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

/// The annotations: Mimic's and the kubelet's, and the size of all.
#[derive(Debug, Default)]
pub(super) struct Annotations<'a> {
    /// Whether the pod is the API server's copy of a static pod.
    pub(super) mirror_pod: bool,
    /// Whether the pod opted out with its annotation.
    pub(super) opted_out: bool,
    /// The original images that an earlier review recorded.
    pub(super) original_images: Option<Text<'a>>,
    /// Bytes of all keys and values, which Kubernetes limits.
    pub(super) size: usize,
}

impl<'a> View<'a> for Annotations<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        let value = if &*key == ORIGINAL_IMAGES {
            let value: Text<'a> = map.next_value()?;
            self.original_images.insert(value).len()
        } else if &*key == OPT_OUT {
            let value: Text<'a> = map.next_value()?;
            self.opted_out = &*value == OPTED_OUT;
            value.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_the_escaped_name() {
        assert_eq!(ORIGINAL_IMAGES_POINTER, ORIGINAL_IMAGES.replace('~', "~0").replace('/', "~1"));
    }
}
