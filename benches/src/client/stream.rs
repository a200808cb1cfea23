//! Connections: TCP and TLS 1.3, with or without session resumption.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;

use anyhow::{Result, anyhow, bail, ensure};
use hyper_openssl::client::legacy::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslRef, SslVerifyMode, SslVersion};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tower::Service as _;

use super::transport::Transport;

/// A connection of any type.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens connections to one server.
pub(crate) struct Opener {
    address: SocketAddr,
    pub(crate) transport: Transport,
    full: SslConnector,
    resuming: HttpsConnector<HttpConnector>,
    opened: Cell<u32>,
    resumed: Cell<u32>,
}

impl Opener {
    pub(crate) fn new(address: SocketAddr, transport: Transport) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self {
            address,
            transport,
            full: tls()?.build(),
            resuming: HttpsConnector::with_connector(tcp, tls()?)?,
            opened: Cell::new(0),
            resumed: Cell::new(0),
        })
    }

    /// A new connection, and its TLS version, cipher and protocol.
    pub(super) async fn open(&self) -> Result<(Box<dyn Stream>, String)> {
        if self.transport == Transport::Resume {
            let uri = format!("https://{}", self.address).parse()?;
            let stream = self.resuming.clone().call(uri).await.map_err(|error| anyhow!("no connection: {error}"))?;
            let MaybeHttpsStream::Https(tls) = &stream else { bail!("a connection without TLS") };
            let about = self.record(tls.ssl());
            return Ok((Box::new(TokioIo::new(stream)), about));
        }
        let stream = self.stream().await?;
        let about = self.record(stream.ssl());
        Ok((Box::new(stream), about))
    }

    /// A new connection with a full handshake, which [`check`](Self::check) does not count.
    pub(crate) async fn stream(&self) -> Result<SslStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let mut stream = SslStream::new(self.full.configure()?.into_ssl("localhost")?, tcp)?;
        Pin::new(&mut stream).connect().await?;
        Ok(stream)
    }

    fn record(&self, ssl: &SslRef) -> String {
        self.opened.set(self.opened.get() + 1);
        self.resumed.set(self.resumed.get() + u32::from(ssl.session_reused()));
        let cipher = ssl.current_cipher().map_or("", |cipher| cipher.name());
        let protocol = String::from_utf8_lossy(ssl.selected_alpn_protocol().unwrap_or_default());
        format!("{} {cipher} {protocol}", ssl.version_str())
    }

    /// Checks that sessions were resumed as the transport requires: all but the first ones, or none.
    pub(crate) fn check(&self) -> Result<()> {
        let (opened, resumed) = (self.opened.get(), self.resumed.get());
        let right = if self.transport == Transport::Resume { 20 * resumed >= 19 * opened } else { resumed == 0 };
        ensure!(right, "{resumed} of {opened} connections resumed a session");
        Ok(())
    }
}

fn tls() -> Result<SslConnectorBuilder> {
    let mut tls = SslConnector::builder(SslMethod::tls_client())?;
    tls.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    tls.set_alpn_protos(b"\x08http/1.1")?;
    // The server under load has a self-signed certificate.
    tls.set_verify(SslVerifyMode::NONE);
    Ok(tls)
}

/// Closes a connection in order.
pub(super) async fn close(mut stream: Box<dyn Stream>) -> Result<()> {
    Ok(stream.shutdown().await?)
}
