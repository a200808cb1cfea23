//! Mirrors discovered from the proxy-cache projects of [Harbor](https://goharbor.io).
//!
//! ```no_run
//! use mimic_core::{Catalog, MirrorSource};
//! use mimic_harbor::{Address, Credentials, Harbor, HarborSource, Settings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = Settings::new(Address::parse("harbor.example.com")?);
//! settings.credentials = Some(Credentials::from_file("robot$mimic", "/harbor/password"));
//! let source = HarborSource::new("harbor", Harbor::new(settings)?);
//!
//! let catalog = Catalog::new([source.name()]);
//! catalog.publish(source.name(), source.load().await?.rules);
//! # Ok(())
//! # }
//! ```
//!
//! * [`Harbor::discover`] asks a Harbor what it mirrors; its [`Report`] names every project, used or left out and why.
//! * [`HarborSource`] is the same as a [`MirrorSource`](mimic_core::MirrorSource).
//! * [`checkup`] says in plain words what works and which permission is missing.
//!
//! # What this crate does not do
//!
//! It changes nothing in Harbor, pulls no image, and has no clock of its own: whoever uses it says when to ask again.

mod address;
mod api;
mod checkup;
mod choice;
mod client;
mod credentials;
mod discovery;
mod error;
mod filter;
mod pages;
mod report;
mod resolver;
mod settings;
mod source;
mod upstream;

pub use address::{Address, AddressError};
pub use checkup::{Finding, Verdict, checkup};
pub use client::Timeouts;
pub use credentials::Credentials;
pub use discovery::Harbor;
pub use error::HarborError;
pub use filter::{Filter, FilterKind};
pub use report::{Entry, LeftOut, Report, Way};
pub use settings::{OverrideError, Overrides, Settings};
pub use source::HarborSource;
