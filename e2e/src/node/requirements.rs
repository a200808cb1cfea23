//! What a machine needs to run nodes.

use std::{env, fs, path::Path};

use anyhow::{Result, bail};

use super::configuration::PLUGINS;
use crate::{go::NODE, image::BUSYBOX, tools};

const VARIABLE: &str = "MIMIC_E2E_NODE";

/// Whether the tests with nodes must be skipped. If so, prints the reason.
///
/// # Errors
/// With `MIMIC_E2E_NODE=required`, if something is missing.
pub(super) fn is_skipped() -> Result<bool> {
    let is_required = match env::var(VARIABLE).as_deref() {
        Err(_) | Ok("") => false,
        Ok("required") => true,
        Ok(other) => bail!("invalid MIMIC_E2E_NODE `{other}`: must be `required` or unset"),
    };
    let reason = match missing()? {
        None if !is_required && !NODE.is_built()? => {
            Some("the kubelet is not built: `MIMIC_E2E_NODE=required` builds it")
        }
        reason => reason,
    };
    match reason {
        Some(reason) if is_required => bail!("MIMIC_E2E_NODE=required, but {reason}"),
        Some(reason) => tools::announce(&format!("skipped: {reason}")),
        None => {}
    }
    Ok(reason.is_some())
}

/// Whether slow tests with nodes must be skipped. If so, prints the reason.
pub(super) fn is_too_slow() -> bool {
    let is_skipped = env::var_os(VARIABLE).is_none_or(|value| value.is_empty());
    if is_skipped {
        tools::announce("skipped: it takes long; `MIMIC_E2E_NODE=required` runs it");
    }
    is_skipped
}

/// What this machine lacks.
pub(super) fn missing() -> Result<Option<&'static str>> {
    let is_built = NODE.is_built()?;
    let reasons = [
        (!is_built && !tools::runs("go", &["version"]), "Go is not installed, and it is needed to build the kubelet"),
        (
            !tools::runs("unshare", &["--mount", "--net", "--pid", "--cgroup", "--fork", "true"]),
            "cannot create namespaces, which needs root",
        ),
        (!tools::runs("containerd", &["--version"]), "containerd is not installed"),
        (!tools::runs("runc", &["--version"]), "runc is not installed"),
        (!Path::new(PLUGINS).join("bridge").exists(), "the CNI plugins are not in /usr/lib/cni"),
        (!tools::runs("iptables", &["--version"]), "iptables is not installed"),
        (!tools::runs("ip", &["-V"]), "iproute2 is not installed"),
        (!tools::runs("docker-registry", &["--version"]), "docker-registry is not installed"),
        (!tools::runs("skopeo", &["--version"]), "skopeo is not installed"),
        (!tools::runs("kubectl", &["version", "--client"]), "kubectl is not installed"),
        (!is_static(BUSYBOX), "a static busybox is not installed"),
    ];
    Ok(reasons.into_iter().find_map(|(is_missing, reason)| is_missing.then_some(reason)))
}

/// Whether a program needs no libraries: then it runs in an image without any.
fn is_static(program: &str) -> bool {
    let loader = b"/ld-linux";
    fs::read(program).is_ok_and(|bytes| !bytes.windows(loader.len()).any(|window| window == loader))
}
