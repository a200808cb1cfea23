//! HTTP: the routes of the webhook and of the admin port, and the connections below them.

mod admin;
mod body;
mod budget;
mod connection;
mod early;
mod incoming;
mod linger;
mod mutate;
mod pool;
mod response;
mod routes;
pub(crate) mod stack;
mod state;

pub use routes::configure;
pub(crate) use routes::configure_admin;
pub use state::State;
