//! `ImageRef` gives what the Go library gives, for each line of the golden table (see `data/reference/README.md`).

use mimic_core::ImageRef;

#[path = "reference/agreement.rs"]
mod agreement;
#[path = "reference/table.rs"]
mod table;

#[test]
fn every_line_of_the_table_agrees_with_the_go_library() {
    agreement::assert_agreement(&table::cases());
}

#[test]
fn every_canonical_form_of_the_table_stands_for_itself() {
    for case in table::cases() {
        let Ok(expected) = case.expected() else { continue };
        let again =
            ImageRef::parse(&expected.canonical).unwrap_or_else(|error| panic!("{}: {error}", expected.canonical));
        assert_eq!(table::Parts::from(&again), *expected, "{:?}", case.input);
    }
}
