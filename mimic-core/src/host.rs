//! Names that mean the same registry.

use std::borrow::Cow;

use crate::grammar::looks_like_registry;
use crate::reference::DOCKER_HUB;

/// How a wildcard ends that matches hosts with any port, and without.
pub(crate) const ANY_PORT: &str = ":*";

/// A `host[:port]` without port 443, which is the port of every registry that names none.
pub(crate) fn without_https_port(registry: &str) -> &str {
    registry.strip_suffix(":443").unwrap_or(registry)
}

/// A `host[:port]` in lower case, as it is read again. A single label is a registry in upper case only, as in `CACHE/nginx`.
pub(crate) fn as_read(registry: &str) -> Cow<'_, str> {
    if looks_like_registry(registry) { registry.into() } else { registry.to_ascii_uppercase().into() }
}

/// Whether a `host[:port]` names port 443.
pub(crate) fn names_https_port(registry: &str) -> bool {
    registry.ends_with(":443")
}

/// The other hosts of Docker Hub.
pub(crate) const DOCKER_HUB_NAMES: [&str; 4] =
    ["hub.docker.com", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// `docker.io` for one of [`DOCKER_HUB_NAMES`], in lower case.
pub(crate) fn docker_hub_alias(registry: &str) -> Option<&'static str> {
    // Every image is compared, and few have such a host.
    let could_be = registry.len() >= 14 && matches!(registry.as_bytes()[0], b'i' | b'r' | b'h');
    (could_be && DOCKER_HUB_NAMES.contains(&registry)).then_some(DOCKER_HUB)
}

/// The host of a `host[:port]`.
pub(crate) fn without_port(registry: &str) -> &str {
    // An IPv6 address is in brackets.
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => registry,
    }
}
