//! Which scalars of a document are images, and what decides about each.

use mimic_k8s::admission::ContainerKind;

use crate::found::{Found, Image, Unit};
use crate::image_path::ImagePaths;
use crate::kustomization;
use crate::scalar::Type;
use crate::tree::{Id, Tree, Unclear};

/// Searches a document.
///
/// # Errors
/// If a key on the way to an image occurs twice, or aliases expand to too much.
pub(crate) fn find(tree: &Tree<'_>, paths: &ImagePaths, is_kustomization: bool) -> Result<Found, Unclear> {
    let mut search = Search { tree, paths, found: Found::default(), visits: 0 };
    if tree.type_of_root() == Some(Type::Map) {
        search.object(tree.root, None, is_kustomization)?;
    }
    Ok(search.found)
}

impl Tree<'_> {
    fn type_of_root(&self) -> Option<Type> {
        (self.root != crate::tree::NONE).then(|| self.type_of(self.root))
    }
}

/// The group in an `apiVersion`; empty for the core.
fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

struct Search<'s> {
    tree: &'s Tree<'s>,
    paths: &'s ImagePaths,
    found: Found,
    /// Nodes that were visited, to limit what aliases expand to.
    visits: usize,
}

impl Search<'_> {
    /// An object of Kubernetes, or a list of them. `default` is the kind and the `apiVersion` of the items of a typed list,
    /// which have none of their own.
    fn object(&mut self, id: Id, default: Option<(&str, &str)>, is_kustomization: bool) -> Result<(), Unclear> {
        self.visit()?;
        let tree = self.tree;
        let text = |name| Ok(tree.get(id, name)?.and_then(|id| tree.string(id)));
        let kind = text("kind")?.or(default.map(|(kind, _)| kind));
        let version = text("apiVersion")?.or(default.map(|(_, version)| version));
        if is_kustomization || kustomization::is_kustomization(kind, version.map(group)) {
            let of_flux = version.map(group) == Some(kustomization::FLUX);
            return kustomization::find(tree, id, of_flux, &mut self.found);
        }
        let (Some(kind), Some(version)) = (kind, version) else { return Ok(()) };
        if let Some(item_kind) = kind.strip_suffix("List")
            && let Some(items) = tree.get(id, "items")?
        {
            // A `List` and a `ResourceList` of kustomize have objects of any kind.
            let is_typed = !(item_kind.is_empty() || item_kind == "Resource");
            let default = is_typed.then_some((item_kind, version));
            for item in tree.items(items) {
                self.object(item, default, false)?;
            }
            return Ok(());
        }
        let group = group(version);
        let metadata = tree.get(id, "metadata")?;
        let namespace = self.namespace(metadata)?;
        if (kind, group) == ("Pod", "") {
            self.pod(id, namespace.as_deref())?;
        }
        for path in self.paths.templates(kind, group) {
            for template in self.follow(id, path)? {
                self.pod(template, namespace.as_deref())?;
            }
        }
        let mut unit = Unit { namespace, metadata, ..Unit::default() };
        for path in self.paths.images(kind, group) {
            for node in self.follow(id, path)? {
                self.add(&mut unit, ContainerKind::Container, node, None, None);
            }
        }
        self.push(unit);
        Ok(())
    }

    fn push(&mut self, unit: Unit) {
        if !unit.images.is_empty() {
            self.found.units.push(unit);
        }
    }

    fn namespace(&self, metadata: Option<Id>) -> Result<Option<String>, Unclear> {
        let Some(metadata) = metadata else { return Ok(None) };
        let namespace = self.tree.get(metadata, "namespace")?.and_then(|id| self.tree.string(id));
        Ok(namespace.filter(|namespace| !namespace.is_empty()).map(str::to_owned))
    }

    /// A pod, or the template of pods.
    fn pod(&mut self, id: Id, namespace: Option<&str>) -> Result<(), Unclear> {
        let tree = self.tree;
        let Some(spec) = tree.get(id, "spec")? else { return Ok(()) };
        let namespace = namespace.map(str::to_owned);
        let mut unit = Unit { namespace, metadata: tree.get(id, "metadata")?, ..Unit::default() };
        if let Some(secrets) = tree.get(spec, "imagePullSecrets")? {
            for secret in tree.items(secrets) {
                let name = tree.get(secret, "name")?.and_then(|id| tree.string(id));
                unit.pull_secrets.extend(name.map(str::to_owned));
            }
        }
        for &kind in ContainerKind::ALL {
            let (list, policy) = match kind {
                ContainerKind::InitContainer => ("initContainers", "imagePullPolicy"),
                ContainerKind::Container => ("containers", "imagePullPolicy"),
                ContainerKind::EphemeralContainer => ("ephemeralContainers", "imagePullPolicy"),
                ContainerKind::Volume => ("volumes", "pullPolicy"),
            };
            let Some(list) = tree.get(spec, list)? else { continue };
            for item in tree.items(list) {
                self.visit()?;
                let name = tree.get(item, "name")?;
                let Some(image) = tree.get(item, "image")? else { continue };
                let (image, policy) = if kind == ContainerKind::Volume {
                    let Some(reference) = tree.get(image, "reference")? else { continue };
                    (reference, tree.get(image, policy)?)
                } else {
                    (image, tree.get(item, policy)?)
                };
                self.add(&mut unit, kind, image, name, policy);
            }
        }
        self.push(unit);
        Ok(())
    }

    fn add(&mut self, unit: &mut Unit, kind: ContainerKind, node: Id, name: Option<Id>, policy: Option<Id>) {
        let text = |id: Option<Id>| id.and_then(|id| self.tree.string(id)).map(str::to_owned);
        match self.tree.string(node) {
            Some(text_of_node) => {
                let scheme = ["oci://", "docker://"].into_iter().find(|scheme| text_of_node.starts_with(scheme));
                let before = scheme.unwrap_or_default();
                unit.images.push(Image {
                    node,
                    kind,
                    name: text(name).unwrap_or_default(),
                    reference: text_of_node[before.len()..].to_owned(),
                    before,
                    after: String::new(),
                    pull_policy: text(policy),
                });
            }
            None => self.found.not_string(self.tree, node),
        }
    }

    /// The nodes that a path leads to.
    fn follow(&mut self, id: Id, path: &[String]) -> Result<Vec<Id>, Unclear> {
        let mut nodes = vec![id];
        for part in path {
            let mut next = Vec::new();
            for node in nodes {
                self.visit()?;
                match (part.as_str(), self.tree.type_of(node)) {
                    ("*", Type::List) => next.extend(self.tree.items(node)),
                    ("*", Type::Map) => next.extend(self.tree.entries(node)?.into_iter().map(|(_, value)| value)),
                    (index, Type::List) => {
                        next.extend(index.parse().ok().and_then(|index: usize| self.tree.items(node).nth(index)));
                    }
                    (key, _) => next.extend(self.tree.get(node, key)?),
                }
            }
            nodes = next;
        }
        Ok(nodes)
    }

    fn visit(&mut self) -> Result<(), Unclear> {
        self.visits += 1;
        let limit = 1_000_000 + self.tree.nodes.len().saturating_mul(200);
        if self.tree.has_aliases && self.visits > limit { Err(Unclear::TooManyAliases) } else { Ok(()) }
    }
}
