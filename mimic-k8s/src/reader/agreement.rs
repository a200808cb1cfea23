//! What holds of the reader whatever it is given, for tests and fuzzing.

use serde::de::IgnoredAny;

use super::from_slice;
use crate::review::Envelope;

/// Whether the reader can read `bytes`.
///
/// # Panics
/// If it can, and `serde_json` cannot or reads something else.
pub fn assert_reads_the_same(bytes: &[u8]) -> bool {
    let reads = from_slice::<IgnoredAny>(bytes).is_some();
    if reads {
        assert!(serde_json::from_slice::<IgnoredAny>(bytes).is_ok(), "{:?}", String::from_utf8_lossy(bytes));
    }
    if let Some(envelope) = from_slice::<Envelope<'_>>(bytes) {
        assert!(reads, "{:?}", String::from_utf8_lossy(bytes));
        let expected = serde_json::from_slice::<Envelope<'_>>(bytes).ok();
        assert_eq!(format!("{:?}", Some(envelope)), format!("{expected:?}"));
    }
    reads
}
