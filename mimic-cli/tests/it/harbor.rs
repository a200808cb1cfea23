//! Rules of a Harbor, over HTTP.

use std::process::{Command, Output};

use fake_harbor::Fake;
use serde_json::{Value, json};

use crate::transcript::files;

fn mimic(arguments: &[&str]) -> Output {
    let variables = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("MIMIC_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimic"));
    command.args(arguments).current_dir(files()).env_clear().envs(variables);
    command.env("NO_PROXY", "127.0.0.1").output().unwrap()
}

/// Runs a command with the rules of a fake Harbor.
fn with_harbor(fake: &Fake, arguments: &[&str]) -> (String, String, Option<i32>) {
    let url = fake.url();
    let harbor = ["--harbor", &url, "--username", "robot$mimic", "--password-file", "password"];
    let output = mimic(&[&arguments[..1], &harbor, &arguments[1..]].concat());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// A filter of each kind: globs, Go's regular expressions, and filters for which there is no rule.
fn filtered() -> Fake {
    let fake = Fake::start();
    fake.set_filters(&[
        ("proxy-dockerhub", "doublestar", "library/**"),
        ("proxy-dockerhub-registry", "regex", "acme/.*|^bitnami/(?P<app>redis|valkey)$"),
        ("proxy-gcr", "", "x/[!a]*"),
        ("proxy-k8s", "regex", r"\Qpause\E|(?i)coredns/.*"),
        ("proxy-quay", "regex", r"\p{Greek}"),
        ("zz-proxy-quay-typed", "doublestar", "{acme"),
        ("proxy-ghcr", "doublestar", "/library"),
    ]);
    fake
}

/// Images, and the projects that serve them.
const IMAGES: [(&str, Option<&str>); 17] = [
    ("nginx:1.27", Some("proxy-dockerhub/library/nginx:1.27")),
    ("library/a/b", Some("proxy-dockerhub/library/a/b")),
    ("acme/app", Some("proxy-dockerhub-registry/acme/app")),
    ("acme/team/app:2", Some("proxy-dockerhub-registry/acme/team/app:2")),
    ("bitnami/redis", Some("proxy-dockerhub-registry/bitnami/redis")),
    ("bitnami/redis-cluster", None),
    ("other/app", None),
    // In Harbor's globs, `!` in a class is a character like any other.
    ("gcr.io/x/a1", Some("proxy-gcr/x/a1")),
    ("gcr.io/x/b1", None),
    ("gcr.io/x/a/b", None),
    ("registry.k8s.io/pause:3.10", Some("proxy-k8s/pause:3.10")),
    ("registry.k8s.io/coredns/coredns", Some("proxy-k8s/coredns/coredns")),
    ("registry.k8s.io/pause/pause", None),
    ("quay.io/acme/app", None),
    ("ghcr.io/library/app", None),
    // A project without a filter.
    ("mcr.microsoft.com/dotnet/sdk:9.0", Some("proxy-mcr/dotnet/sdk:9.0")),
    ("registry.gitlab.com/a/b", Some("zz-proxy-gitlab/a/b")),
];

#[test]
fn images_are_rewritten_by_filters_of_each_kind_and_projects_that_are_left_out_are_reported() {
    let fake = filtered();
    let images: Vec<&str> = IMAGES.iter().map(|(image, _)| *image).collect();
    let (results, messages, code) = with_harbor(&fake, &[&["rewrite"], images.as_slice()].concat());
    for ((image, at), result) in IMAGES.iter().zip(results.lines()) {
        let expected = at.map_or_else(|| (*image).to_owned(), |at| format!("harbor.example.com/{at}"));
        assert_eq!(result, expected, "{image}");
    }
    assert_eq!((results.lines().count(), code), (IMAGES.len(), Some(0)), "{messages}");
    for skipped in [
        "project `proxy-quay` skipped: cannot translate its filter `\\p{Greek}` exactly: it has a Unicode property that Mimic does not \
         know (hint: write the project's filter in a simpler way, or add a rule to the mirrors file)",
        "project `zz-proxy-quay-typed` skipped: cannot parse its filter `{acme`: an unclosed `{` or `[`, an invalid class or an \
         incomplete escape (hint: fix the project's filter in Harbor, which serves nothing until then)",
        "project `proxy-ghcr` skipped: its filter `/library` matches no repository (hint: fix the project's filter in Harbor, which \
         serves nothing until then)",
    ] {
        let line = format!("warning: {}: {skipped}", fake.url());
        assert!(messages.lines().any(|message| message == line), "{line}\n{messages}");
    }
}

#[test]
fn explain_and_review_and_mirrors_use_the_same_rules() {
    let fake = filtered();
    let (explained, ..) = with_harbor(&fake, &["explain", "bitnami/redis", "quay.io/acme/app"]);
    let to = "rewritten to `harbor.example.com/proxy-dockerhub-registry/bitnami/redis` by rule `proxy-dockerhub-registry` of harbor";
    assert!(explained.contains(to), "{explained}");
    assert!(explained.contains("unchanged: no rule matches it"), "{explained}");

    let (reviewed, ..) = with_harbor(&fake, &["review", "-o", "json", "--show", "review.json"]);
    let images: Vec<Value> = reviewed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let web = images.iter().find(|image| image["name"] == "web").unwrap();
    assert_eq!(web["after"], "harbor.example.com/proxy-dockerhub/library/nginx:1.27", "{reviewed}");

    let (listed, ..) = with_harbor(&fake, &["mirrors", "-o", "json"]);
    let rows: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |project: &str| rows.iter().find(|row| row["rule"] == project).unwrap();
    let filter = json!({"pattern": r"\p{Greek}", "kind": "regex"});
    assert_eq!((&row("proxy-quay")["used"], &row("proxy-quay")["filter"]), (&json!(false), &filter));
    assert_eq!(row("proxy-gcr")["filter"], json!({"pattern": "x/[!a]*", "kind": "doublestar"}));
}
