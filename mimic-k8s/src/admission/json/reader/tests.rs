use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::de::IgnoredAny;

use super::*;
use crate::admission::fuzzing::assert_reads_the_same as checked;
use crate::admission::review::{Envelope, Review};

mod unusual;

fn samples() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folders = ["captured", "cases", "sizes"].map(|folder| data.join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let samples: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(samples.len() > 38, "the reviews and their responses");
    samples
}

#[test]
fn every_sample_is_read_as_serde_json_reads_it() {
    let read = samples().iter().filter(|sample| from_slice::<Envelope<'_>>(sample).is_some()).count();
    // A few cases have objects that are not pods, and responses have members of other types.
    assert!(read > 38, "{read}");
    for sample in samples() {
        checked(&sample);
        let value: serde_json::Value = serde_json::from_slice(&sample).unwrap();
        assert!(checked(&serde_json::to_vec_pretty(&value).unwrap()));
        assert!(checked(value.to_string().as_bytes()));
    }
}

#[test]
fn invalid_json_is_not_read() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "{]",
        "[}",
        "[1,]",
        "{\"a\":1,}",
        "{,}",
        "[,]",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "{a:1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "--1",
        "0x1",
        "tru",
        "truth",
        "nul",
        "falsey",
        "True",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "'a'",
        "1 2",
        "{} {}",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "\u{feff}{}",
        "[\"a\", \"b]",
        "{\"a\":[}]",
        "/**/1",
        "NaN",
    ] {
        assert!(!checked(text.as_bytes()), "{text}");
        assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{text}");
    }
    assert!(!checked(b"\"\xff\""));
}

#[test]
fn valid_json_is_read() {
    for text in [
        "0",
        "-0",
        "-0.0e-0",
        "1E5",
        "1e+5",
        "12.50",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " [ ] ",
        "\t{\r\n}",
        "[[],{},[[]]]",
        "{\"a\":{\"b\":[1,\"2\",null]},\"c\":true}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\"",
        "\"0123456789abcdef\"",
        "\"0123456789abcde\\\"\"",
        "\"0123456789abcd\\u0041\"",
        "{\"\":\"\"}",
        "\"ünï☃\"",
    ] {
        assert!(checked(text.as_bytes()), "{text}");
    }
}

#[test]
fn deep_nesting_is_left_to_serde_json() {
    // Two containers each; there is room for 63.
    for (depth, read) in [(1, true), (30, true), (31, true), (32, false), (64, false), (10_000, false)] {
        let (open, close) = ("[{\"a\":".repeat(depth), "}]".repeat(depth));
        let text = format!("{open}0{close}");
        assert_eq!(checked(text.as_bytes()), read, "{depth}");
        assert!(!checked(format!("{open}0{}", close.replacen("}]", "]}", 1)).as_bytes()), "{depth}");
        let review = format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"1","options":{text}}}}}"#
        );
        assert_eq!(Review::parse(review.as_bytes()).unwrap().uid(), "1", "{depth}");
    }
}

/// Text at every offset in a block, and blocks that end at every position of the text.
#[test]
fn the_offset_of_text_in_a_block_does_not_matter() {
    let pieces = [
        r#"{"a":"b\\","c\"":{},"d":{"e":[1,true]},"f":"\u00e9"}"#,
        r#"["\\\"","\\\\",{"a":{}},[],{"":""}]"#,
        "{\"a\":\"b\nc\"}",
        "{\n\"a\" :\t\"b\" , \"c\":{\r} }",
        r#"{"a":"\x"}"#,
        r#"{"a":"\u00g0"}"#,
        r#"{"a":"\"}"#,
        r#"{"a\":1}"#,
        r#"{"a":{}"b":1}"#,
        r#"{"a":{"b":"c"]}"#,
        r#"{"a":"b":"c"}"#,
    ];
    for piece in pieces {
        for before in 0..130 {
            let text = format!("[\"{}\",{piece}]", "x".repeat(before));
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(checked(text.as_bytes()), expected, "{text}");
        }
    }
}

/// All short texts of structural bytes, or of short sequences of them.
#[test]
fn every_short_text_is_read_as_serde_json_reads_it() {
    fn each(text: &mut Vec<u8>, pieces: &[&str], more: usize) {
        let expected = serde_json::from_slice::<IgnoredAny>(text).is_ok();
        assert_eq!(from_slice::<IgnoredAny>(text).is_some(), expected, "{}", String::from_utf8_lossy(text));
        if more > 0 {
            for piece in pieces {
                let length = text.len();
                text.extend_from_slice(piece.as_bytes());
                each(text, pieces, more - 1);
                text.truncate(length);
            }
        }
    }
    each(&mut Vec::new(), &["{", "}", "[", "]", ",", ":", "\"", "\\"], 6);
    each(&mut Vec::new(), &["{", "}", "[", "]", ",", "\"a\"", "\"a\":", "1", "{}", " "], 5);
    each(&mut b"{\"a\":{".to_vec(), &["{", "}", "[", "]", ",", "\"b\"", ":", "\"c\":"], 6);
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ -~]{0,40}|\\PC{0,20}|[\"\\\\\n\u{0}]{0,5}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        let key = select(&["metadata", "spec", "request", "uid", "a", "\"\\\n", ""][..]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_json_is_read(value in value()) {
        prop_assert!(checked(value.to_string().as_bytes()));
        prop_assert!(checked(serde_json::to_string_pretty(&value).unwrap().as_bytes()));
    }

    #[test]
    fn damaged_json_is_read_only_if_serde_json_reads_it(
        value in value(), at in any::<Index>(), byte in select(&b"{}[]\",:\\0-.e tfn\n\xff"[..]), form in 0..3,
    ) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        match form {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            _ => drop(text.remove(at)),
        }
        checked(&text);
    }

    #[test]
    fn damaged_reviews_are_read_only_as_serde_json_reads_them(
        sample in select(samples()), at in any::<Index>(), byte in any::<u8>(), cut in prop::option::weighted(0.1, any::<Index>()),
    ) {
        let mut text = sample;
        let at = at.index(text.len());
        text[at] = byte;
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len()));
        }
        checked(&text);
    }

    #[test]
    fn pieces_of_json_are_read_only_if_serde_json_reads_them(
        pieces in prop::collection::vec(
            select(&["{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\u00", "1", "-", ".", "e", "null", "true", " "][..]),
            0..24,
        ),
    ) {
        checked(pieces.concat().as_bytes());
    }
}
