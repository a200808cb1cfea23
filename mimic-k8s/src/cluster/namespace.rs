//! The namespace that Mimic runs in.

use std::path::Path;

/// The file with the namespace of a pod's service account
/// (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#without-using-a-proxy>).
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The first valid one of: the configured namespace, the variable `POD_NAMESPACE`, the service account's namespace. `None`
/// if there is none, which is the case outside a cluster.
pub fn own_namespace(configured: &str) -> Option<String> {
    choose(configured, std::env::var("POD_NAMESPACE").ok(), Path::new(SERVICE_ACCOUNT))
}

/// Whether this process runs in a pod that has a service account.
pub fn in_pod() -> bool {
    Path::new(SERVICE_ACCOUNT).exists()
}

fn choose(configured: &str, variable: Option<String>, file: &Path) -> Option<String> {
    let usable = |name: &String| is_namespace(name);
    (Some(configured.to_owned()).filter(usable))
        .or_else(|| variable.filter(usable))
        .or_else(|| std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned()).filter(usable))
}

/// Whether `name` is a label of RFC 1123 (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>).
fn is_namespace(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_valid_namespace_is_used() {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let file = folder.path().join("namespace");
        std::fs::write(&file, "from-file\n").expect("it can be written");
        let variable = || Some("from-variable".to_owned());
        assert_eq!(choose("configured", variable(), &file).as_deref(), Some("configured"));
        assert_eq!(choose("", variable(), &file).as_deref(), Some("from-variable"));
        assert_eq!(choose("", Some("Not A Name".to_owned()), &file).as_deref(), Some("from-file"));
        assert_eq!(choose("", None, &file).as_deref(), Some("from-file"));
        assert_eq!(choose("", None, &folder.path().join("absent")), None);
    }
}
