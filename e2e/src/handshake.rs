//! A TLS client.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::{X509, store::X509StoreBuilder},
};

/// The certificate that a server on this loopback port presents to a client that connects to this host and trusts only these CAs
/// (PEM).
///
/// # Errors
/// If the client does not trust the certificate.
pub fn handshake(port: u16, host: &str, cas: &[u8]) -> Result<X509> {
    handshake_at((Ipv4Addr::LOCALHOST, port).into(), host, cas)
}

/// The same for a server at any address.
///
/// # Errors
/// If the client does not trust the certificate.
pub fn handshake_at(address: SocketAddr, host: &str, cas: &[u8]) -> Result<X509> {
    let mut trusted = X509StoreBuilder::new()?;
    for ca in X509::stack_from_pem(cas)? {
        trusted.add_cert(ca)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_cert_store(trusted.build());
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let stream = connector.build().connect(host, stream)?;
    stream.ssl().peer_certificate().context("the server has a certificate")
}
