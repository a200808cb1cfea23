//! TLS with a certificate that can be replaced without closing connections.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::ssl::{
    AlpnError, ClientHelloResponse, SslAcceptor, SslAcceptorBuilder, SslAlert, SslContext, SslMethod, SslMode,
    SslOptions, SslRef, SslVersion,
};
use openssl::x509::{X509, X509Ref};

/// The only protocol, in the encoding of the TLS extension. `docs/decisions/0018-no-http2.md` explains why.
const PROTOCOLS: &[u8] = b"\x08http/1.1";

/// All contexts share this, so that sessions resume after the certificate was replaced.
const SESSION_CONTEXT: &[u8] = b"mimic";

/// How many TLS sessions the server keeps.
const SESSIONS: i32 = 256;

/// The certificate for new connections. Cheap to share; handshakes read it without a lock.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    context: ArcSwapOption<SslContext>,
}

impl Serving {
    /// Uses this certificate, with its chain and key, for all further handshakes. Open connections are not affected.
    pub(crate) fn install(
        &self,
        leaf: &X509Ref,
        intermediates: &[X509],
        key: &PKeyRef<Private>,
    ) -> Result<(), ErrorStack> {
        let mut builder = builder()?;
        builder.set_certificate(leaf)?;
        for certificate in intermediates {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
        builder.set_private_key(key)?;
        builder.check_private_key()?;
        self.context.store(Some(Arc::new(builder.build().into_context())));
        Ok(())
    }

    /// An acceptor that uses the certificate that is installed at the time of each handshake.
    ///
    /// It selects the certificate at the client hello. The callback for server names is not enough: OpenSSL does not call it
    /// for clients that send no name, such as the API server when a webhook's URL has an IP address. Session tickets belong
    /// to the acceptor, so sessions resume after the certificate was replaced.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<SslAcceptor, ErrorStack> {
        let mut builder = builder()?;
        let serving = Arc::clone(self);
        builder.set_client_hello_callback(move |ssl: &mut SslRef, alert: &mut SslAlert| {
            if let Some(context) = serving.context.load().as_ref() {
                ssl.set_ssl_context(context)?;
                Ok(ClientHelloResponse::SUCCESS)
            } else {
                // No certificate was installed yet.
                *alert = SslAlert::INTERNAL_ERROR;
                Err(ErrorStack::get())
            }
        });
        Ok(builder.build())
    }
}

/// The settings that all contexts share.
fn builder() -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_session_id_context(SESSION_CONTEXT)?;
    // No client of a webhook needs renegotiation, and an attacker can use it to cause load.
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    // One system call reads all available bytes, instead of one for the head of each record, one for its body, and one that
    // finds no more.
    builder.set_read_ahead(true);
    // An idle connection has no buffers: two of more than 16 KiB each.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    // Sessions resume with tickets, which clients keep. Only clients of TLS 1.2 without tickets use the cache.
    builder.set_session_cache_size(SESSIONS);
    // OpenSSL uses the callback of the context that the connection was switched to, so each context needs it.
    builder.set_alpn_select_callback(|_, client| {
        openssl::ssl::select_next_proto(PROTOCOLS, client).ok_or(AlpnError::NOACK)
    });
    Ok(builder)
}
