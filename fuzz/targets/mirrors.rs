//! Any text can be read as `mirrors.yaml`, and the rules that are read keep what Mimic guarantees.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mimic_core::{parse_rules_file, parse_short_form};
use mimic_fuzz::{assert_lines, assert_reads_back, assert_rewrites};
use mimic_k8s::mirrors::parse_document_or_values;

fuzz_target!(|text: &str| {
    assert_lines(text, &parse_short_form("short", text).problems);
    assert_lines(text, parse_document_or_values("mirrors.yaml", text).err().as_ref());
    match parse_rules_file("mirrors.yaml", text) {
        Err(problem) => assert_lines(text, [&problem]),
        Ok(list) => {
            assert_lines(text, &list.problems);
            list.rules.iter().for_each(assert_reads_back);
            assert_rewrites(list.rules);
        }
    }
});
