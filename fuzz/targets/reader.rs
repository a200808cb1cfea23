//! If the reader can read a text, as a review or as any JSON, `serde_json` reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    mimic_k8s::admission::fuzzing::assert_reads_the_same(body);
});
