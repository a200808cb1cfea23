//! Mirrors from files and other sources, while serving.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::client::Connection;
use crate::common::{REVIEW, TestServer, eventually, replace, settings};
use mimic_core::{Hint as _, MirrorSource, Rule, RuleList, SourceError, SourceErrorKind, async_trait};
use mimic_server::Server;
use tokio::sync::Notify;

struct Mirrors {
    folder: tempfile::TempDir,
}

impl Mirrors {
    fn new(text: &str) -> Self {
        let mirrors = Self { folder: tempfile::tempdir().unwrap() };
        mirrors.write(text);
        mirrors
    }

    fn write(&self, text: &str) {
        replace(&self.path(), text);
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mirrors.yaml")
    }

    fn start(&self, variables: &[(&str, &str)]) -> TestServer {
        let path = self.path();
        let mut all = vec![("MIMIC_FILE_PATH", path.to_str().unwrap())];
        all.extend(variables);
        TestServer::start(&all)
    }
}

/// Where the sample's nginx is pulled from.
fn nginx(server: &TestServer) -> Option<String> {
    let answer = Connection::open(server.address).unwrap().review(REVIEW).unwrap().json();
    assert_eq!(answer["response"]["allowed"], true);
    let patch = openssl::base64::decode_block(answer["response"]["patch"].as_str()?).unwrap();
    let patch: serde_json::Value = serde_json::from_slice(&patch).unwrap();
    let change = patch.as_array().unwrap().iter().find(|change| change["path"] == "/spec/containers/0/image")?;
    Some(change["value"].as_str().unwrap().to_owned())
}

fn wait_for(server: &TestServer, expected: Option<&str>) {
    eventually("the new mirrors are used", || (nginx(server).as_deref() == expected).then_some(()));
}

#[test]
fn a_changed_file_is_used_without_a_restart() {
    let mirrors = Mirrors::new("mirrors: {docker.io: one.example/hub}");
    let server = mirrors.start(&[]);
    assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"));
    mirrors.write("mirrors: {docker.io: two.example/hub}");
    wait_for(&server, Some("two.example/hub/library/nginx:1.27"));
    // In place, as an editor may do it.
    fs::write(mirrors.path(), "mirrors: {docker.io: three.example/hub}").unwrap();
    wait_for(&server, Some("three.example/hub/library/nginx:1.27"));
    mirrors.write("");
    wait_for(&server, None);
}

#[test]
fn the_manifest_of_a_configmap_and_a_file_with_a_byte_order_mark_are_files_with_mirrors() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\ndata:\n  docker.io: one.example/hub\n  mirrors.yaml: |\n    \
                    mirrors: {docker.io: hidden.example/hub}\n";
    let mirrors = Mirrors::new(manifest);
    let server = mirrors.start(&[]);
    assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"));
    mirrors.write("\u{feff}mirrors: {docker.io: two.example/hub}");
    wait_for(&server, Some("two.example/hub/library/nginx:1.27"));
}

#[test]
fn files_of_other_tools_and_utf16_stop_the_start() {
    let utf16: Vec<u8> = "\u{feff}mirrors: {}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let contents: [(&[u8], &str); 3] = [
        (b"server = \"https://registry-1.docker.io\"\n", "a `hosts.toml` of containerd, not a rules file"),
        (b"docker.io::harbor.example.com/dockerhub\n", "a map file of imageswap, not a rules file"),
        (&utf16, "UTF-16 text, expected UTF-8"),
    ];
    for (content, message) in contents {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let path = file.path().to_str().unwrap();
        let server = Server::new(settings(&[("MIMIC_FILE_PATH", path)]));
        let problems: Vec<String> = server.check().iter().map(ToString::to_string).collect();
        assert_eq!(problems, [format!("{path}: {message}")]);
    }
}

#[test]
fn what_cannot_be_read_keeps_the_last_good_list_and_is_reported() {
    let mirrors = Mirrors::new("mirrors: {docker.io: one.example/hub}");
    let server = mirrors.start(&[]);
    let name = format!("source file:{}", mirrors.path().display());
    mirrors.write("mirrors: [");
    let words = format!("[!] {name}: 1 rule, using last good rules; ");
    let report = eventually("the failure is reported", || Some(server.readiness().1).filter(|r| r.contains(&words)));
    // A slow machine sees a later one than the first.
    assert!(report.contains(" consecutive failure") && report.contains(", last error: "), "{report}");
    assert!(report.contains("mirrors.yaml:1: not valid YAML"), "{report}");
    assert!(report.ends_with(&format!("ready, degraded: {name}\n")), "{report}");
    assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"));

    fs::remove_file(mirrors.path()).unwrap();
    eventually("its absence is reported", || server.readiness().1.contains("cannot read the file").then_some(()));
    assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"));

    mirrors.write("mirrors: {docker.io: two.example/hub}");
    wait_for(&server, Some("two.example/hub/library/nginx:1.27"));
    let (status, report) = server.readiness();
    assert!(status == 200 && report.ends_with("ready\n"), "{report}");
}

#[test]
fn a_bad_entry_of_a_live_file_is_skipped_and_its_neighbours_work_on() {
    let mirrors = Mirrors::new("mirrors: {docker.io: one.example/hub}");
    let server = mirrors.start(&[]);
    mirrors.write("mirrors:\n  docker.io: two.example/hub\n  quay.io: 'https://two.example/quay'\n");
    wait_for(&server, Some("two.example/hub/library/nginx:1.27"));
    let report = server.readiness().1;
    let words = "1 rule; 1 invalid entry skipped, first: ";
    assert!(report.contains(words) && report.contains("mirrors.yaml:3: ") && report.contains("degraded"), "{report}");
    mirrors.write("mirrors: {docker.io: three.example/hub}");
    eventually("the report is withdrawn", || server.readiness().1.ends_with("\nready\n").then_some(()));
}

#[test]
fn a_file_that_is_not_watched_is_read_once() {
    for switch in ["MIMIC_FILE_WATCH", "MIMIC_WATCHMIRRORS"] {
        let mirrors = Mirrors::new("mirrors: {docker.io: one.example/hub}");
        let watched = mirrors.start(&[]);
        let server = mirrors.start(&[(switch, "false")]);
        mirrors.write("mirrors: {docker.io: two.example/hub}");
        wait_for(&watched, Some("two.example/hub/library/nginx:1.27"));
        mirrors.write("mirrors: {docker.io: three.example/hub}");
        // Both poll at the same interval, so a whole period has passed for the other one, too.
        wait_for(&watched, Some("three.example/hub/library/nginx:1.27"));
        assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"), "{switch}");
    }
}

#[test]
fn variables_come_before_files_and_earlier_files_before_later_ones() {
    let first = Mirrors::new("mirrors: {docker.io: first.example/hub, ghcr.io: first.example/ghcr}");
    let second = Mirrors::new("mirrors: {docker.io: second.example/hub, quay.io: second.example/quay}");
    let both = format!("{},{}", first.path().display(), second.path().display());
    let server = TestServer::start(&[("MIMIC_FILE_PATH", &both)]);
    assert_eq!(nginx(&server).as_deref(), Some("first.example/hub/library/nginx:1.27"));
    let server = TestServer::start(&[("MIMIC_FILE_PATH", &both), ("MIMIC_MIRRORS", "docker.io=own.example/hub")]);
    assert_eq!(nginx(&server).as_deref(), Some("own.example/hub/library/nginx:1.27"));
}

#[test]
fn mirrors_that_are_wrong_at_the_start_stop_it_with_every_problem() {
    let mirrors = Mirrors::new("mirrors:\n  docker.io: https://one.example\nrules:\n- upstrem: quay.io\n");
    let settings = crate::common::settings(&[
        ("MIMIC_FILE_PATH", &format!("{},/does/not/exist.yaml", mirrors.path().display())),
        ("MIMIC_MIRRORS", "docker.io"),
    ]);
    let server = mimic_server::Server::new(settings);
    let problems: Vec<String> = server.check().iter().map(|problem| problem.full_message().to_string()).collect();
    let path = mirrors.path().display().to_string();
    assert!(problems[0].starts_with("MIMIC_MIRRORS: "), "{problems:#?}");
    assert!(problems[1].starts_with(&format!("{path}:2: ")), "{problems:#?}");
    assert!(problems[2].starts_with(&format!("{path}:4: ")), "{problems:#?}");
    let last = problems.last().unwrap();
    assert_eq!(last, "/does/not/exist.yaml: cannot read the file: No such file or directory (os error 2)");
    let started = actix_web::rt::System::new().block_on(async { server.start().await.map(|_| ()) });
    let error = started.expect_err("it does not start");
    assert_eq!(error.to_string(), format!("{} errors in the mirror configuration", problems.len()));
}

#[test]
fn an_invalid_mirror_in_the_configuration_file_is_reported_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mimic.yaml");
    std::fs::write(&file, "dryrun: true\nmirrors: docker.io=https://one.example\n").unwrap();
    let settings = crate::common::settings(&[("MIMIC_CONFIG", file.to_str().unwrap())]);
    let problems: Vec<String> =
        mimic_server::Server::new(settings).check().iter().map(|problem| problem.full_message().to_string()).collect();
    let message = "location `https://one.example` has a scheme (hint: write `one.example`)";
    assert_eq!(problems, [format!("{}:2: {message}", file.display())]);
}

/// A source that fails until a switch is set.
struct Moody {
    well: Arc<AtomicBool>,
    recovered: Arc<Notify>,
}

#[async_trait]
impl MirrorSource for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }
    async fn load(&self) -> Result<RuleList, SourceError> {
        if self.well.load(Ordering::Relaxed) {
            let rules = vec![Rule::mirror("docker.io", "moody.example/hub").expect("the rule is good")];
            Ok(RuleList { rules, problems: Vec::new() })
        } else {
            Err(SourceError::new(SourceErrorKind::Unavailable, "not in the mood"))
        }
    }
    async fn changed(&self) {
        self.recovered.notified().await;
    }
}

#[test]
fn readiness_waits_for_every_source_and_for_the_end_of_the_startup() {
    let (well, recovered) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let source = |well: &Arc<AtomicBool>| Arc::new(Moody { well: Arc::clone(well), recovered: Arc::clone(&recovered) });

    let first = source(&well);
    let server = TestServer::start_with(&[], |server| server.source(first));
    let report = eventually("the failure is noted", || Some(server.readiness()).filter(|r| r.1.contains("mood")));
    assert_eq!(report.0, 503);
    // A slow machine sees a later failure than the first.
    assert!(report.1.contains("[-] source moody: not loaded yet; "), "{}", report.1);
    assert!(report.1.contains(", last error: not in the mood\n"), "{}", report.1);
    assert!(report.1.ends_with("not ready: source moody\n"), "{}", report.1);
    assert_eq!(nginx(&server), None, "requests are still answered");

    // After the startup period the server is ready and degraded.
    let second = source(&well);
    let impatient = TestServer::start_with(&[("MIMIC_STARTUP", "0s")], |server| server.source(second));
    let report = eventually("the failure is noted", || Some(impatient.readiness()).filter(|r| r.1.contains("mood")));
    assert_eq!(report.0, 200);
    assert!(report.1.contains("[!] source moody: not loaded yet;"), "{}", report.1);
    assert!(report.1.ends_with("ready, degraded: source moody\n"), "{}", report.1);
    drop(impatient);

    well.store(true, Ordering::Relaxed);
    recovered.notify_waiters();
    eventually("it is ready", || (server.readiness().0 == 200).then_some(()));
    assert_eq!(nginx(&server).as_deref(), Some("moody.example/hub/library/nginx:1.27"));
}

#[test]
fn what_is_no_regular_file_is_refused_and_the_last_rules_stay() {
    let mirrors = Mirrors::new("mirrors: {docker.io: one.example/hub}");
    let server = mirrors.start(&[]);
    let pipe = mirrors.path().with_extension("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::rename(&pipe, mirrors.path()).unwrap();
    let error = "cannot read the file: it is not a regular file";
    eventually("the failure is reported", || server.readiness().1.contains(error).then_some(()));
    assert_eq!(nginx(&server).as_deref(), Some("one.example/hub/library/nginx:1.27"));

    let large = fs::File::create(&pipe).unwrap();
    large.set_len(500 << 20).unwrap();
    fs::rename(&pipe, mirrors.path()).unwrap();
    let error = "cannot read the file: it is larger than 16 MiB";
    eventually("the failure is reported", || server.readiness().1.contains(error).then_some(()));
    mirrors.write("mirrors: {docker.io: two.example/hub}");
    wait_for(&server, Some("two.example/hub/library/nginx:1.27"));
}
