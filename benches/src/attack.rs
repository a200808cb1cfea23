//! Clients that hold a server's memory or its time: what they cost it, and what other clients notice.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslMode, SslStream};

use crate::load::{Memory, Process};
use crate::{client, data};

/// Reviews that are sent during an attack.
const REVIEWS: usize = 20;

/// How long a response can take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long memory can take to be given back. The server looks at its connections twice a second.
const GIVEN_BACK: Duration = Duration::from_secs(10);

/// Time between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(200);

/// A server's memory before, during and after an attack.
#[derive(Debug)]
pub struct Cost {
    /// Before the first connection.
    pub before: Memory,
    /// With all connections.
    pub during: Memory,
    /// After they were closed.
    pub after: Memory,
    /// How many connections there were.
    pub connections: usize,
    /// The longest time in which a review was answered on a new connection during the attack.
    pub slowest: Duration,
}

impl Cost {
    /// How much of the attack's memory the server kept after the connections were closed, in per cent.
    pub fn kept(&self) -> u64 {
        let [more, kept] = [&self.during, &self.after].map(|memory| memory.bytes().saturating_sub(self.before.bytes()));
        100 * kept / more.max(1)
    }

    /// Bytes for each connection.
    pub fn each(&self) -> u64 {
        self.during.bytes().saturating_sub(self.before.bytes()) / self.connections.max(1) as u64
    }
}

/// What the attacking connections do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Connect and send nothing, not even a TLS handshake.
    Silent,
    /// Send nothing after the handshake.
    Handshake,
    /// Send one review and read its response.
    Idle,
    /// Send all but the last byte of a body of 7.9 MB.
    Body,
}

/// Attacks a server with this number of connections. `program` is the `baseline-server`; `variables` configure it.
///
/// # Errors
/// When the server does not start, or a review is not answered correctly during the attack.
pub fn attack(program: &Path, attack: Attack, connections: usize, variables: &[(&str, &str)]) -> Result<Cost> {
    client::raise_open_files()?;
    let mut server = Command::new(program);
    server.env("MIMIC_LOGLEVEL", "warn").envs(variables.iter().copied());
    let server = Process::start(server, Path::new("/dev/null"))?;
    let client = Client::new(server.address())?;
    let review = request(data::REVIEWS[1].1);
    // What is needed once, such as the buffers of the first requests.
    for _ in 0..REVIEWS {
        client.review(&review)?;
    }
    let before = server.memory()?;
    let mut tcp = Vec::new();
    let mut tls = Vec::new();
    let mut body = request(&vec![b' '; 7_900_000]);
    body.pop();
    for _ in 0..connections {
        if attack == Attack::Silent {
            tcp.push(TcpStream::connect(server.address())?);
            continue;
        }
        let mut stream = client.open()?;
        match attack {
            Attack::Idle => answer(&mut stream, &review)?,
            // The server does not have to read all of it.
            Attack::Body => drop(stream.write_all(&body)),
            Attack::Handshake | Attack::Silent => {}
        }
        tls.push(stream);
    }
    let mut during = server.memory()?;
    // The server may still be busy with the last connections.
    loop {
        std::thread::sleep(LOOK);
        let now = server.memory()?;
        if now.bytes() <= during.bytes() {
            break;
        }
        during = now;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..REVIEWS {
        slowest = slowest.max(client.review(&review)?);
    }
    drop((tcp, tls));
    let closed = Instant::now();
    let mut cost = Cost { before, during, after: server.memory()?, connections, slowest };
    // Closing takes the server a moment.
    while cost.kept() > 10 && closed.elapsed() < GIVEN_BACK {
        std::thread::sleep(LOOK);
        cost.after = server.memory()?;
    }
    Ok(cost)
}

/// A review as HTTP/1.1 bytes.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    let head = "POST /mutate HTTP/1.1\r\nHost: mimic\r\nContent-Type: application/json\r\nContent-Length:";
    [format!("{head} {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Opens connections to a server.
pub(crate) struct Client {
    server: SocketAddr,
    tls: SslContext,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Result<Self> {
        let mut tls = SslContext::builder(SslMethod::tls_client())?;
        tls.set_mode(SslMode::RELEASE_BUFFERS);
        Ok(Self { server, tls: tls.build() })
    }

    pub(crate) fn open(&self) -> Result<SslStream<TcpStream>> {
        let tcp = TcpStream::connect(self.server)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ssl::new(&self.tls)?.connect(tcp).context("the handshake failed")
    }

    /// Sends a review on a new connection, and returns how long the response took.
    fn review(&self, request: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        answer(&mut self.open()?, request)?;
        Ok(start.elapsed())
    }
}

fn answer(stream: &mut SslStream<TcpStream>, request: &[u8]) -> Result<()> {
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut piece = [0; 1 << 14];
    // The end of the object is the end of the response.
    while !received.ends_with(b"}}") {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed the connection");
        received.extend_from_slice(&piece[..count]);
    }
    ensure!(received.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&received));
    Ok(())
}
