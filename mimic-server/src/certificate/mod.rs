//! The serving certificate: reading, checking and issuing it, and the sources that it comes from.

mod client_ca;
mod cluster_problem;
mod error;
mod expiry;
mod file;
mod installer;
mod issue;
mod managed;
mod names;
mod openssl_errors;
mod pair;
mod secret;
mod selfsigned;
mod validity;

pub(crate) use client_ca::ClientCaFile;
pub use error::CertificateError;
pub(crate) use file::CertificateFiles;
pub(crate) use installer::CertificateInstaller;
pub(crate) use managed::{CertificatePolicy, ManagedCertificate};
pub(crate) use secret::WatchedSecret;
pub(crate) use selfsigned::self_signed;
