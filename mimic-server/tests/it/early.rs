//! Responses that are sent before the request's body was read reach the client, whatever the client does.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::client::Connection;
use crate::common::{REVIEW, TestServer};

const LIMIT: usize = 4 << 20;

/// More than the limit, and more than the buffers of both sockets hold; less than what the server discards.
const LARGE: usize = 3 * LIMIT;

const JSON: &str = "Content-Type: application/json\r\n";

/// A server that reads a closing connection for as long as any machine may take to send [`LARGE`] bytes.
fn server() -> TestServer {
    TestServer::start_with(&[("MIMIC_LIMITS_BODY", "4MiB")], |server| server.workers(1).linger(Duration::from_mins(5)))
}

fn open(server: &TestServer) -> Connection {
    let connection = Connection::open(server.address).expect("the server listens");
    connection.stream.get_ref().get_ref().set_write_timeout(Some(Duration::from_mins(1))).expect("it can be set");
    connection
}

/// Each response before the body: the request line, a header, and the status.
const REFUSALS: &[(&str, &str, u16)] = &[
    ("POST /mutate", JSON, 413),
    ("POST /mutate", "Content-Type: text/plain\r\n", 415),
    ("POST /other", JSON, 404),
    ("PUT /mutate", JSON, 405),
];

fn head(line: &str, header: &str, framing: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: mimic\r\n{header}{framing}\r\n\r\n").into_bytes()
}

fn declared(bytes: usize) -> String {
    format!("Content-Length: {bytes}")
}

/// The body as chunks of 64 KiB.
fn chunks(bytes: usize) -> Vec<u8> {
    let chunk = [&b"10000\r\n"[..], &vec![b' '; 0x10000], b"\r\n"].concat();
    [chunk.repeat(bytes / 0x10000), b"0\r\n\r\n".to_vec()].concat()
}

/// Reads to the end of the server's direction.
fn end(connection: &mut Connection) -> usize {
    let mut rest = Vec::new();
    connection.stream.read_to_end(&mut rest).expect("the server closes its direction in order")
}

#[test]
fn a_client_that_sends_the_whole_body_before_it_reads_gets_the_response() {
    let server = server();
    for (line, header, status) in REFUSALS {
        for (framing, body) in
            [(declared(LARGE), vec![b' '; LARGE]), ("Transfer-Encoding: chunked".to_owned(), chunks(LARGE))]
        {
            let mut connection = open(&server);
            connection.send(&[head(line, header, &framing), body].concat()).expect("the server reads everything");
            let response = connection.receive().expect("the server answers");
            assert_eq!(response.status, *status, "{line} {header} {framing}");
            assert!(response.is_last(), "{line} {header} {framing}");
            assert_eq!(end(&mut connection), 0);
        }
    }
}

#[test]
fn a_client_that_sends_the_body_after_the_response_is_not_reset() {
    let server = server();
    for (line, header, status) in REFUSALS {
        let mut connection = open(&server);
        connection.send(&head(line, header, &declared(LARGE))).expect("the server reads the head");
        let response = connection.receive().expect("the server answers");
        assert_eq!((response.status, response.is_last()), (*status, true), "{line} {header}");
        connection.send(&vec![b' '; LARGE]).expect("the server reads everything");
        assert_eq!(end(&mut connection), 0);
    }
}

#[test]
fn a_client_that_stops_sending_gets_the_response_and_the_end_at_once() {
    let server = server();
    for (line, header, status) in REFUSALS {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut connection = open(&server);
            connection.send(&head(line, &format!("{header}{expect}"), &declared(LARGE))).expect("it reads the head");
            if !expect.is_empty() {
                assert_eq!(connection.receive().expect("the server answers").status, 100);
            }
            assert_eq!(connection.receive().expect("the server answers").status, *status, "{line} {header}");
            // The server lingers for five minutes, the client waits for one.
            assert_eq!(end(&mut connection), 0);
        }
    }
}

/// Sends without an end, and counts what could be sent.
fn flood(connection: &mut Connection, head: &[u8]) -> (usize, io::Error) {
    let piece = vec![b' '; 1 << 16];
    let mut sent = 0;
    let mut result = connection.send(head);
    loop {
        match result {
            Ok(()) => sent += piece.len(),
            Err(error) => return (sent, error),
        }
        result = connection.stream.get_mut().write_all(&piece);
    }
}

#[test]
fn a_client_that_never_stops_sending_is_cut_off() {
    let server = server();
    for framing in [declared(usize::MAX / 2), "Transfer-Encoding: chunked\r\n\r\nffffffffffff".to_owned()] {
        for (line, header, _) in REFUSALS {
            let (sent, error) = flood(&mut open(&server), &head(line, header, &framing));
            // The limit itself, four times as much after the response, and what the sockets' buffers hold.
            assert!(sent < 5 * LIMIT + (64 << 20), "{line} {header}: {sent}");
            // This would be the client's own timeout: the server neither reads nor closes.
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "{line} {header}: {error:?}");
        }
    }
}

#[test]
fn clients_that_never_stop_sending_do_not_occupy_a_worker() {
    let server = server();
    let done = Arc::new(AtomicBool::new(false));
    let floods = [0; 3].map(|_| {
        let (address, done) = (server.address, Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let mut connection = Connection::open(address).expect("the server listens");
                flood(&mut connection, &head("POST /other", JSON, &declared(usize::MAX / 2)));
            }
        })
    });
    for _ in 0..20 {
        assert_eq!(open(&server).review(REVIEW).expect("the server answers").status, 200);
    }
    done.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().expect("it is cut off each time");
    }
}
