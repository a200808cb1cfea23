//! `ImageRef` against the grammar that the package page of distribution/reference publishes, over random strings.
//!
//! A string that fails here belongs in `data/reference/generate/inputs.jsonl`.

use std::sync::LazyLock;

use mimic_core::ImageRef;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use regex::Regex;

#[path = "reference/strings.rs"]
mod strings;
#[path = "reference/table.rs"]
mod table;

use table::Parts;

/// <https://pkg.go.dev/github.com/distribution/reference@v0.6.0#pkg-overview>, a production a line, anchored at both ends.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let domain_component = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let domain_name = format!(r"{domain_component}(?:\.{domain_component})*");
    let ipv6_address = r"\[[a-fA-F0-9:]+\]";
    let domain = format!("(?:{domain_name}|{ipv6_address})(?::[0-9]+)?");
    let path_component = "[a-z0-9]+(?:(?:[_.]|__|-+)[a-z0-9]+)*";
    let path = format!("{path_component}(?:/{path_component})*");
    let tag = r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";
    let digest_algorithm = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*";
    let digest = format!("{digest_algorithm}:[0-9a-fA-F]{{32,}}");
    Regex::new(&format!("^(?:({domain})/)?({path})(?::({tag}))?(?:@({digest}))?$"))
        .expect("the grammar is a regular expression")
});

/// An image ID.
static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-f0-9]{64}$").expect("an identifier is one too"));

/// The documented steps, one after the other: no identifier; the default registry and namespace filled in; the grammar;
/// the length of the path; a digest that is one of its algorithm.
fn oracle(image: &str) -> Option<Parts> {
    if IDENTIFIER.is_match(image) {
        return None;
    }
    let (host, rest) = match image.split_once('/') {
        Some(("index.docker.io", rest)) => ("docker.io", rest),
        Some((host, rest))
            if host == "localhost" || host.contains(['.', ':']) || host.chars().any(char::is_uppercase) =>
        {
            (host, rest)
        }
        _ => ("docker.io", image),
    };
    let library = if host == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    let canonical = format!("{host}/{library}{rest}");

    let found = REFERENCE.captures(&canonical)?;
    let part = |index| found.get(index).map(|part| part.as_str().to_owned());
    let parts = Parts {
        // The deviation: without a valid host the library goes on with an empty registry.
        registry: part(1)?,
        repository: part(2)?,
        tag: part(3),
        digest: part(4),
        canonical: canonical.clone(),
    };
    let valid = parts.repository.len() <= 255 && parts.digest.as_deref().is_none_or(is_digest);
    valid.then_some(parts)
}

fn is_digest(digest: &str) -> bool {
    let (algorithm, hex) = digest.split_once(':').expect("the grammar has a colon there");
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && !hex.contains(char::is_uppercase)
}

/// Everything that must hold for any string.
fn holds(image: &str) -> TestCaseResult {
    let expected = oracle(image);
    match ImageRef::parse(image) {
        Ok(reference) => {
            let parts = Parts::from(&reference);
            prop_assert_eq!(Some(&parts), expected.as_ref());

            let tag = parts.tag.as_ref().map_or(String::new(), |tag| format!(":{tag}"));
            let digest = parts.digest.as_ref().map_or(String::new(), |digest| format!("@{digest}"));
            prop_assert!(image.ends_with(&(tag + &digest)), "the tag or the digest is not as it was written");

            let again = ImageRef::parse(&parts.canonical).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(Parts::from(&again), parts);
        }
        Err(error) => {
            prop_assert_eq!(None, expected);
            prop_assert!(image.is_char_boundary(error.offset()), "offset {}", error.offset());
            let message = error.to_string();
            prop_assert!(
                message.starts_with(|char: char| !char.is_uppercase()) && !message.ends_with('.'),
                "{message}"
            );
            let kind = error.kind().as_str();
            prop_assert!(
                !kind.is_empty() && kind.chars().all(|char| char.is_ascii_lowercase() || char == '_'),
                "{kind}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_oracle_itself_agrees_with_the_go_library() {
    for case in table::cases() {
        assert_eq!(oracle(&case.input).as_ref(), case.expected().ok(), "{:?}", case.input);
    }
}

#[test]
fn all_holds_for_every_line_of_the_table() {
    for case in table::cases() {
        if let Err(error) = holds(&case.input) {
            panic!("{:?}: {error}", case.input);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_holds_for_pieces_glued_together(image in strings::glued()) {
        holds(&image)?;
    }

    #[test]
    fn all_holds_for_well_formed_references(image in strings::well_formed()) {
        holds(&image)?;
    }

    #[test]
    fn all_holds_for_damaged_references(image in strings::damaged()) {
        holds(&image)?;
    }

    #[test]
    fn all_holds_for_arbitrary_strings(image in strings::arbitrary()) {
        holds(&image)?;
    }
}

#[test]
fn equal_references_are_one_key_of_a_set() {
    let forms = ["nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "index.docker.io/nginx"];
    let set: std::collections::HashSet<ImageRef<'_>> =
        forms.iter().map(|&form| ImageRef::try_from(form).expect("it is valid")).collect();
    assert_eq!(set.len(), 1);
    let others = ["nginx:1", "quay.io/library/nginx", "docker.io/a/nginx"];
    let set: std::collections::HashSet<ImageRef<'_>> =
        forms.iter().chain(&others).map(|&form| ImageRef::try_from(form).expect("it is valid")).collect();
    assert_eq!(set.len(), 4);
    assert!(ImageRef::try_from("A:").is_err());
}
