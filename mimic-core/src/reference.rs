//! Image references: strict parsing and normalisation as the kubelet does it.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::grammar::{
    REPOSITORY_MAX, check_digest, check_registry, is_lower_hex, looks_like_registry, scan_repository, scan_tag,
};
use crate::parse_error::{ParseError, ParseErrorKind};

/// The registry of a reference that does not name one.
pub const DOCKER_HUB: &str = "docker.io";
/// The first component, with its slash, that the normalisation adds to one-component repositories on Docker Hub.
pub(crate) const LIBRARY: &str = "library/";
/// Hex digits of an image ID.
const ID_HEX: usize = 64;
/// Docker Hub's earlier name, which the normalisation replaces by `docker.io`.
const LEGACY_DOCKER_HUB: &str = "index.docker.io";

/// A validated, borrowed view of an image reference.
///
/// Grammar and normalisation are those of
/// [distribution/reference](https://pkg.go.dev/github.com/distribution/reference)'s `ParseNormalizedNamed`, which the
/// kubelet uses:
///
/// ```text
/// reference  := [registry "/"] repository [":" tag] ["@" digest]
/// registry   := host [":" port]      host: a domain name, an IPv4 address, or an IPv6 address in brackets
/// repository := component *("/" component)
/// component  := [a-z0-9]+ *(("." | "_" | "__" | "-"+) [a-z0-9]+)
/// tag        := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
/// digest     := ("sha256" | "sha384" | "sha512") ":" lower-case hex of the algorithm's length
/// ```
///
/// A first component that contains `.`, `:` or an upper-case letter, or is `localhost`, is the registry. Without one the
/// registry is `docker.io`, where repositories of one component get `library/`. `index.docker.io` means `docker.io`.
/// There is one deviation: a first component that looks like a registry but is not valid (`a_b.com/c`) is an error,
/// where that library returns an empty registry.
///
/// Parsing does not allocate. Reading a part does not either, except for [`repository`](Self::repository) with an
/// implied `library/`.
///
/// ```
/// let image = mimic_core::ImageRef::parse("nginx:1.27")?;
/// assert_eq!(image.registry(), "docker.io");
/// assert_eq!(image.repository(), "library/nginx");
/// assert_eq!(image.tag(), Some("1.27"));
/// assert_eq!(image.digest(), None);
/// assert_eq!(image.to_string(), "docker.io/library/nginx:1.27");
/// # Ok::<(), mimic_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ImageRef<'a> {
    pub(crate) registry: &'a str,
    /// The repository as written, without an implied `library/`.
    pub(crate) path: &'a str,
    pub(crate) implied_library: bool,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

impl<'a> ImageRef<'a> {
    /// Parses and normalises the `image` of a container.
    ///
    /// # Errors
    /// [`ParseError`] with what is wrong and the byte at which it is.
    pub fn parse(image: &'a str) -> Result<Self, ParseError> {
        use ParseErrorKind as Kind;
        if image.is_empty() {
            return Err(ParseError::new(Kind::Empty, image, 0));
        }
        if is_id_hex(image) {
            return Err(ParseError::new(Kind::ImageId, image, 0));
        }
        let bytes = image.as_bytes();
        let first = bytes.iter().position(|&b| b == b'/');
        let (registry, start) = match first {
            Some(end) if looks_like_registry(&image[..end]) => {
                check_registry(image, end)?;
                (canonical_registry(&image[..end]), end + 1)
            }
            _ => (DOCKER_HUB, 0),
        };
        let end = scan_repository(image, start)?;
        let path = &image[start..end];
        let Some(implied_library) = implied_library(registry, path) else {
            return Err(ParseError::new(Kind::RepositoryTooLong, image, start));
        };
        let mut rest = end;
        let mut tag = None;
        if bytes.get(rest) == Some(&b':') {
            let end = scan_tag(image, rest + 1)?;
            tag = Some(&image[rest + 1..end]);
            rest = end;
        }
        let mut digest = None;
        if bytes.get(rest) == Some(&b'@') {
            check_digest(image, rest + 1)?;
            digest = Some(&image[rest + 1..]);
        }
        Ok(Self { registry, path, implied_library, tag, digest })
    }

    /// The registry as `host` or `host:port`, in the case it was written in; `docker.io` if none was written.
    pub fn registry(&self) -> &'a str {
        self.registry
    }

    /// The path in the registry: `library/nginx` for `nginx`.
    pub fn repository(&self) -> Cow<'a, str> {
        if self.implied_library { Cow::Owned(format!("{LIBRARY}{}", self.path)) } else { Cow::Borrowed(self.path) }
    }

    /// The repository in two parts: the implied `library/`, or nothing, and what was written.
    pub(crate) fn repository_parts(&self) -> (&'static str, &'a str) {
        (if self.implied_library { LIBRARY } else { "" }, self.path)
    }

    fn parts(&self) -> (&str, Cow<'_, str>, Option<&str>, Option<&str>) {
        (self.registry, self.repository(), self.tag, self.digest)
    }

    /// The tag, exactly as written; `None` if there is none (never `latest`).
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The digest with its algorithm (`sha256:…`), exactly as written.
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }
}

impl fmt::Display for ImageRef<'_> {
    /// The canonical form, `registry/repository[:tag][@digest]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (library, path) = self.repository_parts();
        write!(f, "{}/{library}{path}", self.registry)?;
        if let Some(tag) = self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Two references are equal when their canonical forms are: `nginx` is `docker.io/library/nginx`.
impl PartialEq for ImageRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ImageRef<'_> {}

/// Equal references have equal canonical forms, hence equal hashes.
impl Hash for ImageRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<'a> TryFrom<&'a str> for ImageRef<'a> {
    type Error = ParseError;

    /// As [`ImageRef::parse`].
    fn try_from(image: &'a str) -> Result<Self, ParseError> {
        Self::parse(image)
    }
}

/// Whether the image is an ID, `sha256:` and 64 hex digits or the digits alone, which container runtimes look up on the
/// node. The grammar reads the former as a repository `sha256` with a tag.
pub(crate) fn is_image_id(image: &str) -> bool {
    const PREFIX: &str = "sha256:";
    const PREFIXED: usize = PREFIX.len() + ID_HEX;
    // Almost all images have another length.
    match image.len() {
        ID_HEX => is_id_hex(image),
        PREFIXED => image.strip_prefix(PREFIX).is_some_and(is_id_hex),
        _ => false,
    }
}

fn is_id_hex(text: &str) -> bool {
    text.len() == ID_HEX && text.bytes().all(is_lower_hex)
}

/// Whether a path on Docker Hub is one component, which is a namespace and an official image.
pub(crate) fn is_official_name(path: &str) -> bool {
    !path.is_empty() && !path.contains('/') && path != LIBRARY.trim_end_matches('/')
}

/// The registry that a written one means.
pub(crate) fn canonical_registry(registry: &str) -> &str {
    if registry == LEGACY_DOCKER_HUB { DOCKER_HUB } else { registry }
}

/// Whether `library/` is implied in front of a path; `None` when the repository is too long.
pub(crate) fn implied_library(registry: &str, path: &str) -> Option<bool> {
    let implied = registry == DOCKER_HUB && !path.contains('/');
    (path.len() + if implied { LIBRARY.len() } else { 0 } <= REPOSITORY_MAX).then_some(implied)
}
