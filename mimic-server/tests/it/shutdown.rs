//! Shutdown without failed requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::common::client::{Connection, plain_get};
use crate::common::process::{Process, free_port};
use crate::common::{REVIEW, TestServer, eventually};

const MIRRORS: (&str, &str) = ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub");

/// Selects a ready server, as a Service does.
fn choose(servers: [(SocketAddr, SocketAddr); 2]) -> SocketAddr {
    let is_ready = |admin| std::panic::catch_unwind(|| plain_get(admin, "/readyz").0 == 200).unwrap_or(false);
    servers.into_iter().find(|(_, admin)| is_ready(*admin)).expect("one server is ready").0
}

/// Clients that send one review after the other, and reconnect when the server announces the end of a connection.
struct Load {
    done: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(servers: [(SocketAddr, SocketAddr); 2], clients: usize) -> Self {
        let (done, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..clients).map(|_| {
            let (done, count) = (Arc::clone(&done), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut connection = Connection::open(choose(servers)).expect("a ready server can be reached");
                while !done.load(Ordering::Relaxed) {
                    let response = connection.review(REVIEW).expect("no request fails");
                    assert_eq!(response.status, 200);
                    count.fetch_add(1, Ordering::Relaxed);
                    if response.is_last() {
                        connection = Connection::open(choose(servers)).expect("a ready server can be reached");
                    }
                }
            })
        });
        let clients = clients.collect();
        Self { done, count, clients }
    }

    fn wait_for_more(&self, more: usize) {
        let seen = self.count.load(Ordering::Relaxed);
        eventually("requests go on", || (self.count.load(Ordering::Relaxed) > seen + more).then_some(()));
    }

    fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no request failed");
        }
    }
}

fn process(variables: &[(&str, &str)]) -> Process {
    let port = free_port().to_string();
    let mut all = vec![("MIMIC_ADMIN_LISTENPORT", port.as_str()), MIRRORS];
    all.extend(variables);
    Process::start(&["--demo"], &all)
}

#[test]
fn sigterm_under_load_fails_no_request() {
    let stopping = process(&[("MIMIC_DRAIN", "1s")]);
    let staying = TestServer::start(&[MIRRORS]);
    let load = Load::start([(stopping.address(), stopping.admin()), (staying.address, staying.admin)], 8);
    load.wait_for_more(200);

    let admin = stopping.admin();
    stopping.signal("TERM");
    eventually("it is not ready", || (plain_get(admin, "/readyz").0 == 503).then_some(()));
    load.wait_for_more(200);
    let (status, _, log) = stopping.wait();
    assert!(status.success(), "{log:#?}");
    load.wait_for_more(200);
    load.end();
    assert_eq!(log.last().unwrap()["message"], "shutdown complete");
}

#[test]
fn while_draining_it_serves_new_connections_one_request_each() {
    let server = process(&[("MIMIC_DRAIN", "30s")]);
    let (address, admin) = (server.address(), server.admin());
    let mut before = Connection::open(address).unwrap();
    assert!(!before.review(REVIEW).unwrap().is_last());
    server.signal("INT");
    eventually("it is not ready", || (plain_get(admin, "/readyz").0 == 503).then_some(()));
    assert!(plain_get(admin, "/readyz?verbose").1.ends_with("[-] shutdown: draining\nnot ready: shutdown\n"));
    assert_eq!(plain_get(admin, "/healthz").0, 200);

    let mut new = Connection::open(address).unwrap();
    for connection in [&mut before, &mut new] {
        let response = connection.review(REVIEW).unwrap();
        assert!(response.status == 200 && response.is_last());
        assert!(connection.review(REVIEW).is_err(), "the connection is closed");
    }
    let response = Connection::open(address).unwrap().request("GET", "/", &[], b"").unwrap();
    assert!(response.status == 404 && response.is_last());
}

#[test]
fn a_second_signal_ends_it_immediately() {
    let server = process(&[("MIMIC_DRAIN", "60s")]);
    let _idle = Connection::open(server.address()).unwrap();
    server.signal("TERM");
    server.line("shutting down: draining");
    let start = Instant::now();
    server.signal("TERM");
    let (_, _, log) = server.wait();
    assert!(start.elapsed() < Duration::from_secs(50));
    assert_eq!(log.last().unwrap()["message"], "second signal: exiting immediately");
}

#[test]
fn a_request_in_flight_at_the_end_of_the_drain_is_finished() {
    let server = process(&[("MIMIC_DRAIN", "100ms")]);
    let mut connection = Connection::open(server.address()).unwrap();
    let head = format!(
        "POST /mutate HTTP/1.1\r\nHost: mimic\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        REVIEW.len()
    );
    connection.send(head.as_bytes()).unwrap();
    connection.send(&REVIEW.as_bytes()[..10]).unwrap();
    let idle = Connection::open(server.address()).unwrap();
    server.signal("TERM");
    // The idle connection is closed when the drain is over.
    let mut idle = idle;
    assert_eq!(idle.receive().expect_err("it is closed").kind(), io::ErrorKind::UnexpectedEof);
    connection.send(&REVIEW.as_bytes()[10..]).unwrap();
    let response = connection.receive().unwrap();
    assert!(response.status == 200 && response.is_last());
    assert!(server.wait().0.success());
}
