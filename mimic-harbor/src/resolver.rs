//! Names to addresses, as the system does it, with an error that can be told from others.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver.
#[derive(Debug)]
pub(crate) struct Resolver;

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the host `{host}`: {reason}")]
pub(crate) struct Unresolved {
    pub(crate) host: String,
    pub(crate) reason: String,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is filled in later.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            match found {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(&reason);
                    Err(Unresolved { host: name.as_str().to_owned(), reason: reason.to_owned() }.into())
                }
            }
        })
    }
}
