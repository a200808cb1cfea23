//! A certificate in a Secret that users or cert-manager fill in.

use std::time::SystemTime;

use k8s_openapi::api::core::v1::Secret;
use mimic_core::{Hint as _, Problem};
use mimic_k8s::cluster::{CertificateSecret, Cluster, pem_pair};

use super::cluster_problem::{from_cluster, secret_label};
use super::installer::CertificateInstaller;
use super::pair::Pair;

/// Serves the certificate in a Secret, and the new one whenever the Secret changes.
pub(crate) struct WatchedSecret {
    secret: CertificateSecret,
    /// Its name in messages.
    label: String,
    /// The host name that the certificate must be valid for; `None` turns that check off.
    host: Option<String>,
    installer: CertificateInstaller,
}

impl WatchedSecret {
    pub(crate) fn new(cluster: &Cluster, name: &str, host: Option<String>, installer: CertificateInstaller) -> Self {
        Self { secret: CertificateSecret::new(cluster, name), label: secret_label(cluster, name), host, installer }
    }

    pub(crate) async fn watch(self) {
        let mut secrets = self.secret.watch();
        loop {
            let installed = match secrets.next().await {
                Ok(Some(secret)) => self.install(&secret),
                Ok(None) => Err(self.absent()),
                Err(error) => {
                    self.installer.report_unreadable(&from_cluster(&self.label, &error).full_message());
                    continue;
                }
            };
            match installed {
                Ok(()) => self.installer.clear_error(),
                Err(problem) => self.installer.report_rejected(&problem.full_message()),
            }
        }
    }

    fn install(&self, secret: &Secret) -> Result<(), Problem> {
        let pem = pem_pair(secret).map_err(|error| Problem::from_error(&self.label, &error))?;
        let pair = Pair::from_pem(pem.certificate, pem.key, SystemTime::now()).and_then(|pair| {
            self.host.as_deref().map_or(Ok(()), |host| pair.check_names(host))?;
            Ok(pair)
        });
        pair.and_then(|pair| self.installer.install(&pair)).map_err(|error| {
            let (certificate, key) = pem.keys;
            Problem::from_error(&format!("{}: `{certificate}` and `{key}`", self.label), &error)
        })
    }

    fn absent(&self) -> Problem {
        Problem::new(&self.label, "not found").with_hint(
            "create it with `kubectl create secret tls`, set `MIMIC_KUBERNETES_CERTSECRET` to another one, or set \
             `MIMIC_CERTIFICATE_SOURCE=managed` to let Mimic issue its own certificate",
        )
    }
}
