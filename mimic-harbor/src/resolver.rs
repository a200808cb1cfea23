//! Resolves names as the system does, with an error that can be distinguished from others.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The resolver of the system.
#[derive(Debug)]
pub(crate) struct Resolver;

/// A name that does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the host `{host}`")]
pub(crate) struct Unresolved {
    pub(crate) host: String,
    #[source]
    cause: io::Error,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The HTTP client sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            match found {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(cause) => Err(Unresolved { host: name.as_str().to_owned(), cause }.into()),
            }
        })
    }
}
