//! Parameters for tests and benchmarks.

use std::time::Duration;

use crate::http::stack::Extra;

/// What tests and benchmarks set on a server, and no configuration does.
#[derive(Default)]
pub(crate) struct Tuning {
    /// Threads that serve the webhook, instead of one for each available processor.
    pub(crate) workers: Option<usize>,
    /// Further routes on the webhook's port.
    pub(crate) extra: Option<Extra>,
    /// How long a closing connection is read, instead of a second.
    pub(crate) linger: Option<Duration>,
    /// How long a TLS handshake can take, instead of three seconds.
    pub(crate) handshake: Option<Duration>,
    /// How long a worker can be silent before it counts as stuck, instead of twenty seconds.
    pub(crate) patience: Option<Duration>,
}
