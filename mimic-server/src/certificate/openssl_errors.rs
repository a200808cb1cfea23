//! OpenSSL's queue of errors.

use openssl::error::ErrorStack;

/// Empties the queue, which belongs to the thread. A check that fails leaves its reason there, and the next TLS
/// connection that this thread reads from would take that for an error of its own.
pub(super) fn clear() {
    drop(ErrorStack::get());
}
