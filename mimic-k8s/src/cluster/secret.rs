//! The Secret with the serving certificate, filled by Mimic or by other tools.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use mimic_core::Hint;

use super::connect::Cluster;
use super::error::ClusterError;
use super::watch::ObjectWatch;

/// The annotation that marks a Secret as written by Mimic.
pub const MANAGED: &str = "mimic.cryptkcoding.com/managed";

/// The prefix of cert-manager's annotations.
pub(super) const CERT_MANAGER: &str = "cert-manager.io/";

/// The keys of a certificate and its private key. The first complete pair is used. Kubernetes and cert-manager write
/// `tls.*`, so if both pairs exist, the other one is from an older setup.
const PAIRS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("cert.pem", "key.pem")];

/// A certificate and its private key in a Secret, in PEM.
#[derive(Clone, Copy)]
pub struct PemPair<'a> {
    /// The certificate, followed by its intermediates.
    pub certificate: &'a [u8],
    /// The private key.
    pub key: &'a [u8],
    /// The keys of the Secret that contain the two.
    pub keys: (&'static str, &'static str),
}

/// Why a Secret has no certificate to serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncompleteSecret {
    /// It has no data.
    #[error("no data")]
    Empty,
    /// The certificate or the private key is missing.
    #[error("`{missing}` is missing, `{present}` exists")]
    Half {
        /// The key that exists.
        present: &'static str,
        /// The key that is missing.
        missing: &'static str,
    },
    /// It has only other keys.
    #[error("no certificate; keys: {}", listed(.0))]
    Other(Vec<String>),
}

impl Hint for IncompleteSecret {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("add `tls.crt` and `tls.key`, or `cert.pem` and `key.pem`".into())
    }
}

fn listed(keys: &[String]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The certificate and the private key in a Secret.
///
/// # Errors
/// [`IncompleteSecret`] if there is no complete pair.
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

/// The owner of a Secret's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    /// None: the Secret is empty, and Mimic can fill it.
    Unowned,
    /// Mimic.
    Mimic,
    /// Another tool. The text is how that is known.
    Other(String),
}

/// The owner of a Secret's data. Mimic never overwrites the certificate of another owner.
pub fn secret_owner(secret: &Secret) -> SecretOwner {
    let annotations = secret.metadata.annotations.iter().flatten();
    let mut names = annotations.map(|(name, _)| name.as_str());
    if let Some(name) = names.clone().find(|name| name.starts_with(CERT_MANAGER)) {
        return SecretOwner::Other(format!("managed by cert-manager (annotation `{name}`)"));
    }
    if names.any(|name| name == MANAGED) {
        return SecretOwner::Mimic;
    }
    let keys = filled_keys(secret);
    if keys.is_empty() {
        SecretOwner::Unowned
    } else {
        SecretOwner::Other(format!("has {}, which Mimic did not write", listed(&keys)))
    }
}

/// The Secret with the serving certificate.
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

    /// Watches it.
    pub fn watch(&self) -> ObjectWatch<Secret> {
        ObjectWatch::new(self.api.clone(), &self.name)
    }

    /// Whether the stored Secret is still the version `since`.
    ///
    /// # Errors
    /// [`ClusterError`] if it cannot be read.
    pub async fn is_unchanged(&self, since: &Secret) -> Result<bool, ClusterError> {
        let now = self.api.get_opt(&self.name).await?;
        Ok(now.is_some_and(|now| now.metadata.resource_version == since.metadata.resource_version))
    }

    /// Replaces the data of `current`, or creates the Secret if `current` is `None`.
    ///
    /// # Errors
    /// [`ClusterError`]. A conflict if the Secret was changed or created since `current` was read.
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
        // It has the version that was read, so the API server rejects it if there is a newer one.
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
            (vec![], Err("no data")),
            (vec![("tls.crt", ""), ("tls.key", "")], Err("no data")),
            (vec![new[0]], Err("`tls.key` is missing, `tls.crt` exists")),
            (vec![old[1]], Err("`cert.pem` is missing, `key.pem` exists")),
            (vec![("ca.crt", "x"), ("password", "x")], Err("no certificate; keys: `ca.crt`, `password`")),
        ] {
            let secret = secret(&data, &json!({}));
            let found = pem_pair(&secret).map(|pair| (pair.certificate, pair.key)).map_err(|error| error.to_string());
            let expected = expected.map(|text| (text.as_bytes(), text.as_bytes())).map_err(str::to_owned);
            assert_eq!(found, expected, "{data:?}");
        }
    }

    #[test]
    fn only_an_empty_or_marked_secret_is_written() {
        let pair = [("tls.crt", "x"), ("tls.key", "x")];
        let nothing = [("tls.crt", ""), ("tls.key", "")];
        let other = |reason: &str| SecretOwner::Other(reason.to_owned());
        let certs = "managed by cert-manager (annotation `cert-manager.io/certificate-name`)";
        for (data, annotations, expected) in [
            (&[][..], json!({}), SecretOwner::Unowned),
            (&nothing, json!({"example.com/note": "shipped"}), SecretOwner::Unowned),
            (&pair, json!({}), other("has `tls.crt`, `tls.key`, which Mimic did not write")),
            (&pair, json!({MANAGED: "true"}), SecretOwner::Mimic),
            (&[], json!({MANAGED: "true"}), SecretOwner::Mimic),
            (&[], json!({"cert-manager.io/certificate-name": "mimic"}), other(certs)),
            (&pair, json!({MANAGED: "true", "cert-manager.io/certificate-name": "mimic"}), other(certs)),
        ] {
            assert_eq!(secret_owner(&secret(data, &annotations)), expected, "{data:?} {annotations}");
        }
    }
}
