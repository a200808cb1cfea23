//! Equality of references, by what they mean and not by how they are written; errors in tags.

use std::hash::{BuildHasher as _, RandomState};

use mimic_core::{ImageRef, ParseErrorKind};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER: &str = "sha256:0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn parse(image: &str) -> ImageRef<'_> {
    ImageRef::parse(image).expect("the image is valid")
}

#[test]
fn references_that_mean_the_same_are_equal_and_have_equal_hashes() {
    let hasher = RandomState::new();
    for (one, other) in [
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx:1", "index.docker.io/nginx:1"),
        ("team/app", "docker.io/team/app"),
    ] {
        assert_eq!(parse(one), parse(other));
        assert_eq!(hasher.hash_one(parse(one)), hasher.hash_one(parse(other)), "{one}, {other}");
    }
}

#[test]
fn references_that_differ_in_one_part_are_not_equal_and_have_other_hashes() {
    let hasher = RandomState::new();
    let whole = format!("quay.io/a/b:1@{DIGEST}");
    for other in [
        format!("ghcr.io/a/b:1@{DIGEST}"),
        format!("quay.io/a/c:1@{DIGEST}"),
        format!("quay.io/a/b:2@{DIGEST}"),
        format!("quay.io/a/b@{DIGEST}"),
        format!("quay.io/a/b:1@{OTHER}"),
        "quay.io/a/b:1".to_owned(),
    ] {
        assert_ne!(parse(&whole), parse(&other));
        assert_ne!(hasher.hash_one(parse(&whole)), hasher.hash_one(parse(&other)), "{other}");
    }
}

#[test]
fn an_empty_tag_is_an_invalid_one_and_a_long_tag_is_too_long() {
    let (longest, long) = ("a".repeat(128), "a".repeat(129));
    for (tag, digest, expected) in [
        ("", "", Some((ParseErrorKind::TagInvalid, 6))),
        ("", DIGEST, Some((ParseErrorKind::TagInvalid, 6))),
        (".1", DIGEST, Some((ParseErrorKind::TagInvalid, 6))),
        ("1+2", "", Some((ParseErrorKind::TagInvalid, 7))),
        (&longest, DIGEST, None),
        (&long, DIGEST, Some((ParseErrorKind::TagTooLong, 6))),
    ] {
        let at = if digest.is_empty() { "" } else { "@" };
        let image = format!("nginx:{tag}{at}{digest}");
        let error = ImageRef::parse(&image).err().map(|error| (error.kind(), error.offset()));
        assert_eq!(error, expected, "{image}");
    }
}
