//! Harbor as a source of mirrors: what can be configured, and a webhook that has no other source.

use std::path::Path;

use fake_harbor::{Answer, Fake, PASSWORD, proxy_projects};
use mimic_core::Hint as _;
use mimic_server::Settings;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use serde_json::{Value, json};

use crate::common::client::Connection;
use crate::common::pki::Identity;
use crate::common::process::{Process, run};
use crate::common::{REVIEW, TestServer, eventually, replace};

const ROBOT: &str = "robot-project-list+registry-list";

fn load(variables: &[(&str, &str)], text: &str) -> Result<Settings, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mimic.yaml");
    std::fs::write(&path, format!("certificate: {{source: selfsigned}}\n{text}")).unwrap();
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let place = format!("{}/", folder.path().display());
    let shown = |problem: &mimic_core::Problem| problem.full_message().to_string().replace(&place, "");
    Settings::load(environment, Some(&path), &[]).settings.map_err(|problems| problems.iter().map(shown).collect())
}

fn has_harbor(settings: &Settings) -> bool {
    format!("{settings:?}").contains("ConfiguredHarbor")
}

fn refused(variables: &[(&str, &str)], text: &str) -> Vec<String> {
    load(variables, text).expect_err("there are problems")
}

#[test]
fn several_harbors_are_listed_in_the_file_each_with_a_name() {
    let settings = load(
        &[],
        "harbor:
  - name: main
    api: {host: harbor.example.com}
    interval: 1m
  - name: old
    api.host: http://old.example.com
    projects: [hub, quay-*]
  - name: later
    enabled: false
",
    );
    let harbor = |name: &str, address: &str, interval: &str, projects: &str| {
        format!(
            "ConfiguredHarbor {{ name: \"{name}\", watch: true, interval: {interval}, settings: HarborSettings {{ \
             address: Address({address}), ca_file: None, credentials: None, timeouts: Timeouts {{ connect: 10s, \
             request: 30s }}, registry: None, projects: [{projects}], private: false, pull_secret: None, \
             unhealthy: true, overrides: Overrides({{}}), grace: 3600s }} }}"
        )
    };
    let main = harbor("main", "https://harbor.example.com", "60s", "\"*\"");
    let old = harbor("old", "http://old.example.com", "300s", "\"hub\", \"quay-*\"");
    let shown = format!("{:?}", settings.unwrap());
    assert!(shown.ends_with(&format!(", {main}, {old}] }}")), "{shown}");
    assert!(!has_harbor(&load(&[], "harbor: []\n").unwrap()));
}

#[test]
fn a_list_of_harbors_is_checked_element_by_element() {
    assert_eq!(
        refused(
            &[("MIMIC_HARBOR_API_HOST", "h")],
            "harbor:
  - name: main
    api: {host: h, hots: h}
  - api: {host: 'ftp://h'}
  - name: main
    interval: 10ms
    private: 7
"
        ),
        [
            "mimic.yaml:4: unknown key `harbor[0].api.hots` (hint: did you mean `harbor.api.host`?)",
            "MIMIC_HARBOR_API_HOST: cannot be combined with a list of `harbor` entries in the file (hint: variables configure \
             a single entry; move this setting into the list)",
            "mimic.yaml:5: `harbor[1].name`: not set, but required for each entry of a list",
            "mimic.yaml:5: `harbor[1].api.host`: `ftp://h` is neither http nor https (hint: write a host, host:port \
             or URL, such as `harbor.example.com`)",
            "mimic.yaml:6: `harbor[2].name`: `main` is already the name of another entry",
            "mimic.yaml:8: `harbor[2].private`: `7` is not a boolean (hint: allowed: true or false)",
            "mimic.yaml:7: `harbor[2].interval`: `10ms` is too short (hint: allowed: 1s or more)",
            "mimic.yaml:6: `harbor[2].api.host`: not set, but Harbor is enabled (hint: allowed: a host, host:port or URL)",
        ]
    );
}

#[test]
fn what_cannot_work_together_stops_the_start() {
    let enabled = ("MIMIC_HARBOR_ENABLED", "true");
    let host = ("MIMIC_HARBOR_API_HOST", "harbor.example.com");
    let username = ("MIMIC_HARBOR_ROBOT_USERNAME", "robot$mimic");
    let password = ("MIMIC_HARBOR_ROBOT_PASSWORD", PASSWORD);
    for (variables, problem) in [
        (
            &[enabled][..],
            "MIMIC_HARBOR_API_HOST: not set, but Harbor is enabled (hint: allowed: a host, host:port or URL)",
        ),
        (
            &[enabled, host, username],
            "MIMIC_HARBOR_ROBOT_PASSWORD: an account is set, but neither a password nor \
             `MIMIC_HARBOR_ROBOT_PASSWORDFILE`",
        ),
        (
            &[enabled, host, password],
            "MIMIC_HARBOR_ROBOT_USERNAME: not set, but a password is (hint: allowed: the account's name)",
        ),
        (
            &[enabled, host, ("MIMIC_HARBOR_PRIVATE", "true")],
            "MIMIC_HARBOR_PRIVATE: private projects are visible to accounts only: `MIMIC_HARBOR_ROBOT_USERNAME` is required",
        ),
        (
            &[enabled, host, ("MIMIC_HARBOR_OVERRIDES", "ecr")],
            "MIMIC_HARBOR_OVERRIDES: `ecr` is not a list of overrides (hint: allowed: project=upstream pairs, separated by \
             commas)",
        ),
    ] {
        assert_eq!(refused(variables, ""), [problem]);
    }
    // Settings of a Harbor that is not enabled are not checked together.
    assert!(!has_harbor(&load(&[username], "").unwrap()));
}

#[test]
fn what_the_settings_of_a_harbor_refer_to_is_checked() {
    let variables = [
        ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
        ("MIMIC_KUBERNETES_ENABLED", "false"),
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", "harbor.example.com"),
        ("MIMIC_HARBOR_API_CAFILE", "/does/not/exist"),
    ];
    let checked = run(&["--check"], &variables);
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&checked.stderr),
        "error: harbor: cannot use the CA file `/does/not/exist`: No such file or directory (os \
         error 2) (hint: the file must hold certificates in PEM format)\n"
    );
}

const IMAGES: [(&str, &str); 4] = [
    ("nginx:1.27", "harbor.example.com/proxy-dockerhub/library/nginx:1.27"),
    ("quay.io/prometheus/node-exporter:v1", "harbor.example.com/proxy-quay/prometheus/node-exporter:v1"),
    ("registry.k8s.io/pause:3.10", "harbor.example.com/proxy-k8s/pause:3.10"),
    ("registry.lan.example:5000/team/app", "harbor.example.com/zz-proxy-http/team/app"),
];

/// A review of a pod with a container for every image.
fn review(images: &[&str]) -> String {
    let mut review: Value = serde_json::from_str(REVIEW).unwrap();
    let containers = images.iter().enumerate().map(|(i, image)| json!({"name": format!("c{i}"), "image": image}));
    let spec = &mut review["request"]["object"]["spec"];
    spec["containers"] = containers.collect();
    spec["initContainers"] = json!([]);
    review.to_string()
}

/// The rewritten images; nothing for images that are unchanged.
fn rewritten(connection: &mut Connection, images: &[&str]) -> Vec<Option<String>> {
    let answer = connection.review(&review(images)).unwrap().json();
    assert_eq!(answer["response"]["allowed"], true);
    let patch = answer["response"]["patch"].as_str().map(|patch| openssl::base64::decode_block(patch).unwrap());
    let patch: Vec<Value> = patch.map(|patch| serde_json::from_slice(&patch).unwrap()).unwrap_or_default();
    let at = |i: usize| {
        let place = format!("/spec/containers/{i}/image");
        let change = patch.iter().find(|change| change["path"] == *place)?;
        Some(change["value"].as_str().unwrap().to_owned())
    };
    (0..images.len()).map(at).collect()
}

/// The webhook, in a separate process with Harbor as its only source, rewrites what Harbor mirrors.
fn serves(api: &str, authorities: Option<(&str, &Path)>) {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let mut variables = vec![
        ("MIMIC_KUBERNETES_ENABLED", "false"),
        ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
        ("MIMIC_LISTENHOST", "127.0.0.1"),
        ("MIMIC_ADMIN_LISTENHOST", "127.0.0.1"),
        ("MIMIC_ADMIN_LISTENPORT", "0"),
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", api),
        ("MIMIC_HARBOR_ROBOT_USERNAME", ROBOT),
        ("MIMIC_HARBOR_ROBOT_PASSWORDFILE", password.to_str().unwrap()),
    ];
    variables.extend(authorities.map(|(variable, path)| (variable, path.to_str().unwrap())));
    let process = Process::start(&[], &variables);
    let loaded = process.line("mirrors loaded");
    assert_eq!((&loaded["source"], &loaded["rules"]), (&json!("harbor"), &json!(16)));

    let mut connection = Connection::open(process.address()).unwrap();
    let (images, expected): (Vec<&str>, Vec<&str>) = IMAGES.into_iter().unzip();
    let expected: Vec<_> = expected.into_iter().map(|image| Some(image.to_owned())).collect();
    assert_eq!(rewritten(&mut connection, &images), expected);

    let log: Vec<Value> = process.lines();
    let text = Value::from(log.clone()).to_string();
    assert!(!text.contains(PASSWORD), "{text}");
    let choices = log.iter().filter(|line| line["message"] == "problem with Harbor projects");
    let choices: Vec<&str> = choices.filter_map(|line| line["warning"].as_str()).collect();
    let hub = "project `proxy-dockerhub` takes precedence over project `proxy-dockerhub-registry` for `docker.io`";
    assert_eq!(choices.iter().filter(|warning| warning.ends_with(hub)).count(), 1, "{choices:#?}");
}

#[test]
fn the_webhook_rewrites_with_harbor_as_its_only_source_over_http() {
    serves(&Fake::start().url(), None);
}

#[test]
fn the_webhook_rewrites_with_harbor_as_its_only_source_over_tls() {
    let authority = Identity::new("An authority");
    let leaf = Identity::issued_by("localhost", &authority);
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    let certificate: &X509 = &leaf.certificate;
    let key: &PKey<_> = &leaf.key;
    acceptor.set_certificate(certificate).unwrap();
    acceptor.set_private_key(key).unwrap();
    let acceptor = acceptor.build();
    let fake = Fake::start_with(move |stream| Some(Box::new(acceptor.accept(stream).ok()?)));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.certificate_pem()).unwrap();
    // Without a scheme, https is used.
    let port = fake.host().rsplit_once(':').unwrap().1.to_owned();
    serves(&format!("localhost:{port}"), Some(("MIMIC_HARBOR_API_CAFILE", &ca_file)));
    // A vendored OpenSSL does not know where the CAs of the system are; the variable names the file.
    serves(&format!("localhost:{port}"), Some(("SSL_CERT_FILE", &ca_file)));
}

/// Variables for a server that polls this Harbor about once a second.
fn variables<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut variables = vec![
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", url),
        ("MIMIC_HARBOR_ROBOT_USERNAME", ROBOT),
        ("MIMIC_HARBOR_ROBOT_PASSWORD", PASSWORD),
        ("MIMIC_HARBOR_INTERVAL", "1s"),
    ];
    variables.extend(more);
    variables
}

fn is_mirrored(server: &TestServer, image: &str) -> bool {
    rewritten(&mut Connection::open(server.address).unwrap(), &[image])[0].is_some()
}

#[test]
fn faults_keep_the_list_and_a_removed_project_disappears_with_a_refresh() {
    let fake = Fake::start();
    let server = TestServer::start(&variables(&fake.url(), &[]));
    eventually("the list is loaded", || is_mirrored(&server, "quay.io/a/b").then_some(()));
    assert_eq!(server.readiness().0, 200);

    fake.misbehave(|_, _| Some(Answer::error(500, "no database")));
    let report =
        eventually("the fault is reported", || Some(server.readiness().1).filter(|r| r.contains("returned HTTP 500")));
    assert!(report.contains("[!] source harbor: 16 rules, using last good rules; "), "{report}");
    assert!(is_mirrored(&server, "quay.io/a/b"));

    fake.remove_projects("quay");
    eventually("the project is gone", || (!is_mirrored(&server, "quay.io/a/b")).then_some(()));
    assert!(is_mirrored(&server, "nginx"));
}

#[test]
fn projects_that_vanish_together_are_kept_and_reported() {
    let fake = Fake::start();
    let server = TestServer::start(&variables(&fake.url(), &[]));
    eventually("the list is loaded", || is_mirrored(&server, "quay.io/a/b").then_some(()));
    fake.remove_projects("");
    let missing = "16 rules; http://";
    let report = eventually("the loss is reported", || Some(server.readiness().1).filter(|r| r.contains(missing)));
    assert!(
        report.contains("[!] source harbor: ") && report.contains(" are missing from Harbor's list; keeping "),
        "{report}"
    );
    assert!(is_mirrored(&server, "quay.io/a/b"));

    fake.behave();
    eventually("the list is complete again", || (!server.readiness().1.contains(missing)).then_some(()));
}

#[test]
fn an_address_without_harbor_enabled_is_a_warning() {
    let warnings = |variables: &[(&str, &str)]| {
        let checked = run(&["--check"], variables);
        String::from_utf8_lossy(&checked.stderr).into_owned()
    };
    let host = ("MIMIC_HARBOR_API_HOST", "harbor.example.com");
    let base = [("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_KUBERNETES_ENABLED", "false")];
    let text = warnings(&[base[0], base[1], host]);
    assert!(
        text.contains(
            "warning: MIMIC_HARBOR_API_HOST: no effect: Harbor is not enabled (hint: set `MIMIC_HARBOR_ENABLED=true`, or \
             `harbor.enabled` in the file)"
        ),
        "{text}"
    );
    assert!(!warnings(&base).contains("HARBOR"));
}

#[test]
fn without_watching_harbor_is_queried_until_the_first_success() {
    for switch in ["MIMIC_HARBOR_WATCH", "MIMIC_WATCHMIRRORS"] {
        let (fake, watched) = (Fake::start(), Fake::start());
        fake.misbehave(|_, _| Some(Answer::error(500, "not yet")));
        let server = TestServer::start(&variables(&fake.url(), &[(switch, "false")]));
        let other = TestServer::start(&variables(&watched.url(), &[]));
        eventually("it failed once", || server.readiness().1.contains("not yet").then_some(()));
        fake.behave();
        eventually("the list is loaded", || is_mirrored(&server, "quay.io/a/b").then_some(()));
        eventually("the list is loaded", || is_mirrored(&other, "quay.io/a/b").then_some(()));
        fake.take_requests();
        for fake in [&fake, &watched] {
            fake.remove_projects("quay");
        }
        eventually("the project is gone", || (!is_mirrored(&other, "quay.io/a/b")).then_some(()));
        assert!(is_mirrored(&server, "quay.io/a/b"), "{switch}");
        assert!(fake.take_requests().is_empty(), "{switch}");
    }
}

#[test]
fn a_new_password_is_used_at_once() {
    let fake = Fake::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong").unwrap();
    let server = TestServer::start(&[
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", &fake.url()),
        ("MIMIC_HARBOR_ROBOT_USERNAME", ROBOT),
        ("MIMIC_HARBOR_ROBOT_PASSWORDFILE", file.to_str().unwrap()),
    ]);
    let refused = format!("does not accept the credentials of `{ROBOT}`");
    let report =
        eventually("it is refused", || Some(server.readiness()).filter(|(_, report)| report.contains(&refused)));
    assert_eq!(report.0, 503);
    replace(&file, PASSWORD);
    eventually("the list is loaded", || is_mirrored(&server, "quay.io/a/b").then_some(()));
    // The interval is five minutes, so the file causes what follows.
    replace(&file, "wrong again");
    eventually("it is refused", || server.readiness().1.contains(&refused).then_some(()));
    assert!(is_mirrored(&server, "quay.io/a/b"));
}

#[test]
fn private_projects_bring_their_pull_secret() {
    let fake = Fake::start();
    let url = fake.url();
    let server = TestServer::start(&variables(
        &url,
        &[
            ("MIMIC_HARBOR_PRIVATE", "true"),
            ("MIMIC_HARBOR_PULLSECRET", "harbor-pull"),
            ("MIMIC_HARBOR_PROJECTS", "proxy-*"),
        ],
    ));
    eventually("the list is loaded", || is_mirrored(&server, "nvcr.io/a/b").then_some(()));
    let answer = Connection::open(server.address).unwrap().review(&review(&["nvcr.io/nvidia/cuda"])).unwrap().json();
    let patch = openssl::base64::decode_block(answer["response"]["patch"].as_str().unwrap()).unwrap();
    let patch = String::from_utf8(patch).unwrap();
    assert!(patch.contains("harbor.example.com/proxy-nvcr/nvidia/cuda") && patch.contains("harbor-pull"), "{patch}");
    assert!(!is_mirrored(&server, "public.ecr.aws/a/b"), "its project is called otherwise");
}

#[test]
fn variables_come_before_harbor_and_an_earlier_harbor_before_a_later_one() {
    let (first, second) = (Fake::start(), Fake::start());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mimic.yaml");
    let element = |name: &str, fake: &Fake| {
        format!("  - {{name: {name}, registryurl: {name}.example.com, api: {{host: '{}'}}}}\n", fake.url())
    };
    std::fs::write(&file, format!("harbor:\n{}{}", element("first", &first), element("second", &second))).unwrap();
    let server =
        TestServer::start(&[("MIMIC_CONFIG", file.to_str().unwrap()), ("MIMIC_MIRRORS", "quay.io=own.example/quay")]);
    let loaded = || {
        let report = server.readiness().1;
        (report.contains("[+] source harbor:first: 16 rules") && report.contains("[+] source harbor:second: 16 rules"))
            .then_some(())
    };
    eventually("both are loaded", loaded);
    let mut connection = Connection::open(server.address).unwrap();
    assert_eq!(
        rewritten(&mut connection, &["nginx", "quay.io/a/b"]),
        [Some("first.example.com/proxy-dockerhub/library/nginx".to_owned()), Some("own.example/quay/a/b".to_owned())]
    );
}

#[test]
fn retry_after_is_respected_however_short_the_interval() {
    let (fake, other) = (Fake::start(), Fake::start());
    fake.misbehave(|_, _| Some(Answer::new(503, "text/html", "").header("Retry-After", "3600")));
    let server = TestServer::start(&variables(&fake.url(), &[]));
    eventually("it failed once", || server.readiness().1.contains("returned HTTP 503").then_some(()));
    let _other = TestServer::start(&variables(&other.url(), &[]));
    let mut asked = 0;
    let mut lists = || {
        let requests = other.take_requests();
        asked += requests.iter().filter(|request| request.path == proxy_projects(1)).count();
        (asked >= 4).then_some(())
    };
    eventually("another one was queried four times", &mut lists);
    assert_eq!(fake.take_requests().len(), 1);
}
