//! The Secret with the serving certificate: how others fill it, and how Mimic does.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

use super::{Cluster, ClusterError, Follower};

/// Marks a Secret whose contents are Mimic's own.
pub const MANAGED: &str = "mimic.cryptkcoding.com/managed";

/// What every annotation of cert-manager begins with.
pub(super) const CERT_MANAGER: &str = "cert-manager.io/";

/// The keys of a certificate and of its private key. The first pair that is complete is used: `tls.*` is what
/// Kubernetes itself and cert-manager write, so where both are, the other is what an older setup left behind.
const PAIRS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("cert.pem", "key.pem")];

/// A certificate and its private key, PEM, as a Secret holds them.
#[derive(Clone, Copy)]
pub struct PemPair<'a> {
    /// The certificate, followed by its intermediates.
    pub certificate: &'a [u8],
    /// The private key.
    pub key: &'a [u8],
    /// The Secret's keys under which the two were found.
    pub keys: (&'static str, &'static str),
}

/// Why a Secret has no certificate to serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncompleteSecret {
    /// It holds nothing.
    #[error("it is empty")]
    Empty,
    /// Half of a pair is not there.
    #[error("it has `{present}` and no `{missing}`")]
    Half {
        /// The key that is there.
        present: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// It holds other things.
    #[error("it has no certificate; its keys are {}", listed(.0))]
    Other(Vec<String>),
}

impl IncompleteSecret {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "it needs `tls.crt` and `tls.key`, or `cert.pem` and `key.pem`"
    }
}

fn listed(keys: &[String]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The certificate and the key in a Secret.
///
/// # Errors
/// [`IncompleteSecret`] when there is no complete pair.
pub fn pem_pair(secret: &Secret) -> Result<PemPair<'_>, IncompleteSecret> {
    let get =
        |key: &str| secret.data.as_ref()?.get(key).map(|value| value.0.as_slice()).filter(|value| !value.is_empty());
    for keys in PAIRS {
        if let (Some(certificate), Some(key)) = (get(keys.0), get(keys.1)) {
            return Ok(PemPair { certificate, key, keys });
        }
    }
    for (certificate, key) in PAIRS {
        match (get(certificate), get(key)) {
            (Some(_), None) => return Err(IncompleteSecret::Half { present: certificate, missing: key }),
            (None, Some(_)) => return Err(IncompleteSecret::Half { present: key, missing: certificate }),
            _ => {}
        }
    }
    let keys = filled_keys(secret);
    Err(if keys.is_empty() { IncompleteSecret::Empty } else { IncompleteSecret::Other(keys) })
}

fn filled_keys(secret: &Secret) -> Vec<String> {
    let data = secret.data.iter().flatten();
    data.filter(|(_, value)| !value.0.is_empty()).map(|(key, _)| key.clone()).collect()
}

/// Whose the contents of a Secret are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's: it is empty, and whoever wants it may take it.
    Nobody,
    /// Mimic's own.
    Mimic,
    /// Somebody else's; this says how that is known.
    Other(String),
}

/// Whose the contents of a Secret are, so that nobody's certificate is ever overwritten.
pub fn owner(secret: &Secret) -> Owner {
    let annotations = secret.metadata.annotations.iter().flatten();
    let mut names = annotations.map(|(name, _)| name.as_str());
    if let Some(name) = names.clone().find(|name| name.starts_with(CERT_MANAGER)) {
        return Owner::Other(format!("cert-manager keeps it, as its annotation `{name}` shows"));
    }
    if names.any(|name| name == MANAGED) {
        return Owner::Mimic;
    }
    let keys = filled_keys(secret);
    if keys.is_empty() {
        Owner::Nobody
    } else {
        Owner::Other(format!("it holds {}, which Mimic did not write", listed(&keys)))
    }
}

/// The one Secret that Mimic keeps its certificates in.
#[derive(Clone)]
pub struct CertificateSecret {
    api: Api<Secret>,
    name: String,
}

impl CertificateSecret {
    /// The Secret of this name in Mimic's namespace.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        Self { api: cluster.api(), name: name.to_owned() }
    }

    /// Follows it.
    pub fn follow(&self) -> Follower<Secret> {
        Follower::new(self.api.clone(), &self.name)
    }

    /// Whether it is still the same as when it was read.
    ///
    /// # Errors
    /// [`ClusterError`] when it cannot be read.
    pub async fn is_unchanged(&self, since: &Secret) -> Result<bool, ClusterError> {
        let now = self.api.get_opt(&self.name).await?;
        Ok(now.is_some_and(|now| now.metadata.resource_version == since.metadata.resource_version))
    }

    /// Puts `data` in place of what Mimic wrote into `current`, or into a new Secret if there is none.
    ///
    /// # Errors
    /// [`ClusterError`]; a conflict when it is no longer as it was when `current` was read.
    pub async fn write(&self, current: Option<&Secret>, data: BTreeMap<String, Vec<u8>>) -> Result<(), ClusterError> {
        let parameters = PostParams { field_manager: Some("mimic".to_owned()), ..PostParams::default() };
        let data: BTreeMap<String, ByteString> =
            data.into_iter().map(|(key, value)| (key, ByteString(value))).collect();
        let Some(current) = current else {
            let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "mimic".to_owned())]);
            let metadata = ObjectMeta { name: Some(self.name.clone()), labels: Some(labels), ..ObjectMeta::default() };
            let secret = marked(Secret { metadata, ..Secret::default() }, data);
            self.api.create(&parameters, &secret).await?;
            return Ok(());
        };
        // It carries the version that was read: the API server refuses it if there is a newer one.
        let secret = marked(current.clone(), data);
        self.api.replace(&self.name, &parameters, &secret).await?;
        Ok(())
    }
}

fn marked(mut secret: Secret, data: BTreeMap<String, ByteString>) -> Secret {
    secret.metadata.annotations.get_or_insert_default().insert(MANAGED.to_owned(), "true".to_owned());
    secret.data = Some(data);
    secret
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(data: &[(&str, &str)], annotations: &Value) -> Secret {
        let data: BTreeMap<&str, ByteString> =
            data.iter().map(|(key, value)| (*key, ByteString(value.as_bytes().to_vec()))).collect();
        serde_json::from_value(json!({"metadata": {"annotations": annotations}, "data": data})).expect("it is a Secret")
    }

    #[test]
    fn the_first_complete_pair_is_used() {
        let old = [("cert.pem", "old"), ("key.pem", "old")];
        let new = [("tls.crt", "new"), ("tls.key", "new")];
        for (data, expected) in [
            (new.to_vec(), Ok("new")),
            (old.to_vec(), Ok("old")),
            ([new, old].concat(), Ok("new")),
            ([&new[..1], &old].concat(), Ok("old")),
            (vec![("tls.crt", ""), ("tls.key", ""), old[0], old[1]], Ok("old")),
            (vec![], Err("it is empty")),
            (vec![("tls.crt", ""), ("tls.key", "")], Err("it is empty")),
            (vec![new[0]], Err("it has `tls.crt` and no `tls.key`")),
            (vec![old[1]], Err("it has `key.pem` and no `cert.pem`")),
            (vec![("ca.crt", "x"), ("password", "x")], Err("it has no certificate; its keys are `ca.crt`, `password`")),
        ] {
            let secret = secret(&data, &json!({}));
            let found = pem_pair(&secret).map(|pair| (pair.certificate, pair.key)).map_err(|error| error.to_string());
            let expected = expected.map(|text| (text.as_bytes(), text.as_bytes())).map_err(str::to_owned);
            assert_eq!(found, expected, "{data:?}");
        }
    }

    #[test]
    fn only_what_is_empty_or_marked_is_mimics_own() {
        let pair = [("tls.crt", "x"), ("tls.key", "x")];
        let nothing = [("tls.crt", ""), ("tls.key", "")];
        let other = |reason: &str| Owner::Other(reason.to_owned());
        let certs = "cert-manager keeps it, as its annotation `cert-manager.io/certificate-name` shows";
        for (data, annotations, expected) in [
            (&[][..], json!({}), Owner::Nobody),
            (&nothing, json!({"example.com/note": "shipped"}), Owner::Nobody),
            (&pair, json!({}), other("it holds `tls.crt`, `tls.key`, which Mimic did not write")),
            (&pair, json!({MANAGED: "true"}), Owner::Mimic),
            (&[], json!({MANAGED: "true"}), Owner::Mimic),
            (&[], json!({"cert-manager.io/certificate-name": "mimic"}), other(certs)),
            (&pair, json!({MANAGED: "true", "cert-manager.io/certificate-name": "mimic"}), other(certs)),
        ] {
            assert_eq!(owner(&secret(data, &annotations)), expected, "{data:?} {annotations}");
        }
    }
}
