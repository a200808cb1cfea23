//! Settings of the serving certificate.

use std::path::PathBuf;
use std::time::Duration;

use mimic_config::value_type::{Keyword, NAME, PATH, PERIOD, ValueType};
use mimic_config::{Layers, Row, Setting};

/// Short-lived certificates could not be renewed in time: they count whole seconds, and renewal takes a few.
const SHORTEST_VALIDITY: Duration = Duration::from_secs(10);

/// Dates in certificates have four digits for the year.
const LONGEST_VALIDITY: Duration = Duration::from_hours(876_000);

/// Where the serving certificate comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CertificateOrigin {
    /// A Secret.
    Kubernetes,
    /// Two PEM files.
    File,
    /// Issued at startup, to try Mimic out. It is the default of the type, not of the setting: it needs no other setting, so
    /// that a mistyped source causes no further errors.
    #[default]
    SelfSigned,
    /// Issued by Mimic's own CA.
    Managed,
}

impl Keyword for CertificateOrigin {
    const KEYWORDS: &'static [(&'static str, Self)] = &[
        ("kubernetes", Self::Kubernetes),
        ("file", Self::File),
        ("selfsigned", Self::SelfSigned),
        ("managed", Self::Managed),
    ];
}

/// Settings of the serving certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Where it comes from.
    pub source: CertificateOrigin,
    /// PEM file with the chain, leaf first.
    pub cert_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
    /// Secret with the certificate.
    pub secret: String,
    /// Service that the API server calls and the certificate must name; empty when the API server calls a URL.
    pub service: String,
    /// Webhook configuration that gets the CA of a managed certificate.
    pub webhook: String,
    /// Lifetime of a managed certificate.
    pub validity: Duration,
    /// Lifetime of the CA of managed certificates.
    pub ca_validity: Duration,
    /// PEM file with the CA of the clients that may use the webhook; empty for all clients.
    pub client_ca: PathBuf,
}

impl Certificate {
    /// The host name that the API server uses for the Service in this namespace. `None` when names are not checked.
    pub fn host(&self, namespace: &str) -> Option<String> {
        (!self.service.is_empty()).then(|| format!("{}.{namespace}.svc", self.service))
    }

    /// Whether it comes from a Secret.
    pub fn needs_cluster(&self) -> bool {
        matches!(self.source, CertificateOrigin::Kubernetes | CertificateOrigin::Managed)
    }
}

const ORIGIN: ValueType<CertificateOrigin> =
    ValueType::keyword("a certificate source", "kubernetes, file, selfsigned, managed");

const SOURCE: Setting<CertificateOrigin> = Setting::new(
    "certificate.source",
    &ORIGIN,
    "kubernetes",
    "Where the serving [certificate](certificates.md) comes from. `kubernetes`: a Secret; `file`: two PEM files; \
     `managed`: issued and renewed by Mimic; `selfsigned`: issued at startup, to try Mimic out.",
);
const CERT_FILE: Setting<PathBuf> = Setting::new(
    "certificate.certfile",
    &PATH,
    "",
    "PEM file with the certificate and its intermediates. Required for `file`.",
);
const KEY_FILE: Setting<PathBuf> = Setting::new(
    "certificate.keyfile",
    &PATH,
    "",
    "PEM file with the private key, not encrypted. Required for `file`.",
);
const SERVICE: Setting<String> = Setting::new(
    "certificate.service",
    &NAME,
    "mimic",
    "Service that the API server calls; the certificate must be valid for `SERVICE.NAMESPACE.svc`. (With `file`, \
     Mimic checks this only in a pod.) `\"\"` disables the check, for API servers that call a URL; possible only in \
     the file, and not for `managed`.",
);
const WEBHOOK: Setting<String> = Setting::new(
    "certificate.webhook",
    &NAME,
    "mimic",
    "MutatingWebhookConfiguration whose `caBundle` Mimic sets, for `managed`.",
);
const VALIDITY: Setting<Duration> = Setting::new(
    "certificate.validity",
    &PERIOD,
    "2160h",
    "Lifetime of a `managed` certificate; minimum `10s`. Renewed after two thirds of it.",
);
const CA_VALIDITY: Setting<Duration> = Setting::new(
    "certificate.authorityvalidity",
    &PERIOD,
    "87600h",
    "Lifetime of the CA of `managed` certificates: from three times `certificate.validity` to `876000h`. Replaced \
     after two thirds of it.",
);
const CLIENT_CA: Setting<PathBuf> = Setting::new(
    "clientca",
    &PATH,
    "",
    "PEM file with one or more CAs. If set, the webhook port serves only clients with a certificate of one of them, which \
     [the API server must be given](certificates.md#require-client-certificates). Reloaded when it changes.",
);
const SECRET: Setting<String> = Setting::new(
    "kubernetes.certsecret",
    &NAME,
    "mimic-certs",
    "Secret with the certificate, for `kubernetes` and `managed`.",
);

pub(super) static ROWS: &[Row] = &[
    SOURCE.row(),
    CERT_FILE.row(),
    KEY_FILE.row(),
    SERVICE.row(),
    WEBHOOK.row(),
    VALIDITY.row(),
    CA_VALIDITY.row(),
    SECRET.row(),
    CLIENT_CA.row(),
];

pub(super) fn read(layers: &mut Layers) -> Certificate {
    let certificate = Certificate {
        source: layers.read(&SOURCE),
        cert_file: layers.read(&CERT_FILE),
        key_file: layers.read(&KEY_FILE),
        secret: layers.read(&SECRET),
        service: layers.read(&SERVICE),
        webhook: layers.read(&WEBHOOK),
        validity: layers.read(&VALIDITY),
        ca_validity: layers.read(&CA_VALIDITY),
        client_ca: layers.read(&CLIENT_CA),
    };
    check(&certificate, layers);
    certificate
}

/// Notes required values that are missing, and lifetimes that do not work.
fn check(certificate: &Certificate, layers: &mut Layers) {
    let Certificate { source, cert_file, key_file, secret, service, webhook, validity, ca_validity, client_ca: _ } =
        certificate;
    if *source == CertificateOrigin::File {
        for (setting, path) in [(&CERT_FILE, cert_file), (&KEY_FILE, key_file)] {
            if path.as_os_str().is_empty() {
                layers.note(setting, "not set, but required for the certificate source `file`", PATH.allowed);
            }
        }
    }
    let secret = (&SECRET, secret);
    let (keyword, required) = match source {
        CertificateOrigin::File | CertificateOrigin::SelfSigned => return,
        CertificateOrigin::Kubernetes => ("kubernetes", vec![secret]),
        CertificateOrigin::Managed => ("managed", vec![secret, (&SERVICE, service), (&WEBHOOK, webhook)]),
    };
    for (setting, value) in required {
        if value.is_empty() {
            let message = format!("empty, but required for the certificate source `{keyword}`");
            layers.note(setting, message, NAME.allowed);
        }
    }
    if *source != CertificateOrigin::Managed {
        return;
    }
    // Zero is the placeholder of an invalid value, which has been noted.
    if !validity.is_zero() && *validity < SHORTEST_VALIDITY {
        layers.note(&VALIDITY, "too short to be renewed in time", "10s or more");
    }
    if *ca_validity > LONGEST_VALIDITY {
        layers.note(&CA_VALIDITY, "longer than 100 years", "876000h or less");
    } else if !ca_validity.is_zero() && *ca_validity / 3 < *validity {
        let other = layers.setter(&VALIDITY);
        layers.note(&CA_VALIDITY, format!("less than three times `{other}`: certificates would outlive their CA"), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_among_the_allowed_values() {
        let keywords: Vec<&str> = CertificateOrigin::KEYWORDS.iter().map(|(word, _)| *word).collect();
        assert_eq!(ORIGIN.allowed, keywords.join(", "));
        assert_eq!((ORIGIN.parse)("vault"), None);
    }
}
