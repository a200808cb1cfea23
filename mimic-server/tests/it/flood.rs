//! What one client can make the server log.

use crate::common::client::Connection;
use crate::common::eventually;
use crate::common::process::{Process, free_port};

/// A review of a pod with this number of containers.
fn review(containers: usize) -> String {
    let containers: Vec<String> =
        (0..containers).map(|n| format!(r#"{{"name":"c{n}","image":"nginx:{n}"}}"#)).collect();
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"1","operation":"CREATE",
        "namespace":"shop","resource":{{"group":"","version":"v1","resource":"pods"}},
        "object":{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web"}},"spec":{{"containers":[{}]}}}}}}}}"#,
        containers.join(",")
    )
}

fn start() -> Process {
    let port = free_port().to_string();
    Process::start(
        &["--demo"],
        &[("MIMIC_ADMIN_LISTENPORT", &port), ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")],
    )
}

#[test]
fn the_line_of_a_pod_with_many_images_is_short_and_says_what_is_missing() {
    let server = start();
    let mut connection = Connection::open(server.address()).expect("the server listens");
    assert_eq!(connection.review(&review(1_000)).expect("the server answers").status, 200);
    let line = server.line("pod rewritten");
    assert_eq!(line["rewritten"], 1_000);
    let images = line["images"].as_str().expect("it is a string");
    let listed = images.matches(" -> ").count();
    assert!(images.len() < 8 << 10 && listed > 20, "{images}");
    assert!(images.ends_with(&format!(", and {} more", 1_000 - listed)), "{images}");
}

#[test]
fn lines_of_a_kind_are_limited_and_those_left_out_are_counted() {
    let server = start();
    let (address, pods, clients) = (server.address(), 400, 4);
    let client = move || {
        let mut connection = Connection::open(address).expect("the server listens");
        // Each line has more than six KiB, so that the limit of a second is reached in any second with 200 pods.
        let review = review(100);
        for _ in 0..pods {
            assert_eq!(connection.review(&review).expect("the server answers").status, 200);
        }
    };
    let threads: Vec<_> = (0..clients).map(|_| std::thread::spawn(client)).collect();
    for thread in threads {
        thread.join().expect("each review is answered");
    }
    let sum =
        |lines: &[serde_json::Value], field: &str| lines.iter().filter_map(|line| line[field].as_u64()).sum::<u64>();
    eventually("each line is logged or counted", || {
        let lines = server.lines();
        let logged = lines.iter().filter(|line| line["message"] == "pod rewritten").count() as u64;
        let left_out: Vec<_> = lines.iter().filter(|line| line["kind"] == "pod rewritten").cloned().collect();
        // A slow reader of the log loses lines, and those are counted, too.
        let all = logged + sum(&left_out, "count") + sum(&lines, "lost");
        (all == pods * clients).then_some(())
    });
}
