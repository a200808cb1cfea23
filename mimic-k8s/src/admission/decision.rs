//! The result for one image.

use mimic_core::Outcome;

use super::container_kind::ContainerKind;

/// The result for one image of a pod.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The list that contains the image.
    pub kind: ContainerKind,
    /// Position in that list, from 0.
    pub index: usize,
    /// The name of the container or volume.
    pub name: &'a str,
    /// The image as written in the pod.
    pub image: &'a str,
    /// The outcome, and why.
    pub outcome: Outcome<'a>,
}
