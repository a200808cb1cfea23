//! The mutating admission policy that Mimic writes, and its binding.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::connect::Cluster;
use super::error::ClusterError;
use super::policy_api::PolicyApi;
use super::policy_content::{FINGERPRINT, PolicyContent, fingerprint};
use super::secret::MANAGED;
use super::watch::ObjectWatch;

/// A policy or a binding, as the API server stores it.
pub type StoredObject = kube::api::DynamicObject;

/// How a stored policy compares with the content that Mimic wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyState {
    /// There is no policy.
    Absent,
    /// It was not written by Mimic.
    Foreign,
    /// It has the content, and the binding owns it.
    UpToDate,
    /// It has the content, but the binding does not own it.
    OtherOwner,
    /// It has other content, exactly as another replica, or this one earlier, wrote it.
    OtherContent,
    /// Another client changed it after Mimic wrote it.
    Modified,
}

/// The binding does not apply the policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it binds the policy `{bound}`")]
pub struct OtherPolicyBound {
    bound: String,
}

/// The policy of one name, and the binding of the same name. Mimic writes the policy. The binding comes with Mimic's other
/// objects and owns the policy, so that the policy is deleted with it.
#[derive(Clone)]
pub struct PolicyObject {
    name: String,
    api: PolicyApi,
    policies: Api<StoredObject>,
    bindings: Api<StoredObject>,
}

impl PolicyObject {
    /// The policy and the binding of this name.
    pub fn new(cluster: &Cluster, name: &str, api: PolicyApi) -> Self {
        Self {
            name: name.to_owned(),
            api,
            policies: Api::all_with(cluster.client().clone(), &api.policies()),
            bindings: Api::all_with(cluster.client().clone(), &api.bindings()),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the API that it uses.
    pub fn api(&self) -> PolicyApi {
        self.api
    }

    /// Watches the policy.
    pub fn watch(&self) -> ObjectWatch<StoredObject> {
        ObjectWatch::new(self.policies.clone(), &self.name)
    }

    /// Watches the binding.
    pub fn watch_binding(&self) -> ObjectWatch<StoredObject> {
        ObjectWatch::new(self.bindings.clone(), &self.name)
    }

    /// Whether the binding still exists.
    ///
    /// # Errors
    /// [`ClusterError`] if it cannot be read.
    pub async fn is_bound(&self, binding: &StoredObject) -> Result<bool, ClusterError> {
        let now = self.bindings.get_opt(&self.name).await?;
        Ok(now.is_some_and(|now| now.metadata.uid == binding.metadata.uid && now.metadata.deletion_timestamp.is_none()))
    }

    /// The reference that makes the binding the owner of the policy.
    ///
    /// # Errors
    /// [`OtherPolicyBound`] if the binding applies another policy.
    pub fn owner(&self, binding: &StoredObject) -> Result<OwnerReference, OtherPolicyBound> {
        let bound = binding.data["spec"]["policyName"].as_str().unwrap_or_default();
        if bound != self.name {
            return Err(OtherPolicyBound { bound: bound.to_owned() });
        }
        Ok(OwnerReference {
            api_version: self.api.api_version().to_owned(),
            kind: self.api.bindings().kind,
            name: self.name.clone(),
            uid: binding.metadata.uid.clone().unwrap_or_default(),
            ..OwnerReference::default()
        })
    }

    /// Compares the stored policy with the content that Mimic wants.
    pub fn state(&self, stored: Option<&StoredObject>, content: &PolicyContent, owner: &OwnerReference) -> PolicyState {
        let Some(stored) = stored else { return PolicyState::Absent };
        let annotation = |name: &str| stored.metadata.annotations.as_ref()?.get(name);
        if annotation(MANAGED).is_none() {
            return PolicyState::Foreign;
        }
        if annotation(FINGERPRINT) != Some(&fingerprint(&stored.data["spec"])) {
            return PolicyState::Modified;
        }
        if content.annotations.iter().any(|(name, value)| annotation(name) != Some(value)) {
            return PolicyState::OtherContent;
        }
        if !stored.metadata.owner_references.iter().flatten().any(|known| known == owner) {
            return PolicyState::OtherOwner;
        }
        PolicyState::UpToDate
    }

    /// Creates the policy, or replaces the content of `stored`, and returns the stored object. Labels, annotations and owners
    /// of others stay.
    ///
    /// # Errors
    /// [`ClusterError`]. A conflict if the policy was changed or created since `stored` was read.
    pub async fn write(
        &self,
        stored: Option<&StoredObject>,
        content: &PolicyContent,
        owner: OwnerReference,
    ) -> Result<StoredObject, ClusterError> {
        let parameters = PostParams { field_manager: Some("mimic".to_owned()), ..PostParams::default() };
        let mut object = StoredObject::new(&self.name, &self.api.policies()).data(json!({"spec": content.spec}));
        if let Some(stored) = stored {
            // It has the version that was read, so the API server rejects it if there is a newer one.
            object.metadata = stored.metadata.clone();
            object.metadata.managed_fields = None;
        }
        let metadata = &mut object.metadata;
        metadata.labels.get_or_insert_default().extend(content.labels.clone());
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.extend(content.annotations.clone());
        annotations.insert(MANAGED.to_owned(), "true".to_owned());
        let owners = metadata.owner_references.get_or_insert_default();
        owners.retain(|known| known.kind != owner.kind);
        owners.push(owner);
        Ok(match stored {
            Some(_) => self.policies.replace(&self.name, &parameters, &object).await?,
            None => self.policies.create(&parameters, &object).await?,
        })
    }
}
