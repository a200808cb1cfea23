//! The entries `images` of a kustomization.

use mimic_k8s::admission::ContainerKind;

use crate::found::{Found, Image, Unit};
use crate::scalar::Type;
use crate::tree::{Id, Tree, Unclear};

/// The API group of Flux' Kustomization, which has the same entries in its `spec`.
pub(crate) const FLUX: &str = "kustomize.toolkit.fluxcd.io";

/// Whether an object is a kustomization or a component of one.
pub(crate) fn is_kustomization(kind: Option<&str>, group: Option<&str>) -> bool {
    match kind {
        Some("Kustomization") => matches!(group, Some("kustomize.config.k8s.io" | FLUX)),
        Some("Component") => group == Some("kustomize.config.k8s.io"),
        _ => false,
    }
}

/// Finds the images. An entry's image is its `newName`, or else its `name`, with `newTag` and `digest`.
pub(crate) fn find(tree: &Tree<'_>, id: Id, of_flux: bool, found: &mut Found) -> Result<(), Unclear> {
    let (object, namespace) = if of_flux {
        let Some(spec) = tree.get(id, "spec")? else { return Ok(()) };
        (spec, "targetNamespace")
    } else {
        (id, "namespace")
    };
    let Some(images) = tree.get(object, "images")? else { return Ok(()) };
    let namespace = tree.get(object, namespace)?.and_then(|id| tree.string(id)).map(str::to_owned);
    let mut unit = Unit { namespace, ..Unit::default() };
    for entry in tree.items(images) {
        // An unquoted tag such as `1.27` is a number, which kustomize reads as written.
        let text = |name: &str| Ok(tree.get(entry, name)?.filter(|&id| tree.type_of(id) != Type::Null));
        let mut after = String::new();
        for (name, separator) in [("newTag", ':'), ("digest", '@')] {
            if let Some(value) = text(name)? {
                after.push(separator);
                after.push_str(tree.text(value));
            }
        }
        unit.names.extend(tree.get(entry, "name")?.filter(|&name| tree.string(name).is_some()));
        let Some(node) = tree.get(entry, "newName")? else { continue };
        match tree.string(node) {
            Some(new_name) => unit.images.push(Image {
                node,
                kind: ContainerKind::Container,
                name: String::new(),
                reference: format!("{new_name}{after}"),
                before: "",
                after,
                pull_policy: None,
            }),
            None => found.not_string(tree, node),
        }
    }
    if !unit.images.is_empty() || !unit.names.is_empty() {
        found.units.push(unit);
    }
    Ok(())
}
