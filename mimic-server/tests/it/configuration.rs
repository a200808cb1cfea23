//! Configuration from files and variables: what is read, and how errors are reported.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::process::run;
use mimic_core::Hint as _;
use mimic_server::Settings;
use mimic_server::settings::{CertificateOrigin, Loaded, LogFormat, LogLevel};

fn load(variables: &[(&str, &str)], file: Option<&Path>) -> Loaded {
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::load(environment, file, &[])
}

fn load_text(variables: &[(&str, &str)], text: &str) -> (Loaded, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mimic.yaml");
    std::fs::write(&path, text).unwrap();
    (load(variables, Some(&path)), path.display().to_string())
}

#[track_caller]
fn problems(loaded: Loaded) -> Vec<String> {
    loaded.settings.expect_err("there are problems").iter().map(|problem| problem.full_message().to_string()).collect()
}

/// The problems of these variables, beside a good certificate source.
#[track_caller]
fn refused(variables: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("MIMIC_CERTIFICATE_SOURCE", "selfsigned")];
    all.extend(variables);
    problems(load(&all, None))
}

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config");
    let mut samples: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    samples.sort();
    samples
}

#[test]
fn every_sample_loads_and_is_refused_with_a_bogus_key() {
    for sample in samples() {
        if let Err(problems) = load(&[], Some(&sample)).settings {
            panic!("{}: {problems:?}", sample.display());
        }
        let text = std::fs::read_to_string(&sample).unwrap() + "bogus: 1\n";
        let (loaded, path) = load_text(&[], &text);
        assert_eq!(problems(loaded), [format!("{path}:{}: unknown key `bogus`", text.lines().count())]);
    }
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let settings = load(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned")], None).settings.unwrap();
    assert_eq!((settings.listen.host.as_str(), settings.listen.port), ("0.0.0.0", 8443));
    assert_eq!(settings.admin.clone().map(|admin| (admin.host, admin.port)), Some(("0.0.0.0".to_owned(), 8081)));
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Info, LogFormat::Text));
    assert_eq!(settings.excluded_namespaces, ["kube-system", "kube-node-lease", "kube-public"]);
    assert!(settings.annotate && !settings.dry_run && settings.watch_mirrors);
    assert_eq!((settings.limits.body, settings.limits.connections, settings.limits.memory), (8 << 20, None, None));
    assert_eq!(settings.limits.request_time, Duration::from_secs(10));
    assert_eq!((settings.drain, settings.startup), (Duration::from_secs(5), Duration::from_mins(1)));
    let sources = r#"sources: [ConfigMapSettings { config_map: "mimic-mirrors", watch: true, events: true }] }"#;
    assert!(format!("{settings:?}").ends_with(sources), "{settings:?}");
}

#[test]
fn every_key_of_a_file_is_read() {
    let sample = samples().into_iter().find(|path| path.ends_with("full.yaml")).unwrap();
    let settings = load(&[], Some(&sample)).settings.unwrap();
    let text = std::fs::read_to_string(&sample).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("mirrors:")).unwrap();
    // A value that is read under another name, or not at all, would still be a default here.
    assert_eq!(
        format!("{settings:?}"),
        "Settings { listen: Listen { host: \"127.0.0.1\", port: 9443 }, \
         admin: Some(Listen { host: \"localhost\", port: 9081 }), log: Log { level: Debug, format: Json }, \
         certificate: Certificate { source: SelfSigned, cert_file: \"/certs/tls.crt\", key_file: \"/certs/tls.key\", \
         secret: \"webhook-certs\", service: \"webhook\", webhook: \"webhook\", validity: 864000s, \
         ca_validity: 31536000s, client_ca: \"/certs/client-ca.crt\" }, watch_mirrors: false, excluded_namespaces: [\"kube-*\", \"monitoring\"], annotate: false, dry_run: true, policy: None, events: false, \
         limits: Limits { body: 4194304, connections: Some(500), memory: Some(67108864), request_time: 2s }, drain: 10s, startup: 90s, \
         namespace: \"images\", sources: [\
         ShortForm { text: \"docker.io=harbor.example.com/hub\", origin: (\"PLACE\", Some(LINE)) }, \
         FileSettings { path: \"/etc/mimic/mirrors.yaml\", watch: false }, \
         FileSettings { path: \"/etc/mimic/more.yaml\", watch: false }, \
         ConfigMapSettings { config_map: \"mirrors\", watch: false, events: false }, \
         ConfiguredHarbor { name: \"main\", watch: false, interval: 600s, settings: HarborSettings { \
         address: Address(https://harbor.example.com), ca_file: Some(\"/certs/harbor.crt\"), \
         credentials: Some(Credentials { username: \"robot$mimic\", password: \"…\" }), \
         timeouts: Timeouts { connect: 3s, request: 20s }, registry: Some(\"registry.example.com\"), \
         projects: [\"hub-*\", \"quay\"], private: true, pull_secret: Some(\"harbor\"), unhealthy: false, \
         overrides: Overrides({\"ecr\": \"42.dkr.ecr.eu-west-1.amazonaws.com\"}), grace: 7200s } }] }"
            .replace("PLACE", &sample.display().to_string())
            .replace("LINE", &line.to_string())
    );
}

#[test]
fn the_environment_wins_over_the_file_and_the_option_over_the_variable() {
    let (loaded, _) = load_text(
        &[("MIMIC_LISTENPORT", "1"), ("MIMIC_CONFIG", "/does/not/exist"), ("MIMIC_STARTUP", "7s")],
        "startup: 8s\nlistenport: 2\ndryrun: yes\ncertificate: {source: selfsigned}\n",
    );
    let settings = loaded.settings.unwrap();
    assert_eq!((settings.listen.port, settings.dry_run, settings.startup), (1, true, Duration::from_secs(7)));
    let problems = problems(load(&[("MIMIC_CONFIG", "/does/not/exist")], None));
    let absent = "cannot read the configuration file: No such file or directory (os error 2)";
    assert_eq!(problems[0], format!("/does/not/exist: {absent}"));
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let (loaded, _) = load_text(
        &[("MIMIC_LISTENPORT", ""), ("MIMIC_DRAIN", "")],
        "listenport:\nlimits:\nadmin:\n  listenport: ~\ncertificate: {source: selfsigned}\n",
    );
    let settings = loaded.settings.unwrap();
    assert_eq!((settings.listen.port, settings.admin.map(|admin| admin.port)), (8443, Some(8081)));
    assert_eq!((settings.limits.connections, settings.drain), (None, Duration::from_secs(5)));
}

#[test]
fn memory_for_less_than_one_body_is_refused() {
    assert_eq!(
        refused(&[("MIMIC_LIMITS_BODY", "2MiB"), ("MIMIC_LIMITS_MEMORY", "2MiB")]),
        [
            "MIMIC_LIMITS_MEMORY: too little for a body of `limits.body`, 2097152 bytes (hint: allowed: at least 3145728 bytes)"
        ]
    );
    let settings = load(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_LIMITS_MEMORY", "12MiB")], None).settings;
    assert_eq!(settings.unwrap().limits.memory, Some(12 << 20));
}

#[test]
fn every_invalid_value_is_reported_with_the_allowed_ones_all_at_once() {
    let size = "1 to 1GiB, in bytes or with KiB, MiB or GiB, such as `8MiB`";
    let duration = "a number with ms, s, m or h, such as `500ms`, `30s` or `1m30s`";
    assert_eq!(
        refused(&[
            ("MIMIC_LISTENPORT", "99999"),
            ("MIMIC_LISTENHOST", "http://x"),
            ("MIMIC_LOGLEVEL", "loud"),
            ("MIMIC_LOGFORMAT", "xml"),
            ("MIMIC_WATCHMIRRORS", "maybe"),
            ("MIMIC_EXCLUDE_NAMESPACES", "kube-[a"),
            ("MIMIC_LIMITS_BODY", "8MB"),
            ("MIMIC_LIMITS_CONNECTIONS", "0"),
            ("MIMIC_LIMITS_REQUESTTIME", "0s"),
            ("MIMIC_DRAIN", "five seconds"),
            ("MIMIC_KUBERNETES_NAMESPACE", "My\nNamespace"),
        ]),
        [
            "MIMIC_LISTENHOST: `http://x` is not a host (hint: allowed: an IP address or a host name)".to_owned(),
            "MIMIC_LISTENPORT: `99999` is not a port (hint: allowed: 0 to 65535)".to_owned(),
            "MIMIC_LOGLEVEL: `loud` is not a log level (hint: allowed: trace, debug, info, warn, error, fatal, panic)"
                .to_owned(),
            "MIMIC_LOGFORMAT: `xml` is not a log format (hint: allowed: text, json)".to_owned(),
            "MIMIC_WATCHMIRRORS: `maybe` is not a boolean (hint: allowed: true or false)".to_owned(),
            "MIMIC_EXCLUDE_NAMESPACES: `kube-[a` is not a list of globs (hint: allowed: globs, separated by commas)"
                .to_owned(),
            format!("MIMIC_LIMITS_BODY: `8MB` is not a size (hint: allowed: {size})"),
            "MIMIC_LIMITS_CONNECTIONS: `0` is not a count (hint: allowed: a number from 1)".to_owned(),
            "MIMIC_LIMITS_REQUESTTIME: `0s` is not a period (hint: allowed: a duration above zero with ms, s, m or h, such \
             as `500ms`, `30s` or `1m30s`)"
                .to_owned(),
            format!("MIMIC_DRAIN: `five seconds` is not a duration (hint: allowed: {duration})"),
            "MIMIC_KUBERNETES_NAMESPACE: `My\\nNamespace` is not a Kubernetes name (hint: allowed: lower-case letters, \
             digits, `-` and `.`)"
                .to_owned(),
        ]
    );
}

#[test]
fn errors_in_a_file_have_lines_and_are_reported_with_those_of_variables() {
    let (loaded, path) = load_text(
        &[("MIMIC_DRAIN", "soon"), ("MIMIC_HARBOR_API_HOTS", "h")],
        "loglevel: loud\nharbor:\n  api: {hots: h}\ncertificate:\n  source: vault\nlimits: 5\nfile:\n  path: {a: b}\n",
    );
    let warnings: Vec<String> = loaded.warnings.iter().map(|problem| problem.full_message().to_string()).collect();
    let unknown = "unknown variable, ignored (hint: did you mean `MIMIC_HARBOR_API_HOST`?)";
    assert_eq!(warnings, [format!("MIMIC_HARBOR_API_HOTS: {unknown}")]);
    let problems = problems(loaded);
    for expected in [
        format!("{path}:1: `loglevel`: `loud` is not a log level (hint: allowed: trace, debug, "),
        format!("{path}:3: unknown key `harbor.api.hots` (hint: did you mean `harbor.api.host`?)"),
        format!(
            "{path}:5: `certificate.source`: `vault` is not a certificate source (hint: allowed: kubernetes, file, "
        ),
        format!("{path}:6: `limits` is a group of keys, not a single value"),
        format!("{path}:8: `file.path` is a single value, not a group of keys"),
        "MIMIC_DRAIN: `soon` is not a duration".to_owned(),
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{expected}\n{problems:#?}");
    }
}

#[test]
fn a_byte_order_mark_in_a_file_is_skipped_and_utf16_is_named() {
    let (loaded, _) = load_text(&[], "\u{feff}certificate: {source: selfsigned}\n");
    assert!(loaded.settings.is_ok(), "{:?}", loaded.settings);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mimic.yaml");
    let utf16: Vec<u8> = "\u{feff}drain: 5s".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, utf16).unwrap();
    let hint = "save it as UTF-8; in PowerShell, use `Out-File -Encoding utf8`";
    let expected = format!("{}: UTF-16 text, expected UTF-8 (hint: {hint})", path.display());
    assert_eq!(problems(load(&[], Some(&path))), [expected]);
}

#[test]
fn broken_yaml_does_not_hide_what_is_wrong_elsewhere() {
    let (loaded, path) = load_text(&[("MIMIC_DRAIN", "soon"), ("MIMIC_CERTIFICATE_SOURCE", "selfsigned")], "a: [\n");
    let problems = problems(loaded);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with(&format!("{path}:1: not valid YAML: ")), "{problems:#?}");
    assert!(problems[1].starts_with("MIMIC_DRAIN: "));
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "correct horse";
    let variables = [
        ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", "harbor.example.com"),
        ("MIMIC_HARBOR_ROBOT_USERNAME", "robot$mimic"),
        ("MIMIC_HARBOR_ROBOT_PASSWORD", secret),
    ];
    let settings = load(&variables, None).settings.unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("credentials: Some(") && !shown.contains(secret), "{shown}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let both = [("MIMIC_HARBOR_ROBOT_PASSWORD", secret), ("MIMIC_HARBOR_ROBOT_PASSWORDFILE", path)];
    assert_eq!(
        refused(&both),
        ["MIMIC_HARBOR_ROBOT_PASSWORDFILE: cannot be combined with `MIMIC_HARBOR_ROBOT_PASSWORD`; remove one of them"]
    );
    assert_eq!(
        refused(&[("MIMIC_HARBOR_ROBOT_PASSWORDFILE", "/does/not/exist")]),
        ["MIMIC_HARBOR_ROBOT_PASSWORDFILE: cannot read `/does/not/exist`: No such file or directory (os error 2)"]
    );
}

#[test]
fn settings_that_belong_together_are_checked_together() {
    assert_eq!(
        problems(load(&[("MIMIC_CERTIFICATE_SOURCE", "file"), ("MIMIC_CERTIFICATE_KEYFILE", "key")], None)),
        [
            "MIMIC_CERTIFICATE_CERTFILE: not set, but required for the certificate source `file` (hint: allowed: the name of a \
          file)"
        ]
    );
    assert_eq!(
        refused(&[("MIMIC_LISTENPORT", "8081")]),
        ["MIMIC_ADMIN_LISTENPORT: `8081` is also the port of the webhook (hint: allowed: another port, or 0 for none)"]
    );
}

#[test]
fn what_certificates_in_a_secret_need_is_checked() {
    // An empty variable counts as not set: only a file can contain an empty value.
    let nothing = "  service: ''\n  webhook: ''\nkubernetes:\n  certsecret: ''\n";
    for (source, keys) in [
        ("kubernetes", &[(5, "kubernetes.certsecret")][..]),
        ("managed", &[(5, "kubernetes.certsecret"), (2, "certificate.service"), (3, "certificate.webhook")]),
    ] {
        let (loaded, path) = load_text(&[("MIMIC_CERTIFICATE_SOURCE", source)], &format!("certificate:\n{nothing}"));
        let expected = keys.iter().map(|(line, key)| {
            format!(
                "{path}:{line}: `{key}`: empty, but required for the certificate source `{source}` (hint: allowed: lower-case \
                 letters, digits, `-` and `.`)"
            )
        });
        assert_eq!(problems(loaded), expected.collect::<Vec<_>>());
    }

    let lives = |leaf: &str, authority: &str| {
        let lives = [("MIMIC_CERTIFICATE_VALIDITY", leaf), ("MIMIC_CERTIFICATE_AUTHORITYVALIDITY", authority)];
        load(&[&[("MIMIC_CERTIFICATE_SOURCE", "managed")], &lives[..]].concat(), None)
    };
    assert!(lives("10s", "30s").settings.is_ok());
    assert_eq!(
        problems(lives("9s", "876001h")),
        [
            "MIMIC_CERTIFICATE_VALIDITY: too short to be renewed in time (hint: allowed: 10s or more)",
            "MIMIC_CERTIFICATE_AUTHORITYVALIDITY: longer than 100 years (hint: allowed: 876000h or less)",
        ]
    );
    assert_eq!(
        problems(lives("2160h", "6000h")),
        [
            "MIMIC_CERTIFICATE_AUTHORITYVALIDITY: less than three times `MIMIC_CERTIFICATE_VALIDITY`: certificates would outlive \
          their CA"
        ]
    );
    assert_eq!(problems(lives("soon", "6000h")).len(), 1);
}

#[test]
fn unavailable_settings_are_rejected_not_ignored() {
    assert_eq!(
        refused(&[("MIMIC_OPENSHIFT_ENABLED", "true")]),
        ["MIMIC_OPENSHIFT_ENABLED: OpenShift's mirror sets are not available in this version (hint: allowed: false)",]
    );
    assert_eq!(CertificateOrigin::SelfSigned, CertificateOrigin::default());
}

#[test]
fn the_check_reports_everything_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let mirrors = folder.path().join("mirrors.yaml");
    std::fs::write(&mirrors, "mirrors: {docker.io: 'https://x'}").unwrap();
    let good = [("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_LISTEN_PORT", "1"), ("MIMIC_SERVICE_HOST", "x")];
    let output = run(&["--check"], &good);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "configuration OK\n");
    let warning = "unknown variable, ignored (hint: did you mean `MIMIC_LISTENPORT`?)";
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("warning: MIMIC_LISTEN_PORT: {warning}\n"));

    let output = run(
        &["--check"],
        &[
            ("MIMIC_CERTIFICATE_SOURCE", "file"),
            ("MIMIC_CERTIFICATE_CERTFILE", "/none.crt"),
            ("MIMIC_CERTIFICATE_KEYFILE", "/none.key"),
            ("MIMIC_FILE_PATH", mirrors.to_str().unwrap()),
        ],
    );
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let lines = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].starts_with(&format!("error: {}:1: ", mirrors.display())), "{lines:#?}");
    assert!(lines[1].starts_with("error: certificate: cannot read `/none.crt`: "), "{lines:#?}");

    let output = run(&["--check"], &[("MIMIC_LISTENPORT", "x")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "the port");
}

#[test]
fn an_error_stops_the_start_with_the_same_message() {
    let variables = [("MIMIC_LISTENPORT", "x"), ("MIMIC_CERTIFICATE_SOURCE", "selfsigned")];
    let started = run(&[], &variables);
    let checked = run(&["--check"], &variables);
    assert_eq!((started.status.code(), &started.stderr), (Some(1), &checked.stderr));
}

#[test]
fn usage_and_version_are_printed() {
    let output = run(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(["--config <FILE>", "--check", "--demo", "--version"].iter().all(|option| help.contains(option)), "{help}");
    let version = format!("mimic-server {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&run(&["--version"], &[]).stdout), version);
    assert_eq!(run(&["--nonsense"], &[]).status.code(), Some(2));
}

#[test]
fn the_check_shows_hidden_characters_and_warns_about_a_key_that_every_user_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let identity = crate::common::pki::Identity::new("mimic");
    std::fs::write(&certificate, identity.certificate_pem()).unwrap();
    std::fs::write(&key, identity.key_pem()).unwrap();
    let mirrors = folder.path().join("mirrors.yaml");
    std::fs::write(&mirrors, "mirrors: {\"a\\e[2J\\u202Eb\": x}\n").unwrap();
    let absent = "/does/not\u{1b}[2J/exist\u{202e}.yaml";
    for (mode, is_warned) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = crate::common::process::run(
            &["--check"],
            &[
                ("MIMIC_KUBERNETES_ENABLED", "false"),
                ("MIMIC_CERTIFICATE_SOURCE", "file"),
                ("MIMIC_CERTIFICATE_CERTFILE", certificate.to_str().unwrap()),
                ("MIMIC_CERTIFICATE_KEYFILE", key.to_str().unwrap()),
                ("MIMIC_FILE_PATH", &format!("{},{absent}", mirrors.display())),
            ],
        );
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(report.contains("error: ") && report.contains("mirrors.yaml:1"), "{report}");
        assert!(!report.contains(['\u{1b}', '\u{202e}']), "{report:?}");
        assert!(report.contains(r"error: /does/not\u001b[2J/exist\u202e.yaml: "), "{report:?}");
        let warning = format!("warning: {}: the private key is readable by every user (mode 0644)", key.display());
        assert_eq!(report.contains(&warning), is_warned, "{report}");
    }
}
