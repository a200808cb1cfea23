//! Recognises files of other tools that users pass in place of `mirrors.yaml`.

use std::borrow::Cow;

use crate::problem::Problem;
use crate::yaml::{Node, Value};

/// What a document is, and the format that `mimic import` reads it as; `None` if it does not.
type Found = (Cow<'static, str>, Option<&'static str>);

/// The problem with a document that another tool reads. `root` is the document as YAML, `None` if it is not YAML; `known`
/// are the keys of a rules file. A ConfigMap is not such a document: it can hold a rules file.
pub(crate) fn problem(name: &str, text: &str, root: Option<&Node>, known: &[&str]) -> Option<Problem> {
    let (what, format) = match root.map(|root| &root.value) {
        Some(Value::Null) => return None,
        Some(Value::Map(entries)) => in_mapping(entries).or_else(|| {
            let is_known = |key: &str| known.contains(&key) || key == "kind";
            let has_known = entries.iter().any(|(key, _)| text_of(key).is_some_and(is_known));
            if has_known { None } else { in_lines(text) }
        }),
        _ => in_lines(text),
    }?;
    let hint = match format {
        Some(format) => format!("convert it with `mimic import --from {format}`"),
        None => "write its mirrors as `upstream: mirror` under `mirrors`".to_owned(),
    };
    Some(Problem::new(name, format!("{what}, not a rules file")).with_hint(hint))
}

/// The problem with a Kubernetes object in place of a rules file.
pub(crate) fn kubernetes_object(name: &str, root: &Node) -> Option<Problem> {
    let kind = text_of(root.get("kind")?)?;
    root.get("apiVersion")?;
    let message = format!("a Kubernetes `{kind}`, not a rules file");
    Some(Problem::new(name, message).with_hint("the keys of a rules file are `mirrors` and `rules`"))
}

/// What a document is that another tool reads.
fn in_mapping(entries: &[(Node, Node)]) -> Option<Found> {
    let get = |name| entries.iter().find(|(key, _)| text_of(key) == Some(name)).map(|(_, value)| value);
    if let Some(kind) = get("kind").and_then(text_of) {
        let is_mirror_set = matches!(kind, "ImageDigestMirrorSet" | "ImageTagMirrorSet" | "ImageContentSourcePolicy");
        return is_mirror_set.then(|| (format!("an OpenShift `{kind}`").into(), Some("idms")));
    }
    if let Some(Value::Map(mirrors)) = get("mirrors").map(|mirrors| &mirrors.value) {
        let of_k3s = |mirror: &Node| mirror.get("endpoint").is_some() || mirror.get("rewrite").is_some();
        if mirrors.iter().any(|(_, mirror)| of_k3s(mirror)) {
            return Some(("a `registries.yaml` of k3s or RKE2".into(), Some("registries.yaml")));
        }
    }
    if get("registry-mirrors").is_some() {
        return Some(("a `daemon.json` of Docker".into(), None));
    }
    if get("machine").is_some_and(|machine| machine.get("registries").is_some()) {
        return Some(("a machine configuration of Talos".into(), None));
    }
    None
}

/// Formats that are not YAML.
fn in_lines(text: &str) -> Option<Found> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let of_line = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim_end();
        if line.starts_with("[host.") || (key == "server" && line.contains('=')) {
            Some(("a `hosts.toml` of containerd", Some("hosts.toml")))
        } else if line.starts_with("[[registry")
            || line.starts_with("[registries.")
            || key == "unqualified-search-registries"
        {
            Some(("a `registries.conf`", Some("registries.conf")))
        } else if line.starts_with("[plugins.") {
            Some(("a `config.toml` of containerd", None))
        } else {
            None
        }
    };
    if let Some((what, format)) = lines().find_map(of_line) {
        return Some((what.into(), format));
    }
    // Lines such as `docker.io::harbor.example.com/dockerhub`.
    let is_map = lines().all(|line| line.contains(':') && !line.contains(char::is_whitespace));
    (is_map && lines().any(|line| line.contains("::"))).then(|| ("a map file of imageswap".into(), Some("imageswap")))
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
