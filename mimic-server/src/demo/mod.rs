//! What `--demo` brings along.

use std::net::SocketAddr;

/// Defaults that replace the usual ones.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[
    ("listenhost", "127.0.0.1"),
    ("admin.listenhost", "127.0.0.1"),
    ("certificate.source", "selfsigned"),
    ("kubernetes.enabled", "false"),
];

/// The mirrors of the example.
pub(crate) const MIRRORS: &str = include_str!("../../../examples/mirrors.yaml");

/// What to do next, once the server listens.
pub(crate) fn invitation(address: SocketAddr) -> String {
    format!(
        "Mimic listens on https://{address} with example mirrors. Send it a pod:\n\n  curl -sk https://{address}/mutate \
         -H 'Content-Type: application/json' --data-binary @examples/review.json\n\n"
    )
}
