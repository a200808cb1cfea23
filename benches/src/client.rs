//! A client that costs little: one connection with one request at a time, over TLS 1.3.

use std::net::SocketAddr;
use std::pin::Pin;

use anyhow::{Context as _, Result, bail, ensure};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

/// Most headers that an answer may have.
const HEADERS: usize = 32;

/// Opens connections to one server.
pub(crate) struct Connector {
    address: SocketAddr,
    tls: SslConnector,
}

impl Connector {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let mut tls = SslConnector::builder(SslMethod::tls_client())?;
        tls.set_min_proto_version(Some(SslVersion::TLS1_3))?;
        // The server under load has made its certificate itself, a moment ago.
        tls.set_verify(SslVerifyMode::NONE);
        Ok(Self { address, tls: tls.build() })
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let ssl = self.tls.configure()?.verify_hostname(false).into_ssl("localhost")?;
        let mut stream = SslStream::new(ssl, tcp)?;
        Pin::new(&mut stream).connect().await?;
        Ok(Connection { stream, received: Vec::with_capacity(16 << 10) })
    }
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: SslStream<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// Version and cipher.
    pub(crate) fn tls(&self) -> String {
        let ssl = self.stream.ssl();
        format!("{} {}", ssl.version_str(), ssl.current_cipher().map_or("", |cipher| cipher.name()))
    }

    /// Sends a request and returns the body of the answer, which must be a 200.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            let count = self.stream.read_buf(&mut self.received).await?;
            ensure!(count > 0, "the server closed the connection");
            let Some((start, length)) = head(&self.received)? else { continue };
            let end = start + length;
            if self.received.len() >= end {
                ensure!(self.received.len() == end, "more than one answer to a request");
                return Ok(&self.received[start..]);
            }
        }
    }
}

/// Where the body begins and how long it is, once the head is complete.
fn head(received: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(received)? else { return Ok(None) };
    if response.code != Some(200) {
        bail!("status {:?}: {}", response.code, String::from_utf8_lossy(&received[start..]));
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("the answer does not say how long it is")?.value;
    Ok(Some((start, std::str::from_utf8(length)?.parse()?)))
}
