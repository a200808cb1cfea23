//! Mirrors discovered from the proxy-cache projects of [Harbor](https://goharbor.io).
//!
//! ```no_run
//! use mimic_core::{Catalog, MirrorSource};
//! use mimic_harbor::{Address, Credentials, Harbor, HarborSettings, HarborSource};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = HarborSettings::new(Address::parse("harbor.example.com")?);
//! settings.credentials = Some(Credentials::from_file("robot$mimic", "/harbor/password"));
//! let source = HarborSource::new("harbor", Harbor::new(settings)?);
//!
//! let catalog = Catalog::new([source.name()]);
//! catalog.publish(source.name(), source.load().await?.rules);
//! # Ok(())
//! # }
//! ```
//!
//! * [`Harbor::discover`] queries a Harbor. Its [`Report`] lists every project, used or skipped, with the reason.
//! * [`HarborSource`] provides the discovered mirrors as a [`MirrorSource`](mimic_core::MirrorSource).
//! * [`checkup`] lists what works and which permission is missing.
//!
//! # What this crate does not do
//!
//! It changes nothing in Harbor, pulls no images, and has no timer: the caller decides when to query again.

mod address;
mod api;
mod checkup;
mod client;
mod credentials;
mod discovery;
mod error;
mod filter;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod pages;
mod project_rules;
mod report;
mod resolver;
mod retention;
mod settings;
mod source;
mod upstream;

pub use address::{Address, AddressError};
pub use checkup::{Finding, FindingLevel, checkup};
pub use client::Timeouts;
pub use credentials::Credentials;
pub use discovery::Harbor;
pub use error::{HarborError, RequestError};
pub use filter::{Filter, FilterError, FilterKind};
pub use report::{DiscoveryMethod, Kept, ProxyProject, Report, SkipReason};
pub use settings::{DEFAULT_GRACE, HarborSettings, OverrideError, Overrides};
pub use source::HarborSource;
pub use upstream::UnmappableEndpoint;
