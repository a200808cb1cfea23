//! Finding the cluster, and starting while it is unreachable.

use std::path::Path;

use crate::common::client::{Connection, plain_get};
use crate::common::process::{Process, free_port, run};
use crate::common::{REVIEW, eventually};

/// A kubeconfig for an API server on this port, on which nothing listens.
fn kubeconfig(folder: &Path, port: u16) -> String {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: away\nclusters:\n- name: away\n  cluster: {{server: \
         'http://127.0.0.1:{port}'}}\ncontexts:\n- name: away\n  context: {{cluster: away, user: me, namespace: \
         shop}}\nusers:\n- name: me\n"
    );
    let path = folder.join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn without_a_cluster_the_start_fails_with_what_was_looked_for_and_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let variables = [
        ("HOME", home.path().to_str().unwrap()),
        ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
        ("MIMIC_ADMIN_LISTENPORT", port.as_str()),
    ];
    assert_eq!(run(&["--check"], &variables).status.code(), Some(0), "the check needs no cluster");
    let server = Process::start(&[], &variables);
    let line = server.line("cannot start the server");
    let absent = home.path().join(".kube/config");
    assert_eq!(
        line["error"],
        format!(
            "cluster: no cluster found: not running in a pod (`KUBERNETES_SERVICE_HOST` is not set or \
             `/var/run/secrets/kubernetes.io/serviceaccount/token` is absent), `KUBECONFIG` is not set, and `{}` is absent \
             (hint: to run without a cluster set `MIMIC_KUBERNETES_ENABLED=false`, and `MIMIC_CERTIFICATE_SOURCE` to `file` or \
             `selfsigned`)",
            absent.display()
        )
    );
    assert_eq!(server.wait().0.code(), Some(1));
}

#[test]
fn a_kubeconfig_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let variables = [("KUBECONFIG", absent.to_str().unwrap()), ("MIMIC_KUBERNETES_ENABLED", "true")];
    let server = Process::start(&["--demo"], &variables);
    let error = server.line("cannot start the server")["error"].as_str().unwrap().to_owned();
    let start = format!("cluster: cannot use kubeconfig `{}`: ", absent.display());
    assert!(error.starts_with(&start) && error.contains("No such file or directory"), "{error}");
}

#[test]
fn an_unreachable_api_server_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (kubeconfig, admin) = (kubeconfig(folder.path(), free_port()), free_port().to_string());
    let variables = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("MIMIC_KUBERNETES_ENABLED", "true"),
        ("MIMIC_MIRRORS", "docker.io=own.example/hub"),
        ("MIMIC_ADMIN_LISTENPORT", &admin),
    ];
    let server = Process::start(&["--demo"], &variables);
    assert_eq!(server.line("using cluster")["namespace"], "shop");
    let failure = server.line("loading a mirror source failed; keeping its last good rules");
    let words = "cannot read configmap shop/mimic-mirrors: cannot reach the API server: tcp connect error: \
                 Connection refused (os error 111)";
    assert_eq!((&failure["error"], &failure["kind"]), (&words.into(), &"unavailable".into()));
    let (status, report) = eventually("the failure is in the report", || {
        Some(plain_get(server.admin(), "/readyz?verbose")).filter(|(_, report)| report.contains(words))
    });
    assert_eq!(status, 503, "{report}");
    assert!(report.ends_with("not ready: source configmap:mimic-mirrors\n"), "{report}");

    let answer = Connection::open(server.address()).unwrap().review(REVIEW).unwrap().json();
    assert_eq!(answer["response"]["patchType"], "JSONPatch", "what there is serves, also for the namespace shop");
    let strangers = server.lines().into_iter().find(|line| !line["target"].as_str().unwrap().starts_with("mimic"));
    assert_eq!(strangers, None, "libraries do not log it again");
}
