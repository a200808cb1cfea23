//! Conversions from and to the references of `oci-spec`.

use mimic_core::{ImageRef, ParseErrorKind};
use oci_spec::distribution::Reference;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn references_survive_the_way_there_and_back() {
    for image in [
        "docker.io/library/nginx:1.27",
        &format!("quay.io/a/b@{DIGEST}"),
        &format!("localhost:5000/a/b:x@{DIGEST}"),
        "[2001:db8::1]:5000/a:1",
    ] {
        let oci = Reference::from(ImageRef::parse(image).unwrap());
        assert_eq!(oci.whole(), *image);
        assert_eq!(ImageRef::from_oci(&oci).unwrap().to_string(), *image);
    }
}

#[test]
fn what_has_no_tag_gets_the_tag_that_the_other_type_insists_on() {
    assert_eq!(Reference::from(ImageRef::parse("nginx").unwrap()).whole(), "docker.io/library/nginx:latest");
}

#[test]
fn short_names_of_the_other_type_are_normalised() {
    let oci = Reference::with_tag("index.docker.io".into(), "nginx".into(), "1".into());
    assert_eq!(ImageRef::from_oci(&oci).unwrap().to_string(), "docker.io/library/nginx:1");
}

#[test]
fn what_the_other_type_takes_and_the_kubelet_does_not_is_refused() {
    let of = |registry: &str, repository: &str, tag: &str, digest: &str| {
        let oci = Reference::with_tag_and_digest(registry.into(), repository.into(), tag.into(), digest.into());
        ImageRef::from_oci(&oci).unwrap_err().kind()
    };
    assert_eq!(of("a.io", "x", "1", &DIGEST.to_uppercase()), ParseErrorKind::DigestUnsupported);
    assert_eq!(of("a.io", "x", "ü", DIGEST), ParseErrorKind::TagInvalid);
    assert_eq!(of("a.io", "x", "", DIGEST), ParseErrorKind::TagInvalid);
    assert_eq!(of("a.io", "x@y", "1", DIGEST), ParseErrorKind::RepositoryInvalid);
    assert_eq!(of("a.io", "X", "1", DIGEST), ParseErrorKind::RepositoryUppercase);
    assert_eq!(of("a.io", &"x".repeat(256), "1", DIGEST), ParseErrorKind::RepositoryTooLong);
    assert_eq!(of("a_b", "x", "1", DIGEST), ParseErrorKind::RegistryInvalid);
    assert_eq!(of("", "x", "1", DIGEST), ParseErrorKind::RegistryInvalid);
    assert_eq!(of("harbor", "x", "1", DIGEST), ParseErrorKind::RegistryInvalid);
    assert_eq!(of("a.io/b", "x", "1", DIGEST), ParseErrorKind::RegistryInvalid);
}
