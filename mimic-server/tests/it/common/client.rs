//! Simple clients: one request after the other on one connection.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Whether the server closes the connection after this response.
    pub(crate) fn is_last(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// A TLS context that does not verify the server.
pub(crate) fn trusting(protocols: &[u8]) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    context.set_alpn_protos(protocols).unwrap();
    context.build()
}

/// One HTTP/1.1 connection over TLS.
pub(crate) struct Connection {
    pub(crate) stream: BufReader<SslStream<TcpStream>>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Self::offering(address, b"\x08http/1.1")
    }

    /// A connection of a client that offers these protocols, in the encoding of the TLS extension.
    pub(crate) fn offering(address: SocketAddr, protocols: &[u8]) -> io::Result<Self> {
        Self::with(address, Ssl::new(&trusting(protocols)).unwrap())
    }

    /// A connection with these settings.
    pub(crate) fn with(address: SocketAddr, ssl: Ssl) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(Duration::from_mins(1)))?;
        tcp.set_nodelay(true)?;
        let stream = ssl.connect(tcp).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(crate) fn peer(&self) -> X509 {
        self.stream.get_ref().ssl().peer_certificate().expect("a server has a certificate")
    }

    pub(crate) fn review(&mut self, body: &str) -> io::Result<Response> {
        self.request("POST", "/mutate?timeout=5s", &[("Content-Type", "application/json")], body.as_bytes())
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: mimic\r\n").into_bytes();
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
            write!(request, "Content-Length: {}\r\n", body.len())?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        self.send(&request)?;
        self.receive()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(crate) fn receive(&mut self) -> io::Result<Response> {
        read_response(&mut self.stream)
    }
}

fn read_response(stream: &mut impl io::BufRead) -> io::Result<Response> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status line: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    response.body.resize(length, 0);
    stream.read_exact(&mut response.body)?;
    Ok(response)
}

/// Status and body of a request to the admin port.
pub(crate) fn plain_get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = plain_request(address, "GET", path).expect("the admin port answers");
    (response.status, response.text().to_owned())
}

pub(crate) fn plain_request(address: SocketAddr, method: &str, path: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: mimic\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    read_response(&mut bytes.as_slice())
}

/// Common name of a certificate's subject.
pub(crate) fn common_name(certificate: &X509) -> String {
    let mut names = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME);
    names.next().expect("there is a common name").data().to_string().expect("it is text")
}
