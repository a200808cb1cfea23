//! Clients that are silent, slow, many, or never read do not affect others.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};

use crate::common::client::{Connection, Response, plain_get};
use crate::common::{REVIEW, TestServer, eventually};

const MIRRORS: (&str, &str) = ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub");
const QUICK: (&str, &str) = ("MIMIC_LIMITS_REQUESTTIME", "300ms");

/// A server with one worker that waits for handshakes longer than any test takes.
fn server(variables: &[(&str, &str)]) -> TestServer {
    let variables: Vec<_> = [MIRRORS].iter().chain(variables).copied().collect();
    TestServer::start_with(&variables, |server| server.workers(1).handshake(Duration::from_mins(5)))
}

fn open(address: SocketAddr) -> Connection {
    Connection::open(address).expect("the server accepts connections")
}

fn review(connection: &mut Connection) -> u16 {
    connection.review(REVIEW).expect("the server answers").status
}

fn head(length: usize) -> Vec<u8> {
    let head = "POST /mutate HTTP/1.1\r\nHost: mimic\r\nContent-Type: application/json\r\nContent-Length:";
    format!("{head} {length}\r\n\r\n").into_bytes()
}

fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    let result = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("it is a socket");
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn is_served(connection: &mut Connection) -> bool {
    connection.review(REVIEW).is_ok_and(|response| response.status == 200)
}

#[test]
fn a_slow_head_is_cut_off_on_every_request_of_a_connection() {
    let server = server(&[QUICK]);
    for requests in [0, 1, 3] {
        let mut connection = open(server.address);
        for _ in 0..requests {
            assert_eq!(review(&mut connection), 200);
        }
        connection.send(b"POST /mutate HTT").expect("the server reads");
        let response = connection.receive().expect("the server answers");
        assert_eq!((response.status, response.text()), (408, "request not received in time\n"));
        assert!(response.is_last());
        assert_eq!(connection.receive().expect_err("it is closed").kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn a_slow_body_is_cut_off_on_every_request_of_a_connection() {
    let server = server(&[QUICK]);
    let mut connection = open(server.address);
    assert_eq!(review(&mut connection), 200);
    connection.send(&head(100)).expect("the server reads");
    connection.send(b"{").expect("the server reads");
    let response = connection.receive().expect("the server answers");
    assert_eq!((response.status, response.is_last()), (408, true));
    assert_eq!(response.text(), "request body not received within 300ms\n");
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_understood() {
    let server = server(&[]);
    let mut connection = open(server.address);
    for _ in 0..2 {
        for byte in head(REVIEW.len()) {
            connection.send(&[byte]).expect("the server reads");
        }
        for part in REVIEW.as_bytes().chunks(1000) {
            connection.send(part).expect("the server reads");
        }
        assert_eq!(connection.receive().expect("the server answers").status, 200);
    }
}

#[test]
fn requests_that_arrive_together_are_answered_in_order() {
    let server = server(&[]);
    let mut connection = open(server.address);
    let one = [head(REVIEW.len()), REVIEW.as_bytes().to_vec()].concat();
    let other = b"GET /other HTTP/1.1\r\nHost: mimic\r\n\r\n".to_vec();
    // The last one is complete only later.
    let all = [&one[..], &other, &one, &one[..one.len() / 2]].concat();
    connection.send(&all).expect("the server reads");
    let statuses = [(); 3].map(|()| connection.receive().expect("the server answers").status);
    assert_eq!(statuses, [200, 404, 200]);
    connection.send(&one[one.len() / 2..]).expect("the server reads");
    assert_eq!(connection.receive().expect("the server answers").status, 200);
}

/// A body without an end that reports when it is dropped.
struct Endless(Sender<()>);

impl MessageBody for Endless {
    type Error = Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; 1 << 12]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn endless_server() -> (TestServer, Receiver<()>) {
    let (sender, dropped) = channel();
    let server = TestServer::start_with(&[MIRRORS, QUICK], |server| {
        server.workers(1).extra(move |app| {
            let sender = sender.clone();
            let answer = move || {
                let body = Endless(sender.clone());
                async move { HttpResponse::Ok().body(body) }
            };
            app.route("/endless", web::get().to(answer));
        })
    });
    (server, dropped)
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let (server, dropped) = endless_server();
    let mut connection = open(server.address);
    connection.send(b"GET /endless HTTP/1.1\r\nHost: mimic\r\n\r\n").expect("the server reads");
    dropped.recv_timeout(Duration::from_mins(1)).expect("the response is given up");
    let mut received = Vec::new();
    // It ends in an error, or without the last chunk: the client does not take the response for complete.
    let _ = connection.stream.read_to_end(&mut received);
    assert!(!received.ends_with(b"\r\n0\r\n\r\n"), "{} bytes", received.len());
}

#[test]
fn stalled_handshakes_do_not_delay_other_clients() {
    let server = server(&[("MIMIC_LIMITS_CONNECTIONS", "2000")]);
    let silent: Vec<TcpStream> =
        (0..600).map(|_| TcpStream::connect(server.address).expect("the server listens")).collect();
    for _ in 0..5 {
        assert_eq!(review(&mut open(server.address)), 200);
    }
    // All of them are still waited for.
    assert!(silent.iter().all(is_open));
}

#[test]
fn at_the_limit_silent_connections_make_room_before_idle_ones() {
    let server = server(&[("MIMIC_LIMITS_CONNECTIONS", "6")]);
    let mut idle: Vec<Connection> = (0..3).map(|_| open(server.address)).collect();
    assert!(idle.iter_mut().all(is_served));
    let silent: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(server.address).expect("the server listens")).collect();
    // The order in which a server accepts connections and completes handshakes is its own: wait until it is full.
    let mut more = vec![open(server.address)];
    eventually("a silent connection is closed", || silent.iter().any(|stream| !is_open(stream)).then_some(()));
    for _ in 0..2 {
        more.push(open(server.address));
        assert!(more.last_mut().is_some_and(is_served));
    }
    eventually("all silent connections are closed", || silent.iter().all(|stream| !is_open(stream)).then_some(()));
    assert!(idle.iter_mut().all(is_served), "no connection that was used");
}

#[test]
fn at_the_limit_the_connections_that_are_idle_longest_make_room() {
    let server = server(&[("MIMIC_LIMITS_CONNECTIONS", "3")]);
    let mut connections: Vec<Connection> = (0..3).map(|_| open(server.address)).collect();
    // The first one becomes the most recently used one.
    assert!(connections.iter_mut().all(is_served) && is_served(&mut connections[0]));
    let mut new = open(server.address);
    assert!(is_served(&mut new));
    assert!(!is_served(&mut connections[1]), "it was idle longest");
    assert!(is_served(&mut connections[0]) && is_served(&mut connections[2]) && is_served(&mut new));
    let metrics = plain_get(server.admin, "/metrics").1;
    assert!(metrics.contains("\nmimic_connections_evicted_total 1\n"), "{metrics}");
}

#[test]
fn new_connections_are_served_however_many_requests_are_incomplete() {
    let server = server(&[("MIMIC_LIMITS_CONNECTIONS", "10"), ("MIMIC_LIMITS_REQUESTTIME", "10m")]);
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut connection = open(server.address);
        connection.send(b"POST /mutate HTTP/1.1\r\nHost:").expect("the server reads");
        stalled.push(connection);
        assert_eq!(review(&mut open(server.address)), 200);
    }
}

/// The first response on any of these connections. The others stay open.
fn first(connections: Vec<Connection>) -> Response {
    let (sender, responses) = channel();
    for mut connection in connections {
        let sender = sender.clone();
        // The thread of a connection without a response ends with the server.
        std::thread::spawn(move || connection.receive().map(|response| sender.send(response)));
    }
    responses.recv_timeout(Duration::from_mins(1)).expect("the server answers on one")
}

#[test]
fn stalled_large_bodies_keep_out_others_like_them_and_no_review() {
    let server = server(&[
        ("MIMIC_LIMITS_BODY", "1MiB"),
        ("MIMIC_LIMITS_MEMORY", "1536KiB"),
        ("MIMIC_LIMITS_REQUESTTIME", "10m"),
    ]);
    let mut stalled: Vec<Connection> = (0..2).map(|_| open(server.address)).collect();
    for connection in &mut stalled {
        connection.send(&head(900 << 10)).expect("the server reads");
        connection.send(&vec![b' '; 700 << 10]).expect("the server reads");
    }
    let response = first(stalled);
    assert_eq!((response.status, response.header("retry-after"), response.is_last()), (503, Some("1"), true));
    assert_eq!(response.text(), "too many bodies are being received, MIMIC_LIMITS_MEMORY is used up\n");
    for _ in 0..20 {
        assert_eq!(review(&mut open(server.address)), 200);
    }
}

#[test]
fn bodies_that_were_given_up_leave_room_again() {
    let server = server(&[("MIMIC_LIMITS_BODY", "1MiB"), ("MIMIC_LIMITS_MEMORY", "1536KiB")]);
    let body = vec![b' '; 1 << 20];
    for _ in 0..20 {
        let mut stalled = open(server.address);
        stalled.send(&[head(1 << 20), body[1..].to_vec()].concat()).expect("the server reads");
        drop(stalled);
        eventually("a body of the largest size is received", || {
            let mut connection = open(server.address);
            let sent = connection.send(&[head(1 << 20), body.clone()].concat());
            // It is no review, but it was received.
            (sent.is_ok() && connection.receive().is_ok_and(|response| response.status == 400)).then_some(())
        });
    }
}

#[test]
fn a_declared_length_sets_no_memory_aside() {
    let server = server(&[("MIMIC_LIMITS_BODY", "8MiB"), ("MIMIC_LIMITS_MEMORY", "12MiB")]);
    let mut declared: Vec<Connection> = (0..100).map(|_| open(server.address)).collect();
    for connection in &mut declared {
        connection.send(&[head(8 << 20), b"{".to_vec()].concat()).expect("the server reads");
    }
    let mut connection = open(server.address);
    let body = vec![b' '; 6 << 20];
    connection.send(&[head(body.len()), body].concat()).expect("the server reads");
    assert_eq!(connection.receive().expect("the server answers").status, 400);
    for connection in &mut declared {
        let short = Some(Duration::from_millis(1));
        connection.stream.get_ref().get_ref().set_read_timeout(short).expect("it can be set");
        let error = connection.receive().expect_err("there is no response");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "the server waits for the rest");
    }
}

#[test]
fn a_worker_that_is_stuck_makes_the_liveness_probe_fail() {
    let (release, blocked) = channel::<()>();
    let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
    let server = TestServer::start_with(&[MIRRORS], |server| {
        server.workers(2).patience(Duration::from_secs(2)).extra(move |app| {
            let blocked = std::sync::Arc::clone(&blocked);
            let block = move || {
                let _ = blocked.lock().map(|blocked| blocked.recv());
                async { HttpResponse::Ok().finish() }
            };
            app.route("/block", web::get().to(block));
        })
    });
    assert_eq!(plain_get(server.admin, "/healthz"), (200, "ok\n".to_owned()));
    let mut connection = open(server.address);
    connection.send(b"GET /block HTTP/1.1\r\nHost: mimic\r\n\r\n").expect("the server reads");
    let report = eventually("the probe fails", || {
        let (status, report) = plain_get(server.admin, "/healthz");
        (status == 503).then_some(report)
    });
    assert!(report.starts_with("a worker has been stuck for "), "{report}");
    release.send(()).expect("the handler waits");
    assert_eq!(connection.receive().expect("the server answers").status, 200);
    eventually("the probe succeeds", || (plain_get(server.admin, "/healthz").0 == 200).then_some(()));
}
