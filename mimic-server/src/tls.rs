//! TLS with a certificate that can be replaced without closing connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    AlpnError, ClientHelloResponse, SslAcceptor, SslAcceptorBuilder, SslAlert, SslContext, SslMethod, SslMode,
    SslOptions, SslRef, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Ref};

/// The only protocol, in the encoding of the TLS extension. `docs/decisions/0018-no-http2.md` explains why.
const PROTOCOLS: &[u8] = b"\x08http/1.1";

/// All contexts that accept every client share this, so that sessions resume after the certificate was replaced.
const SESSION_CONTEXT: &[u8] = b"mimic";

/// How many TLS sessions the server keeps.
const SESSIONS: i32 = 256;

/// The certificate for new connections. Cheap to share; handshakes read it without a lock.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    current: ArcSwapOption<Current>,
    parts: Mutex<Parts>,
}

/// What a handshake needs.
#[derive(Debug)]
struct Current {
    context: SslContext,
    /// Whether clients must have a certificate.
    is_mutual: bool,
}

/// What the context is built from.
#[derive(Debug, Default)]
struct Parts {
    certificate: Option<(X509, Vec<X509>, PKey<Private>)>,
    /// Clients must have a certificate of one of these, unless there are none.
    client_authorities: Vec<X509>,
}

impl Serving {
    /// Uses this certificate, with its chain and key, for all further handshakes. Open connections are not affected.
    pub(crate) fn install(
        &self,
        leaf: &X509Ref,
        intermediates: &[X509],
        key: &PKey<Private>,
    ) -> Result<(), ErrorStack> {
        let mut parts = self.parts();
        let certificate = Some((leaf.to_owned(), intermediates.to_owned(), key.clone()));
        self.replace(&mut parts, |parts| Parts { certificate, client_authorities: parts.client_authorities.clone() })
    }

    /// From now on completes handshakes only with clients that have a certificate of one of these CAs. Open connections
    /// are not affected.
    pub(crate) fn require_clients_of(&self, client_authorities: Vec<X509>) -> Result<(), ErrorStack> {
        let mut parts = self.parts();
        self.replace(&mut parts, |parts| Parts { certificate: parts.certificate.clone(), client_authorities })
    }

    /// Changes the parts if a context can be built from the new ones.
    fn replace(&self, parts: &mut Parts, change: impl FnOnce(&Parts) -> Parts) -> Result<(), ErrorStack> {
        let changed = change(parts);
        if let Some(context) = changed.context()? {
            let is_mutual = !changed.client_authorities.is_empty();
            self.current.store(Some(Arc::new(Current { context, is_mutual })));
        }
        *parts = changed;
        Ok(())
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
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
            if let Some(current) = serving.current.load().as_ref() {
                ssl.set_ssl_context(&current.context)?;
                if current.is_mutual {
                    // OpenSSL does not take this from the context.
                    ssl.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
                }
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

impl Parts {
    /// `None` without a certificate.
    fn context(&self) -> Result<Option<SslContext>, ErrorStack> {
        let Some((leaf, intermediates, key)) = &self.certificate else { return Ok(None) };
        let mut builder = builder()?;
        builder.set_certificate(leaf)?;
        for certificate in intermediates {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
        builder.set_private_key(key)?;
        builder.check_private_key()?;
        if !self.client_authorities.is_empty() {
            let mut hasher = Hasher::new(MessageDigest::sha256())?;
            for authority in &self.client_authorities {
                builder.cert_store_mut().add_cert(authority.clone())?;
                builder.add_client_ca(authority)?;
                hasher.update(&authority.to_der()?)?;
            }
            // A session that resumes is not verified again, so none resumes under other CAs.
            builder.set_session_id_context(&hasher.finish()?)?;
        }
        Ok(Some(builder.build().into_context()))
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
