//! Which version of the API for mutating admission policies the API server has.

use kube::core::ApiResource;

use super::connect::Cluster;
use super::error::{ClusterError, ClusterErrorKind};

const GROUP: &str = "admissionregistration.k8s.io";
const POLICIES: &str = "mutatingadmissionpolicies";
const BINDINGS: &str = "mutatingadmissionpolicybindings";

/// A version of the API for mutating admission policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyApi {
    /// On by default since Kubernetes 1.36.
    V1,
    /// In Kubernetes 1.34 and 1.35, if it is enabled.
    V1Beta1,
}

impl PolicyApi {
    /// All versions, the preferred one first.
    const ALL: [Self; 2] = [Self::V1, Self::V1Beta1];

    /// The `apiVersion` of its objects.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "admissionregistration.k8s.io/v1",
            Self::V1Beta1 => "admissionregistration.k8s.io/v1beta1",
        }
    }

    /// The preferred version that the API server has; `None` if it has none.
    ///
    /// # Errors
    /// [`ClusterError`] if the API server does not say.
    pub async fn discover(cluster: &Cluster) -> Result<Option<Self>, ClusterError> {
        for version in Self::ALL {
            let listed = cluster.client().list_api_group_resources(version.api_version()).await;
            let resources = match listed.map_err(ClusterError::from) {
                Ok(listed) => listed.resources,
                Err(error) if error.kind() == ClusterErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let has = |name: &str| resources.iter().any(|resource| resource.name == name);
            if has(POLICIES) && has(BINDINGS) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The resource of policies.
    pub(super) fn policies(self) -> ApiResource {
        self.resource("MutatingAdmissionPolicy", POLICIES)
    }

    /// The resource of bindings.
    pub(super) fn bindings(self) -> ApiResource {
        self.resource("MutatingAdmissionPolicyBinding", BINDINGS)
    }

    fn resource(self, kind: &str, plural: &str) -> ApiResource {
        let version = match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        };
        ApiResource {
            group: GROUP.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version().to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }
}
