//! The settings and texts of `--demo`.

use std::net::SocketAddr;

/// Defaults of the demo, instead of those of the configuration.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[
    ("listenhost", "127.0.0.1"),
    ("admin.listenhost", "127.0.0.1"),
    ("certificate.source", "selfsigned"),
    ("kubernetes.enabled", "false"),
];

/// The example mirrors.
pub(crate) const MIRRORS: &str = include_str!("../../../examples/mirrors.yaml");

/// Shows how to send a request to the server.
pub(crate) fn instructions(address: SocketAddr) -> String {
    format!(
        "Mimic listens on https://{address} with example mirrors. Send it a review:\n\n  curl -sk https://{address}/mutate \
         -H 'Content-Type: application/json' --data-binary @examples/review.json\n\n"
    )
}
