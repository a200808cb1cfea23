//! The serving certificate: reading it, checking it, making it, and where it comes from.

mod clock;
mod expiry;
mod file;
mod issue;
mod keeper;
mod managed;
mod names;
mod pair;
mod secret;
mod selfsigned;

pub(crate) use file::CertificateFiles;
pub(crate) use keeper::Keeper;
pub(crate) use managed::Managed;
pub use pair::CertificateError;
pub(crate) use pair::Pair;
pub(crate) use secret::FollowedSecret;
pub(crate) use selfsigned::self_signed;
