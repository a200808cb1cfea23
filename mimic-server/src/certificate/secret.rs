//! A certificate that others put into a Secret.

use std::time::SystemTime;

use k8s_openapi::api::core::v1::Secret;
use mimic_core::{Hint as _, Problem};
use mimic_k8s::cluster::{CertificateSecret, Cluster, ClusterError, pem_pair};

use super::{Keeper, Pair};

/// Keeps the served certificate in step with the Secret, for good.
pub(crate) struct FollowedSecret {
    secret: CertificateSecret,
    /// How it is called in messages.
    place: String,
    /// The name that clients will look for, unless that is not to be checked.
    host: Option<String>,
    keeper: Keeper,
}

impl FollowedSecret {
    pub(crate) fn new(cluster: &Cluster, name: &str, host: Option<String>, keeper: Keeper) -> Self {
        Self { secret: CertificateSecret::new(cluster, name), place: place(cluster, name), host, keeper }
    }

    pub(crate) async fn follow(self) {
        let mut secrets = self.secret.watch();
        loop {
            let taken_up = match secrets.next().await {
                Ok(Some(secret)) => self.take_up(&secret),
                Ok(None) => Err(self.absent()),
                Err(error) => {
                    self.keeper.lose_sight(&from_cluster(&self.place, &error).full_message());
                    continue;
                }
            };
            match taken_up {
                Ok(()) => self.keeper.all_well(),
                Err(problem) => self.keeper.complain(&problem.full_message()),
            }
        }
    }

    fn take_up(&self, secret: &Secret) -> Result<(), Problem> {
        let pem = pem_pair(secret).map_err(|error| Problem::from_error(&self.place, &error))?;
        let pair = Pair::from_pem(pem.certificate, pem.key, SystemTime::now()).and_then(|pair| {
            self.host.as_deref().map_or(Ok(()), |host| pair.check_names(host))?;
            Ok(pair)
        });
        pair.and_then(|pair| self.keeper.take_up(&pair)).map_err(|error| {
            let (certificate, key) = pem.keys;
            Problem::new(&self.place, format!("`{certificate}` and `{key}`: {error}"))
        })
    }

    fn absent(&self) -> Problem {
        Problem::new(&self.place, "there is no such Secret").with_hint(
            "create it with `tls.crt` and `tls.key`, as `kubectl create secret tls` does, name another one in \
             `MIMIC_KUBERNETES_CERTSECRET`, or set `MIMIC_CERTIFICATE_SOURCE=managed`, with which Mimic makes its own",
        )
    }
}

/// How a Secret in Mimic's namespace is called in messages.
pub(super) fn place(cluster: &Cluster, name: &str) -> String {
    format!("Secret {}/{name}", cluster.namespace())
}

/// What the API server refused, or that it is away, as a problem with the object that was asked for.
pub(super) fn from_cluster(place: &str, error: &ClusterError) -> Problem {
    Problem::from_error(place, error)
}
