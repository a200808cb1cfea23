//! TLS with a certificate that can be replaced while connections are open.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, ClientHelloResponse, SslAcceptor, SslAcceptorBuilder, SslAlert, SslContext, SslMethod, SslOptions,
    SslRef, SslVersion,
};

use crate::certificate::Pair;

/// The protocols that are offered, the preferred one first, as they are written in a TLS extension.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";

/// Sessions resume across certificates only when all contexts share this.
const SESSION_CONTEXT: &[u8] = b"mimic";

/// The certificate that new connections see. Cheap to share; handshakes read it without a lock.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    context: ArcSwapOption<SslContext>,
}

impl Serving {
    /// Uses `pair` for every handshake from now on. Connections that are open keep what they have.
    pub(crate) fn install(&self, pair: &Pair) -> Result<(), ErrorStack> {
        let mut builder = builder()?;
        builder.set_certificate(pair.leaf())?;
        for certificate in pair.intermediates() {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
        builder.set_private_key(pair.key())?;
        builder.check_private_key()?;
        self.context.store(Some(Arc::new(builder.build().into_context())));
        Ok(())
    }

    /// An acceptor that takes up whatever is installed at the time of each handshake.
    ///
    /// It hooks in at the client's hello: the hook for server names is not called for clients that send none, which is
    /// what the API server does when a webhook's URL has an IP address. Session tickets stay those of the acceptor
    /// itself, so that sessions resume although the certificate was replaced.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<SslAcceptor, ErrorStack> {
        let mut builder = builder()?;
        let serving = Arc::clone(self);
        builder.set_client_hello_callback(move |ssl: &mut SslRef, alert: &mut SslAlert| {
            if let Some(context) = serving.context.load().as_ref() {
                ssl.set_ssl_context(context)?;
                Ok(ClientHelloResponse::SUCCESS)
            } else {
                // There is no certificate yet.
                *alert = SslAlert::INTERNAL_ERROR;
                Err(ErrorStack::get())
            }
        });
        Ok(builder.build())
    }
}

/// What all contexts have in common.
fn builder() -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_session_id_context(SESSION_CONTEXT)?;
    // No client of a webhook needs it, and a hostile one makes the server work with it.
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    // One call of the system reads what is there, instead of one for the head of each record, one for the rest, and one to
    // find that there is no more.
    builder.set_read_ahead(true);
    // OpenSSL asks the context that the connection was moved to, so each needs this.
    builder.set_alpn_select_callback(|_, client| {
        openssl::ssl::select_next_proto(PROTOCOLS, client).ok_or(AlpnError::NOACK)
    });
    Ok(builder)
}
