//! OpenSSL's queue of errors.

use openssl::error::ErrorStack;

/// Empties the queue, which belongs to the thread. A failed check leaves its reason there, and the next TLS connection
/// that this thread reads from would report it as its own error.
pub(super) fn clear() {
    drop(ErrorStack::get());
}
