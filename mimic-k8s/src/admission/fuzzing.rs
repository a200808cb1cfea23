//! Not part of the public API: checks of the JSON reader for this crate's tests and for the targets in `fuzz/`. It is
//! compiled only for them.

use serde::de::IgnoredAny;

use super::json::reader::from_slice;
use super::review::Envelope;

/// Returns whether the reader can read `bytes`.
///
/// # Panics
/// If the reader can read `bytes`, and `serde_json` cannot or gives another result.
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
