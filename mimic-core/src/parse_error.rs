//! Why a string is not an image reference.

use std::fmt;

use crate::printable::Printable;

/// The longest part of the input that an error repeats, in bytes.
const FRAGMENT_MAX: usize = 80;

/// Why a string is not an image reference, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{fragment}` at byte {offset}")]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: usize,
    fragment: Box<str>,
}

impl ParseError {
    #[cold]
    pub(crate) fn new(kind: ParseErrorKind, image: &str, offset: usize) -> Self {
        let mut end = image.len().min(FRAGMENT_MAX);
        while !image.is_char_boundary(end) {
            end -= 1;
        }
        let dots = if end < image.len() { "…" } else { "" };
        // The message may be printed to a terminal or a log.
        let fragment = Printable(&image[..end]);
        Self { kind, offset, fragment: format!("{fragment}{dots}").into() }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The position in the input, in bytes; at most its length.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// What is wrong with a string that is not an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The string is empty.
    Empty,
    /// 64 hex digits and nothing else: an image ID, which cannot be pulled.
    ImageId,
    /// The string begins with a scheme, such as `docker://` or `https://`. A reference has none.
    Scheme,
    /// The part before the first `/` looks like a registry but is not a valid `host[:port]`.
    RegistryInvalid,
    /// A character that is not allowed in a repository, or an empty component.
    RepositoryInvalid,
    /// An upper-case letter in the repository.
    RepositoryUppercase,
    /// A repository of more than [`REPOSITORY_MAX`](crate::REPOSITORY_MAX) bytes.
    RepositoryTooLong,
    /// An empty tag, or a character that is not allowed in a tag.
    TagInvalid,
    /// A tag of more than [`TAG_MAX`](crate::TAG_MAX) bytes.
    TagTooLong,
    /// Not `algorithm:lower-case-hex`.
    DigestInvalid,
    /// An algorithm other than sha256, sha384 and sha512.
    DigestUnsupported,
    /// A wrong number of hex digits for the algorithm.
    DigestLength {
        /// How many there are.
        found: usize,
        /// How many the algorithm has.
        expected: usize,
    },
}

impl ParseErrorKind {
    /// A stable identifier, such as `tag_invalid`.
    pub fn as_str(self) -> &'static str {
        self.name_and_text().0
    }

    fn name_and_text(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("empty", "empty image"),
            Self::ImageId => ("image_id", "image ID where a reference is expected:"),
            Self::Scheme => ("scheme", "an image reference must not have a scheme:"),
            Self::RegistryInvalid => ("registry_invalid", "invalid registry in"),
            Self::RepositoryInvalid => ("repository_invalid", "invalid repository in"),
            Self::RepositoryUppercase => ("repository_uppercase", "upper-case letter in the repository of"),
            Self::RepositoryTooLong => ("repository_too_long", "repository of more than 255 bytes in"),
            Self::TagInvalid => ("tag_invalid", "invalid tag in"),
            Self::TagTooLong => ("tag_too_long", "tag of more than 128 bytes in"),
            Self::DigestInvalid => ("digest_invalid", "invalid digest in"),
            Self::DigestUnsupported => ("digest_unsupported", "unsupported digest algorithm in"),
            Self::DigestLength { .. } => ("digest_length", "digest of the wrong length in"),
        }
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DigestLength { found, expected } => {
                write!(f, "digest of {found} hex digits instead of {expected} in")
            }
            _ => f.write_str(self.name_and_text().1),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::reference::ImageRef;

    fn message(image: &str) -> String {
        ImageRef::parse(image).expect_err("it is not valid").to_string()
    }

    #[test]
    fn a_scheme_is_named() {
        for scheme in ["docker", "https", "http", "oci", "HTTPS", "docker-pullable", "containers-storage", "a+b"] {
            for rest in ["nginx", "quay.io/acme/app:1", "", "/nginx"] {
                let image = format!("{scheme}://{rest}");
                assert_eq!(message(&image), format!("an image reference must not have a scheme: `{image}` at byte 0"));
            }
        }
        assert_eq!(message("docker:/nginx"), "invalid registry in `docker:/nginx` at byte 7");
        assert_eq!(message("quay.io//nginx"), "invalid repository in `quay.io//nginx` at byte 8");
    }

    #[test]
    fn the_expected_length_of_a_digest_is_named() {
        for (algorithm, expected) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
            for found in [0, 1, expected - 1, expected + 1] {
                let image = format!("nginx@{algorithm}:{}", "a".repeat(found));
                let start = format!("digest of {found} hex digits instead of {expected} in `nginx@{algorithm}:");
                assert!(message(&image).starts_with(&start), "{}", message(&image));
            }
        }
    }
}
