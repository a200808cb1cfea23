//! Keeps the rules up to date in a `MutatingAdmissionPolicy`, so that the API server rewrites pods also while Mimic is down.
//!
//! Nothing here affects reviews: if the policy cannot be written, it stays as it is, and the reason is reported.

mod changes;
mod compiled;
mod condition;
mod kept;
mod reporter;
mod step;

use std::sync::Arc;
use std::time::Duration;

use mimic_core::{Catalog, Problem};
use mimic_k8s::cluster::{Cluster, ClusterError, ClusterErrorKind, PolicyApi, PolicyObject, ReplicaEvents};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::{Backoff, around};
use crate::health::Health;
use crate::settings::{Policy, Settings};
use changes::Changes;
pub(crate) use compiled::Compiler;
use condition::Condition;
use kept::Kept;
use reporter::Reporter;

/// How often discovery is repeated: an upgrade of the API server can add or remove a version of the API.
const DISCOVERY: Duration = Duration::from_mins(1);

/// Keeps the policy up to date.
pub(crate) struct PolicyKeeper {
    cluster: Cluster,
    name: String,
    /// Name of the policy in messages.
    label: String,
    compiler: Compiler,
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    /// Notified when rules were published.
    published: Arc<Notify>,
    reporter: Reporter,
    condition: Condition,
}

impl PolicyKeeper {
    /// Keeps the policy of this name, and the condition in the webhook configuration `webhook`, for the Service of the
    /// certificate. `published` is notified when the catalog has new rules.
    pub(crate) fn new(
        cluster: &Cluster,
        settings: &Settings,
        policy: &Policy,
        compiler: Compiler,
        catalog: Arc<Catalog>,
        health: Arc<Health>,
        published: Arc<Notify>,
    ) -> Self {
        let name = &policy.name;
        let label = format!("MutatingAdmissionPolicy {name}");
        // The kubelet sets it to the name of the pod.
        let pod = std::env::var("HOSTNAME").ok().filter(|pod| settings.events && !pod.is_empty());
        let events = pod.map(|pod| ReplicaEvents::new(cluster, &pod));
        let reporter = Reporter::new(label.clone(), Arc::clone(&health), events);
        let condition = Condition::new(cluster, &settings.certificate.webhook, &settings.certificate.service);
        Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
            label,
            compiler,
            catalog,
            health,
            published,
            reporter,
            condition,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let pause = match PolicyApi::discover(&self.cluster).await {
                Ok(Some(api)) => {
                    log::info!(policy = self.label.as_str(), api = api.api_version(); "keeping the admission policy up to date");
                    if self.keep(api).await {
                        backoff.reset();
                        Duration::ZERO
                    } else {
                        backoff.next(None)
                    }
                }
                Ok(None) => {
                    backoff.reset();
                    let problem =
                        Problem::new(&self.label, "the API server has no API for mutating admission policies");
                    self.reporter.problem(&problem.with_hint(
                        "Kubernetes 1.36 and later have it; 1.34 and 1.35 need the feature gate `MutatingAdmissionPolicy` \
                         and `--runtime-config=admissionregistration.k8s.io/v1beta1=true`; or set `MIMIC_POLICY_ENABLED=false`",
                    ));
                    around(DISCOVERY)
                }
                Err(error) => {
                    self.reporter.problem(&Problem::from_error(&self.label, &error));
                    backoff.next(None)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Keeps the policy up to date for as long as the API server has this version of the API. Returns whether it has another
    /// one now; otherwise, the version may be gone.
    async fn keep(&mut self, api: PolicyApi) -> bool {
        let object = PolicyObject::new(&self.cluster, &self.name, api);
        let (mut policies, mut bindings) = (object.watch(), object.watch_binding());
        let mut configurations = self.condition.watch();
        let mut kept = Kept::new(object, &self.label);
        let mut changes = Changes::default();
        changes.note(Instant::now());
        let mut discovery = Instant::now() + around(DISCOVERY);
        loop {
            if changes.take(Instant::now()) {
                kept.compile(&self.compiler, &self.catalog, &self.health, &mut self.reporter).await;
                if let Some(expression) = kept.expression() {
                    self.condition.want(expression);
                }
            }
            let again = kept.act(&mut self.reporter).await.min(self.condition.act().await);
            self.reporter.condition(self.condition.failure());
            let wake = changes.due().into_iter().fold(discovery.min(Instant::now() + again), Instant::min);
            let failure = tokio::select! {
                policy = policies.next() => kept.note_policy(policy, &mut self.reporter).err(),
                binding = bindings.next() => kept.note_binding(binding).err(),
                configuration = configurations.next() => {
                    self.condition.note(configuration);
                    None
                }
                () = self.published.notified() => {
                    changes.note(Instant::now());
                    None
                }
                () = tokio::time::sleep_until(wake) => None,
            };
            if let Some(error) = failure {
                self.reporter.problem(&Problem::from_error(&self.label, &error));
                if is_gone(&error) {
                    return false;
                }
            }
            if Instant::now() >= discovery {
                discovery = Instant::now() + around(DISCOVERY);
                // A failure is no news: the watches report it.
                if PolicyApi::discover(&self.cluster).await.is_ok_and(|found| found != Some(api)) {
                    return true;
                }
            }
        }
    }
}

/// Whether a watch failed because the API server no longer has this version of the API: watches of absent objects succeed.
fn is_gone(error: &ClusterError) -> bool {
    error.kind() == ClusterErrorKind::NotFound
}
