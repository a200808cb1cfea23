//! Replicas that are replaced one after the other under load, and what their clients notice.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use openssl::ssl::SslStream;

use crate::attack::{Client, request};
use crate::data;
use crate::load::Process;

/// Replicas that are in service at any time.
const REPLICAS: usize = 2;

/// Connections that a client keeps open. It uses them in turn, so that some are idle when a replica shuts down.
const KEPT: usize = 4;

/// Errors that are kept.
const SHOWN: usize = 5;

/// How replicas are replaced.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many replicas are replaced.
    pub restarts: usize,
    /// Clients, each with one request at a time.
    pub clients: usize,
    /// `MIMIC_DRAIN` of the replicas.
    pub drain: Duration,
    /// How long clients still open connections to a replica after it got its signal, as in a cluster. Less than `drain`.
    pub propagation: Duration,
}

/// What the clients noticed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests with a correct response.
    pub served: u64,
    /// Of these, requests that were sent again: the connection was kept from an earlier request, and was closed before the
    /// first byte of the response. The API server's client does the same.
    pub sent_again: u64,
    /// Requests without a response.
    pub failed: u64,
    /// Requests with another response than before the first restart.
    pub wrong: u64,
    /// The first errors.
    pub errors: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.served += other.served;
        self.sent_again += other.sent_again;
        self.failed += other.failed;
        self.wrong += other.wrong;
        self.errors.extend(other.errors);
        self.errors.truncate(SHOWN);
    }
}

/// Replaces replicas under load. `program` is the `baseline-server`.
///
/// # Errors
/// When a replica does not start.
pub fn restarts(program: &Path, plan: Plan) -> Result<Outcome> {
    let start = || {
        let mut server = Command::new(program);
        server.env("MIMIC_LOGLEVEL", "warn").env("MIMIC_DRAIN", format!("{}ms", plan.drain.as_millis()));
        Process::start(server, Path::new("/dev/null"))
    };
    let mut replicas = (0..REPLICAS).map(|_| start()).collect::<Result<Vec<_>>>()?;
    let endpoints = Endpoints(Mutex::new(replicas.iter().map(Process::address).collect()));
    let review = request(data::REVIEWS[1].1);
    let expected = Connection::open(replicas[0].address())?.exchange(&review).map_err(|error| error.cause)?.body;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.clients)
            .map(|number| {
                let (endpoints, review, expected, is_over) = (&endpoints, &review, &expected, &is_over);
                scope.spawn(move || {
                    let mut user = User { endpoints, kept: Vec::new(), turn: number };
                    let mut outcome = Outcome::default();
                    while !is_over.load(Ordering::Relaxed) {
                        user.send(review, expected, &mut outcome);
                    }
                    outcome
                })
            })
            .collect();
        let replaced = (0..plan.restarts).try_for_each(|_| {
            let new = start()?;
            endpoints.add(new.address());
            replicas.push(new);
            let old = replicas.remove(0);
            let address = old.address();
            // Dropping it sends the signal, and waits for the end of the process.
            let leaving = scope.spawn(move || drop(old));
            thread::sleep(plan.propagation);
            endpoints.remove(address);
            leaving.join().map_err(|_| anyhow!("waiting for a replica panicked"))
        });
        is_over.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::default();
        for client in clients {
            outcome.add(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        replaced.map(|()| outcome)
    })
}

/// The replicas to which clients open connections.
struct Endpoints(Mutex<Vec<SocketAddr>>);

impl Endpoints {
    fn add(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    fn remove(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != address);
    }

    fn choose(&self, turn: usize) -> SocketAddr {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all[turn % all.len()]
    }
}

/// A client with a pool of connections.
struct User<'e> {
    endpoints: &'e Endpoints,
    kept: Vec<Connection>,
    turn: usize,
}

impl User<'_> {
    fn send(&mut self, review: &[u8], expected: &[u8], outcome: &mut Outcome) {
        let response = match self.exchange(review) {
            Err(failure) if failure.can_be_sent_again => {
                outcome.sent_again += 1;
                // As the API server's client, with another connection until one is new.
                self.kept.clear();
                self.exchange(review)
            }
            response => response,
        };
        match response {
            Ok(body) if body == expected => outcome.served += 1,
            Ok(_) => outcome.wrong += 1,
            Err(failure) => {
                outcome.failed += 1;
                if outcome.errors.len() < SHOWN {
                    outcome.errors.push(format!("{:#}", failure.cause));
                }
            }
        }
    }

    fn exchange(&mut self, review: &[u8]) -> Result<Vec<u8>, Failure> {
        self.turn += 1;
        let mut connection = if self.kept.len() < KEPT {
            let opened = Connection::open(self.endpoints.choose(self.turn));
            opened.map_err(|cause| Failure { cause, can_be_sent_again: false })?
        } else {
            self.kept.remove(0)
        };
        let response = connection.exchange(review)?;
        if !response.is_last {
            self.kept.push(connection);
        }
        Ok(response.body)
    }
}

struct Connection {
    stream: SslStream<TcpStream>,
    is_used: bool,
}

struct Response {
    body: Vec<u8>,
    /// The server closes the connection.
    is_last: bool,
}

struct Failure {
    cause: anyhow::Error,
    can_be_sent_again: bool,
}

impl Connection {
    fn open(server: SocketAddr) -> Result<Self> {
        Ok(Self { stream: Client::new(server)?.open()?, is_used: false })
    }

    fn exchange(&mut self, request: &[u8]) -> Result<Response, Failure> {
        let was_used = std::mem::replace(&mut self.is_used, true);
        let mut received = Vec::new();
        let result = self.receive(request, &mut received);
        let can_be_sent_again = was_used && received.is_empty();
        result.map_err(|cause| Failure { cause, can_be_sent_again })
    }

    fn receive(&mut self, request: &[u8], received: &mut Vec<u8>) -> Result<Response> {
        self.stream.write_all(request)?;
        let mut piece = [0; 1 << 14];
        // The end of the object is the end of the response.
        while !received.ends_with(b"}}") {
            let count = self.stream.read(&mut piece)?;
            ensure!(count > 0, "the server closed the connection");
            received.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8_lossy(received);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let is_last = head.lines().any(|line| line.eq_ignore_ascii_case("connection: close"));
        Ok(Response { body: body.as_bytes().to_vec(), is_last })
    }
}
