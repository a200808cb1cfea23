//! The configuration files of a node.

use std::{fs, path::Path};

use anyhow::Result;
use serde_json::{Value, json};

use super::network;

/// Debian's folder of CNI plugins.
pub(super) const PLUGINS: &str = "/usr/lib/cni";

/// containerd's socket. The folder `/run` is the node's own.
pub(super) const SOCKET: &str = "/run/containerd.sock";

/// Writes the files of a node: `containerd.toml`, `cni/`, `kubelet.yaml`, `kube-proxy.yaml` and `resolv.conf`.
pub(super) fn write(directory: &Path, node: u8, kubeconfig: &Path, sandbox_image: &str) -> Result<()> {
    let state = directory.display();
    fs::create_dir_all(directory.join("cni"))?;
    fs::create_dir_all(directory.join("hosts"))?;
    let containerd = format!(
        r#"version = 2
root = "{state}/containerd"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "{state}/opt"
[plugins."io.containerd.grpc.v1.cri"]
# Otherwise runc fails in containers that lack CAP_SYS_RESOURCE.
restrict_oom_score_adj = true
sandbox_image = "{sandbox_image}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{state}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{state}/hosts"
"#
    );
    fs::write(directory.join("containerd.toml"), containerd)?;
    // No name server: images come from the registry of the cluster, which has an address.
    fs::write(directory.join("resolv.conf"), "")?;
    // JSON is YAML.
    write_json(&directory.join("cni/pods.conflist"), &cni(node))?;
    write_json(&directory.join("kubelet.yaml"), &kubelet(node, directory))?;
    write_json(&directory.join("kube-proxy.yaml"), &kube_proxy(node, kubeconfig))
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    Ok(fs::write(path, value.to_string())?)
}

fn cni(node: u8) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": network::pods(node)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni",
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

fn kubelet(node: u8, directory: &Path) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network::address(node),
        // Only the host and pods reach it.
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "enforceNodeAllocatable": [],
        // Disks of developers are full.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "failCgroupV1": false,
        "failSwapOn": false,
        "nodeStatusUpdateFrequency": "5s",
        "resolvConf": directory.join("resolv.conf"),
        // Else it waits a minute between attempts to mount a ConfigMap that does not exist yet.
        "syncFrequency": "10s",
    })
}

fn kube_proxy(node: u8, kubeconfig: &Path) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": network::ALL,
        "hostnameOverride": format!("node-{node}"),
        "clientConnection": {"kubeconfig": kubeconfig},
        // A network namespace cannot change these.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
}
