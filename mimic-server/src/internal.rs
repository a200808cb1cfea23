//! What only the tests and benchmarks of this workspace use. It is not part of the public interface and can change at any
//! time.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;

use crate::server::Server;

pub use crate::health::Health;
pub use crate::http::{State, configure};
pub use crate::logging::{LastLines, init as init_logging};
pub use crate::metrics::{Metrics, metrics_page};

impl Server {
    /// Serves the webhook with this number of threads, instead of one for each available processor.
    #[doc(hidden)]
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.tuning.workers = Some(count);
        self
    }

    /// Adds further routes to the webhook's port.
    #[doc(hidden)]
    #[must_use]
    pub fn extra(mut self, configure: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static) -> Self {
        self.tuning.extra = Some(Arc::new(configure));
        self
    }

    /// Reads a closing connection for this long, instead of a second.
    #[doc(hidden)]
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.tuning.linger = Some(time);
        self
    }

    /// Gives each TLS handshake this long, instead of three seconds.
    #[doc(hidden)]
    #[must_use]
    pub fn handshake(mut self, time: Duration) -> Self {
        self.tuning.handshake = Some(time);
        self
    }

    /// Counts a worker as stuck when it was silent for this long, instead of twenty seconds.
    #[doc(hidden)]
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.tuning.patience = Some(time);
        self
    }
}
