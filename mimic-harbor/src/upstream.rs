//! Maps a registry endpoint of Harbor to the registry of image references.

use mimic_core::{DOCKER_HUB, Upstream};
use url::Url;

/// Why a registry endpoint cannot be mapped to the registry of image references.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnmappableEndpoint {
    /// The endpoint is the API of an AWS region, which serves the registries of all accounts.
    #[error("its endpoint `{url}` does not contain the AWS account ID")]
    AccountUnknown {
        /// URL of the endpoint.
        url: String,
    },
    /// The URL has a path, which a registry in a reference cannot have.
    #[error("its endpoint `{url}` has a path, so no image reference can match it")]
    HasPath {
        /// URL of the endpoint.
        url: String,
    },
    /// The URL has no host that can be a registry.
    #[error("its endpoint `{url}` is not the address of a registry")]
    NotARegistry {
        /// URL of the endpoint.
        url: String,
    },
}

/// The registry of image references that an endpoint of a type (`docker-hub`, `quay`, …) with a URL mirrors.
///
/// The types are those of [Harbor's adapters](https://github.com/goharbor/harbor/tree/main/src/pkg/reg/adapter).
pub(crate) fn upstream_of(kind: &str, url: &str) -> Result<String, UnmappableEndpoint> {
    if kind == "docker-hub" {
        return Ok(DOCKER_HUB.to_owned());
    }
    let not_a_registry = || UnmappableEndpoint::NotARegistry { url: url.to_owned() };
    let full = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    let parsed = Url::parse(&full).map_err(|_| not_a_registry())?;
    let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(not_a_registry)?;
    if !matches!(parsed.path(), "" | "/") {
        return Err(UnmappableEndpoint::HasPath { url: url.to_owned() });
    }
    let host = match kind {
        "aws-ecr" if host.starts_with("api.ecr.") || host.starts_with("api.ecr-") => {
            return Err(UnmappableEndpoint::AccountUnknown { url: url.to_owned() });
        }
        "ali-acr" => match host.strip_prefix("cr.") {
            Some(rest) if rest.ends_with(".aliyuncs.com") => format!("registry.{rest}"),
            _ => host.to_owned(),
        },
        _ => host.to_owned(),
    };
    let registry = parsed.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    // Normalises the name: Docker Hub has several.
    match Upstream::parse(&registry) {
        Ok(upstream @ Upstream::Prefix { .. }) => Ok(upstream.to_string()),
        _ => Err(not_a_registry()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_mapped_to_the_registry_of_references() {
        for (kind, url, registry) in [
            ("docker-hub", "https://hub.docker.com", "docker.io"),
            ("docker-hub", "https://a-proxy-in-front.example.com/hub", "docker.io"),
            ("docker-registry", "https://registry-1.docker.io", "docker.io"),
            ("docker-registry", "https://index.docker.io", "docker.io"),
            ("docker-registry", "https://quay.io", "quay.io"),
            ("quay", "https://quay.io", "quay.io"),
            ("github-ghcr", "https://ghcr.io", "ghcr.io"),
            ("google-gcr", "https://us.gcr.io", "us.gcr.io"),
            ("azure-acr", "https://myregistry.azurecr.io", "myregistry.azurecr.io"),
            ("aws-ecr", "https://1.dkr.ecr.us-east-1.amazonaws.com", "1.dkr.ecr.us-east-1.amazonaws.com"),
            ("ali-acr", "https://cr.cn-hangzhou.aliyuncs.com", "registry.cn-hangzhou.aliyuncs.com"),
            ("ali-acr", "https://registry.cn-hangzhou.aliyuncs.com", "registry.cn-hangzhou.aliyuncs.com"),
            ("ali-acr", "https://cr.example.com", "cr.example.com"),
            ("docker-registry", "https://Registry.Example.COM:5443/", "registry.example.com:5443"),
            ("docker-registry", "https://registry.example.com:443", "registry.example.com"),
            ("docker-registry", "http://127.0.0.1:15000", "127.0.0.1:15000"),
            ("docker-registry", "http://[fd00::1]:5000", "[fd00::1]:5000"),
            ("a-type-of-tomorrow", "https://registry.example.com", "registry.example.com"),
        ] {
            assert_eq!(upstream_of(kind, url).as_deref(), Ok(registry), "{kind} {url}");
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_mapped_is_an_error_with_the_reason() {
        for (kind, url, reason) in [
            ("aws-ecr", "https://api.ecr.eu-west-1.amazonaws.com", "does not contain the AWS account ID"),
            ("docker-registry", "https://example.com/docker-remote", "has a path, so no image reference can match it"),
            ("docker-registry", "", "is not the address of a registry"),
            ("docker-registry", "https://registry", "is not the address of a registry"),
        ] {
            let expected = format!("its endpoint `{url}` {reason}");
            assert_eq!(upstream_of(kind, url).map_err(|error| error.to_string()), Err(expected), "{kind} {url}");
        }
    }
}
