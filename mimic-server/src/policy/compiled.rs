//! The rules, compiled for the policy.

use std::sync::Arc;

use mimic_core::{Catalog, Problem};
use mimic_k8s::cluster::{CONDITION, PolicyApi, PolicyContent};
use mimic_k8s::policy::{ApiVersion, PolicyError, PolicySettings, compile};
use serde_json::Value;

/// What the policy is to have.
pub(super) struct Compiled {
    pub(super) content: PolicyContent,
    /// Identifies the content, and is in the policy's annotations.
    pub(super) hash: String,
    /// How many rules the policy has.
    pub(super) rules: usize,
    /// The rules that it leaves to the webhook, and why.
    pub(super) left: Vec<String>,
    /// The expression of the webhook's condition, if there is one.
    pub(super) condition: Option<String>,
}

/// Compiles rules for the policy.
pub(crate) struct Compiler {
    settings: Arc<PolicySettings>,
}

impl Compiler {
    pub(crate) fn new(settings: PolicySettings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// Compiles the current rules, without blocking the other tasks of this thread.
    pub(super) async fn compile(&self, catalog: &Arc<Catalog>, api: PolicyApi) -> Result<Compiled, Problem> {
        let (catalog, settings) = (Arc::clone(catalog), Arc::clone(&self.settings));
        let version = match api {
            PolicyApi::V1 => ApiVersion::V1,
            PolicyApi::V1Beta1 => ApiVersion::V1Beta1,
        };
        let compiling = tokio::task::spawn_blocking(move || {
            let policy = compile(&catalog.rewriter(), &settings)?;
            Ok(Compiled {
                content: PolicyContent::of(&policy.object(version)),
                hash: policy.hash().to_owned(),
                rules: policy.claimed(),
                left: policy.left().iter().map(ToString::to_string).collect(),
                condition: expression(policy.match_conditions()),
            })
        });
        match compiling.await {
            Ok(compiled) => compiled.map_err(|error: PolicyError| Problem::from_error("admission policy", &error)),
            Err(error) => Err(Problem::new("admission policy", format!("compiling it failed: {error}"))),
        }
    }
}

/// The expression of the condition that Mimic keeps up to date.
fn expression(conditions: &[Value]) -> Option<String> {
    let condition = conditions.iter().find(|condition| condition["name"] == CONDITION)?;
    Some(condition["expression"].as_str()?.to_owned())
}
