//! What a TLS client sees.

use std::{
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::{X509, store::X509StoreBuilder},
};

/// The certificate that whoever listens on this port of loopback shows a client that asks for this host and trusts
/// these authorities, in PEM, and no others.
///
/// # Errors
/// When the client does not trust it.
pub fn handshake(port: u16, host: &str, authorities: &[u8]) -> Result<X509> {
    let mut trusted = X509StoreBuilder::new()?;
    for authority in X509::stack_from_pem(authorities)? {
        trusted.add_cert(authority)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_cert_store(trusted.build());
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let stream = connector.build().connect(host, stream)?;
    stream.ssl().peer_certificate().context("the server has a certificate")
}
