//! `mimic-server --demo`, and the log.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::common::client::{Connection, plain_get};
use crate::common::process::{Process, command, free_port};
use crate::common::{REVIEW, eventually};

#[test]
fn the_demo_serves_example_mirrors_and_shows_how_to_try_them() {
    let port = free_port().to_string();
    let server = Process::start(&["--demo"], &[("MIMIC_ADMIN_LISTENPORT", &port), ("MIMIC_DRAIN", "0s")]);
    let address = server.address();
    assert!(address.ip().is_loopback());
    assert_eq!(server.admin().to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(plain_get(server.admin(), "/readyz").0, 200);
    let owner = r#""ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d4b9c", "controller": true}], "labels""#;
    let review = REVIEW.replacen("\"labels\"", owner, 1);
    let answer = Connection::open(address).unwrap().review(&review).unwrap().json();
    assert_eq!(answer["response"]["patchType"], "JSONPatch");

    let line = server.line("pod rewritten");
    assert_eq!((&line["level"], &line["namespace"], &line["pod"]), (&"info".into(), &"shop".into(), &"web".into()));
    assert_eq!((&line["operation"], &line["rewritten"]), (&"CREATE".into(), &3.into()));
    assert_eq!(line["owner"], "ReplicaSet/web-7d4b9c");
    let image = "nginx:1.27 -> harbor.example.com/dockerhub/library/nginx:1.27 by docker.io of example";
    assert!(line["images"].as_str().unwrap().split(", ").any(|part| part == image), "{line}");
    assert!(server.line("certificate in use")["sha256"].as_str().unwrap().len() == 95);

    server.signal("TERM");
    let (status, output, log) = server.wait();
    assert!(status.success());
    assert_eq!(
        output,
        format!(
            "Mimic listens on https://{address} with example mirrors. Send it a review:\n\n  \
             curl -sk https://{address}/mutate -H 'Content-Type: application/json' --data-binary @examples/review.json\n\n"
        )
    );
    for line in log {
        assert!(["time", "level", "target", "message"].iter().all(|key| line[key].is_string()), "{line}");
    }
}

#[test]
fn the_environment_wins_over_the_demo() {
    let variables = [
        ("MIMIC_ADMIN_LISTENPORT", "0"),
        ("MIMIC_MIRRORS", "quay.io=own.example/quay"),
        ("MIMIC_LOGLEVEL", "debug"),
        ("MIMIC_NONSENSE", "1"),
    ];
    let server = Process::start(&["--demo"], &variables);
    let mut connection = Connection::open(server.address()).unwrap();
    connection.review(REVIEW).unwrap();
    assert_eq!(server.line("mirrors loaded")["source"], "environment");
    assert_eq!(server.line("configuration warning")["problem"], "MIMIC_NONSENSE: unknown variable, ignored");
    let decided = eventually("a line for each of the four images", || {
        let lines = server.lines().into_iter().filter(|line| line["message"] == "image processed");
        Some(lines.collect::<Vec<_>>()).filter(|decided| decided.len() == 4)
    });
    assert_eq!((&decided[1]["image"], &decided[1]["reason"]), (&"nginx:1.27".into(), &"no_rule".into()));
    assert!(server.lines().iter().all(|line| line["message"] != "admin port listening"));
}

#[test]
fn a_port_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let server = Process::start(&["--demo"], &[("MIMIC_LISTENPORT", &port), ("MIMIC_ADMIN_LISTENPORT", "0")]);
    let line = server.line("cannot start the server");
    assert_eq!(line["error"], format!("cannot listen on 127.0.0.1:{port}: Address already in use (os error 98)"));
    assert_eq!(server.wait().0.code(), Some(1));
}

#[test]
fn levels_can_be_set_by_module() {
    let variables =
        [("MIMIC_ADMIN_LISTENPORT", "0"), ("MIMIC_LOGLEVEL", "error"), ("RUST_LOG", "info,mimic_server::http=debug")];
    let server = Process::start(&["--demo"], &variables);
    let mut connection = Connection::open(server.address()).unwrap();
    assert_eq!(connection.request("POST", "/mutate", &[], b"").unwrap().status, 415);
    assert_eq!(server.line("request refused")["level"], "debug");
}

#[test]
fn blocked_log_output_does_not_delay_pods() {
    let port = free_port();
    let variables = [
        ("MIMIC_ADMIN_LISTENPORT", port.to_string()),
        ("MIMIC_LOGLEVEL", "debug".to_owned()),
        ("MIMIC_LISTENPORT", free_port().to_string()),
        ("MIMIC_DRAIN", "0s".to_owned()),
    ];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // No process reads this pipe.
    let (_reader, log) = std::io::pipe().unwrap();
    let mut server = command(&["--demo"], &variables).stderr(log).stdout(Stdio::piped()).spawn().unwrap();
    let mut instructions = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut instructions).unwrap();
    let address = instructions.split(['/', ' ']).find_map(|word| word.parse().ok()).expect("they have the address");

    let mut connection = Connection::open(address).unwrap();
    let all_kept = || plain_get(([127, 0, 0, 1], port).into(), "/metrics").1.contains("mimic_log_lines_lost_total 0\n");
    let answered =
        (0..5000).take_while(|_| connection.review(REVIEW).is_ok_and(|answer| answer.status == 200) && all_kept());
    assert!(answered.count() < 5000, "the log did not fill up");
    assert_eq!(connection.review(REVIEW).unwrap().status, 200);

    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert!(eventually("it exits nevertheless", || server.try_wait().unwrap()).success());
}
