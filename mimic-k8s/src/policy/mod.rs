//! Rules as a `MutatingAdmissionPolicy`: expressions in CEL that the API server evaluates itself, without Mimic.
//!
//! [`compile`] translates compiled rules into the objects of the API. What CEL cannot express exactly is left to the
//! webhook: the policy does not change such images. So policy and webhook never disagree, and [`Policy::left`] lists the
//! rules that need the webhook.
//!
//! ```
//! use mimic_core::{Rewriter, Rule};
//! use mimic_k8s::policy::{ApiVersion, PolicySettings, compile};
//!
//! let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
//! let rewriter = Rewriter::new([("mine", rules.into())]);
//! let policy = compile(&rewriter, &PolicySettings::default())?;
//! assert_eq!(policy.object(ApiVersion::V1)["kind"], "MutatingAdmissionPolicy");
//! assert_eq!((policy.claimed(), policy.left()), (1, &[][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It is pure: it sends no request to a cluster.

mod alternative;
mod done;
mod expression;
mod left;
mod literal;
mod lookup;
mod object;
mod stages;

use std::borrow::Cow;

use mimic_core::internal::{Globs, named_variants};
use mimic_core::{Hint, Rewriter};
use serde_json::{Value, json};

use crate::admission::ReviewSettings;
pub use left::LeftRule;
use lookup::Lookup;

/// The annotation with the [hash](Policy::hash) of the policy.
pub const HASH: &str = "mimic.cryptkcoding.com/policy-hash";
/// The annotation with the version of Mimic that wrote the policy.
pub const VERSION: &str = "mimic.cryptkcoding.com/version";

/// Largest spec, in bytes of JSON. etcd accepts requests of 1.5 MiB.
const MAX_BYTES: usize = 1_400_000;

named_variants! {
    /// Versions of the API `admissionregistration.k8s.io` that have policies.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum ApiVersion {
        /// Kubernetes 1.36 and later.
        #[default]
        V1 = "v1",
        /// Kubernetes 1.34 and 1.35, where it must be enabled.
        V1Beta1 = "v1beta1",
    }
}

/// Settings of a policy. They should be those of the webhook.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// Name of the policy and of its binding.
    pub name: String,
    /// Record the original images in an annotation of the pod.
    pub annotate: bool,
    /// Namespaces whose pods are skipped. Mimic's own should be one.
    pub excluded_namespaces: Globs,
}

impl Default for PolicySettings {
    /// The name `mimic`, and the defaults of [`ReviewSettings`].
    fn default() -> Self {
        let ReviewSettings { annotate, excluded_namespaces, .. } = ReviewSettings::default();
        Self { name: "mimic".to_owned(), annotate, excluded_namespaces }
    }
}

/// Why there is no policy for rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The policy would be larger than an object can be. The numbers are bytes.
    #[error("the policy would have {size} bytes, more than the {MAX_BYTES} that the API server can store")]
    TooLarge {
        /// The size that it would have.
        size: usize,
    },
    /// A glob for namespaces has no equivalent in CEL.
    #[error("the excluded namespaces have no equivalent in CEL")]
    Namespaces,
}

impl Hint for PolicyError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::TooLarge { .. } => "use fewer rules, or the webhook only".into(),
            Self::Namespaces => "use shorter globs, or names".into(),
        })
    }
}

/// A compiled policy.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    spec: Value,
    binding: Value,
    conditions: Vec<Value>,
    hash: String,
    left: Vec<LeftRule>,
    claimed: usize,
}

/// Compiles rules into a policy. Equal rules and settings give equal policies.
///
/// # Errors
/// [`PolicyError`] if there can be no such policy.
pub fn compile(rewriter: &Rewriter, settings: &PolicySettings) -> Result<Policy, PolicyError> {
    let lookup = Lookup::new(rewriter);
    let spec = object::policy_spec(&lookup, settings.annotate, &settings.excluded_namespaces)
        .ok_or(PolicyError::Namespaces)?;
    let text = spec.to_string();
    if text.len() > MAX_BYTES {
        return Err(PolicyError::TooLarge { size: text.len() });
    }
    Ok(Policy {
        binding: object::binding_spec(&settings.name, &settings.excluded_namespaces),
        name: settings.name.clone(),
        spec,
        conditions: done::conditions(rewriter),
        hash: hash(&text),
        left: lookup.left,
        claimed: lookup.claimed,
    })
}

impl Policy {
    /// The `MutatingAdmissionPolicy`. Its annotations have Mimic's version and the [hash](Self::hash).
    pub fn object(&self, version: ApiVersion) -> Value {
        let mut object = self.of_kind("MutatingAdmissionPolicy", version, &self.spec);
        object["metadata"]["annotations"] = json!({HASH: self.hash, VERSION: env!("CARGO_PKG_VERSION")});
        object
    }

    /// The `MutatingAdmissionPolicyBinding`, without which the policy has no effect.
    pub fn binding(&self, version: ApiVersion) -> Value {
        self.of_kind("MutatingAdmissionPolicyBinding", version, &self.binding)
    }

    /// `matchConditions` for the webhook, in addition to its own, which spare the call for pods whose images are all on a
    /// mirror. None if there are too many locations.
    pub fn match_conditions(&self) -> &[Value] {
        &self.conditions
    }

    /// The rules that are left to the webhook, in order of precedence.
    pub fn left(&self) -> &[LeftRule] {
        &self.left
    }

    /// Number of rules that the policy has.
    pub fn claimed(&self) -> usize {
        self.claimed
    }

    /// A hash of the spec: 32 hex digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    fn of_kind(&self, kind: &str, version: ApiVersion, spec: &Value) -> Value {
        json!({
            "apiVersion": format!("admissionregistration.k8s.io/{}", version.as_str()),
            "kind": kind,
            "metadata": {"name": self.name, "labels": {"app.kubernetes.io/name": "mimic"}},
            "spec": spec,
        })
    }
}

/// [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) with 128 bits, which stays the same in all versions.
fn hash(text: &str) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv() {
        assert_eq!(hash(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(hash("a"), "d228cb696f1a8caf78912b704e4a8964");
    }
}
