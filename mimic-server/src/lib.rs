//! Mimic's webhook server: configuration, TLS, HTTP, logging, health and shutdown around [`mimic_core`] and
//! [`mimic_k8s`].
//!
//! ```no_run
//! use mimic_server::{Server, Settings, Signals};
//!
//! let settings = Settings::load(std::env::vars_os(), None, &[]).settings.expect("the environment is valid");
//! actix_web::rt::System::new().block_on(async {
//!     let running = Server::new(settings).start().await.expect("the ports are free");
//!     running.until(Signals::listen()?).await
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What this crate does not do
//!
//! It makes no decision about images: [`mimic_core`] rewrites them, [`mimic_k8s`] reads reviews and writes responses.

mod args;
mod backoff;
mod certificate;
mod command;
mod counted;
mod demo;
mod files;
mod health;
mod heartbeat;
mod http;
#[doc(hidden)]
pub mod internal;
mod known;
mod logging;
mod metrics;
mod policy;
mod policy_status;
mod polling;
mod resources;
mod server;
pub mod settings;
mod signals;
mod sources;
mod tls;
mod tuning;

pub use certificate::CertificateError;
pub use command::run;
pub use server::{Running, Server, StartError};
pub use settings::Settings;
pub use signals::{Signals, Stop};
