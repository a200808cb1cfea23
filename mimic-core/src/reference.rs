//! Image references: strict parsing and normalisation as the kubelet does it.

use std::borrow::Cow;
use std::fmt;

use oci_spec::distribution::Reference;

/// The registry of names that name none.
pub const DOCKER_HUB: &str = "docker.io";
/// What one-component names on Docker Hub are put under.
pub const LIBRARY: &str = "library/";

/// Longest repository, in bytes, `library/` included
/// ([`RepositoryNameTotalLengthMax`](https://pkg.go.dev/github.com/distribution/reference#pkg-constants)).
pub const REPOSITORY_MAX: usize = 255;
/// Longest tag, in bytes ([the grammar](https://pkg.go.dev/github.com/distribution/reference#pkg-overview)).
pub const TAG_MAX: usize = 128;

/// Docker Hub's name before it was called `docker.io`; the normalisation turns it into that.
const LEGACY_DOCKER_HUB: &str = "index.docker.io";
/// The longest piece of an input that an error repeats, in bytes.
const FRAGMENT_MAX: usize = 80;

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
/// A first component that holds `.`, `:` or an upper-case letter, or is `localhost`, is the registry; without one it is
/// `docker.io`, where one-component names get `library/`. `index.docker.io` means `docker.io`. There is one deviation:
/// a first component that looks like a registry but is not a valid one (`a_b.com/c`) is refused, where that library
/// answers with an empty registry.
///
/// Parsing allocates nothing, and neither does asking for a part, but for [`repository`](Self::repository) of a name
/// with an implied `library/`.
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
    registry: &'a str,
    /// The repository without an implied `library/`.
    path: &'a str,
    implied_library: bool,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> ImageRef<'a> {
    /// Parses and normalises an image string as a pod's `image:` holds it.
    ///
    /// # Errors
    /// [`ParseError`] says what is wrong and at which byte.
    pub fn parse(image: &'a str) -> Result<Self, ParseError> {
        use ParseErrorKind as Kind;
        if image.is_empty() {
            return Err(ParseError::new(Kind::Empty, image, 0));
        }
        if image.len() == 64 && image.bytes().all(is_lower_hex) {
            return Err(ParseError::new(Kind::ImageId, image, 0));
        }
        let bytes = image.as_bytes();
        let first = bytes.iter().position(|&b| b == b'/');
        let (registry, start) = match first {
            Some(end) if looks_like_registry(&image[..end]) => {
                check_registry(image, end)?;
                let registry = if &image[..end] == LEGACY_DOCKER_HUB { DOCKER_HUB } else { &image[..end] };
                (registry, end + 1)
            }
            _ => (DOCKER_HUB, 0),
        };
        let end = scan_repository(image, start)?;
        let path = &image[start..end];
        let implied_library = registry == DOCKER_HUB && !path.contains('/');
        if path.len() + if implied_library { LIBRARY.len() } else { 0 } > REPOSITORY_MAX {
            return Err(ParseError::new(Kind::RepositoryTooLong, image, start));
        }
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

    /// The registry as `host` or `host:port`, in the letters it was written in; `docker.io` where none was written.
    pub fn registry(&self) -> &'a str {
        self.registry
    }

    /// The path in the registry: `library/nginx` for `nginx`.
    pub fn repository(&self) -> Cow<'a, str> {
        if self.implied_library { Cow::Owned(format!("{LIBRARY}{}", self.path)) } else { Cow::Borrowed(self.path) }
    }

    /// The repository in two pieces, the implied `library/` (or nothing) and what was written.
    pub(crate) fn repository_parts(&self) -> (&'static str, &'a str) {
        (if self.implied_library { LIBRARY } else { "" }, self.path)
    }

    /// The tag, exactly as written; `None` when there is none (never `latest`).
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The digest with its algorithm (`sha256:…`), exactly as written.
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }

    /// A view of an `oci-spec` reference, which is held to this crate's stricter grammar.
    ///
    /// # Errors
    /// [`ParseError`] for what `oci-spec` accepts and the kubelet does not (an upper-case digest, say); offsets are
    /// those in the part at fault.
    pub fn from_oci(reference: &'a Reference) -> Result<Self, ParseError> {
        use ParseErrorKind as Kind;
        let registry = reference.registry();
        check_registry(registry, registry.len())?;
        if !looks_like_registry(registry) {
            // Written out, it would be read as the first component of a name on Docker Hub.
            return Err(ParseError::new(Kind::RegistryInvalid, registry, 0));
        }
        let registry = if registry == LEGACY_DOCKER_HUB { DOCKER_HUB } else { registry };
        let path = reference.repository();
        let end = scan_repository(path, 0)?;
        if end != path.len() {
            return Err(ParseError::new(Kind::RepositoryInvalid, path, end));
        }
        let implied_library = registry == DOCKER_HUB && !path.contains('/');
        if path.len() + if implied_library { LIBRARY.len() } else { 0 } > REPOSITORY_MAX {
            return Err(ParseError::new(Kind::RepositoryTooLong, path, 0));
        }
        if let Some(tag) = reference.tag() {
            let end = scan_tag(tag, 0)?;
            if end != tag.len() {
                return Err(ParseError::new(Kind::TagInvalid, tag, end));
            }
        }
        if let Some(digest) = reference.digest() {
            check_digest(digest, 0)?;
        }
        Ok(Self { registry, path, implied_library, tag: reference.tag(), digest: reference.digest() })
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
        self.registry == other.registry
            && self.repository() == other.repository()
            && self.tag == other.tag
            && self.digest == other.digest
    }
}

impl Eq for ImageRef<'_> {}

impl From<ImageRef<'_>> for Reference {
    /// Becomes an `oci-spec` reference. That type has no untagged form: what has neither tag nor digest becomes
    /// `:latest`, as its own parser does it.
    fn from(image: ImageRef<'_>) -> Self {
        let (registry, repository) = (image.registry.to_owned(), image.repository().into_owned());
        match (image.tag, image.digest) {
            (Some(tag), Some(digest)) => {
                Self::with_tag_and_digest(registry, repository, tag.to_owned(), digest.to_owned())
            }
            (None, Some(digest)) => Self::with_digest(registry, repository, digest.to_owned()),
            (tag, None) => Self::with_tag(registry, repository, tag.unwrap_or("latest").to_owned()),
        }
    }
}

/// Whether the part before the first `/` is taken for a registry.
pub(crate) fn looks_like_registry(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|b| matches!(b, b'.' | b':') || b.is_ascii_uppercase())
}

/// Checks that `image[..end]` is a `host[:port]`.
pub(crate) fn check_registry(image: &str, end: usize) -> Result<(), ParseError> {
    let bad = |at| Err(ParseError::new(ParseErrorKind::RegistryInvalid, image, at));
    let bytes = &image.as_bytes()[..end];
    let mut at = 0;
    if bytes.first() == Some(&b'[') {
        at = 1;
        while at < end && (bytes[at].is_ascii_hexdigit() || bytes[at] == b':') {
            at += 1;
        }
        if at == 1 || bytes.get(at) != Some(&b']') {
            return bad(at);
        }
        at += 1;
    } else {
        loop {
            let label = at;
            while at < end && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'-') {
                at += 1;
            }
            if at == label || bytes[label] == b'-' {
                return bad(label);
            }
            if bytes[at - 1] == b'-' {
                return bad(at - 1);
            }
            if bytes.get(at) != Some(&b'.') {
                break;
            }
            at += 1;
        }
    }
    if bytes.get(at) == Some(&b':') {
        at += 1;
        let port = at;
        while at < end && bytes[at].is_ascii_digit() {
            at += 1;
        }
        if at == port {
            return bad(at);
        }
    }
    if at == end { Ok(()) } else { bad(at) }
}

/// Where the repository that starts at `start` ends: at `:`, at `@` or at the end.
pub(crate) fn scan_repository(image: &str, start: usize) -> Result<usize, ParseError> {
    let bytes = image.as_bytes();
    let mut at = start;
    loop {
        let run = at;
        while at < bytes.len() && is_component_byte(bytes[at]) {
            at += 1;
        }
        let next = bytes.get(at).copied();
        if at == run {
            // Nothing may follow a separator but a letter or digit.
            return Err(repository_error(image, at));
        }
        match next {
            None | Some(b':' | b'@') => return Ok(at),
            Some(b'/' | b'.') => at += 1,
            Some(b'_') => at += if bytes.get(at + 1) == Some(&b'_') { 2 } else { 1 },
            Some(b'-') => {
                while bytes.get(at) == Some(&b'-') {
                    at += 1;
                }
            }
            Some(_) => return Err(repository_error(image, at)),
        }
    }
}

#[cold]
fn repository_error(image: &str, at: usize) -> ParseError {
    let upper = image[at..].chars().next().is_some_and(char::is_uppercase);
    let kind = if upper { ParseErrorKind::RepositoryUppercase } else { ParseErrorKind::RepositoryInvalid };
    ParseError::new(kind, image, at)
}

/// Where the tag that starts at `start` ends: at `@` or at the end.
fn scan_tag(image: &str, start: usize) -> Result<usize, ParseError> {
    let bytes = image.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
            b'.' | b'-' if at > start => {}
            b'@' if at > start => break,
            _ => return Err(ParseError::new(ParseErrorKind::TagInvalid, image, at)),
        }
        at += 1;
    }
    match at - start {
        0 => Err(ParseError::new(ParseErrorKind::TagInvalid, image, at)),
        1..=TAG_MAX => Ok(at),
        _ => Err(ParseError::new(ParseErrorKind::TagTooLong, image, start)),
    }
}

/// Checks that `image[start..]` is a digest of an algorithm that registries serve.
fn check_digest(image: &str, start: usize) -> Result<(), ParseError> {
    use ParseErrorKind as Kind;
    let digest = &image[start..];
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return Err(ParseError::new(Kind::DigestInvalid, image, start));
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ if !algorithm.is_empty() && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b)) => {
            return Err(ParseError::new(Kind::DigestUnsupported, image, start));
        }
        _ => return Err(ParseError::new(Kind::DigestInvalid, image, start)),
    };
    let hex_start = start + algorithm.len() + 1;
    if let Some(at) = hex.bytes().position(|b| !is_lower_hex(b)) {
        return Err(ParseError::new(Kind::DigestInvalid, image, hex_start + at));
    }
    if hex.len() != length {
        return Err(ParseError::new(Kind::DigestLength, image, hex_start));
    }
    Ok(())
}

fn is_component_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

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
    fn new(kind: ParseErrorKind, image: &str, offset: usize) -> Self {
        let mut end = image.len().min(FRAGMENT_MAX);
        while !image.is_char_boundary(end) {
            end -= 1;
        }
        let dots = if end < image.len() { "…" } else { "" };
        // Whoever prints the error may be writing to a terminal or a log.
        let fragment = image[..end].escape_debug();
        Self { kind, offset, fragment: format!("{fragment}{dots}").into() }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where, in bytes from the start of the input; at most its length.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// What can be wrong with an image string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The string is empty.
    Empty,
    /// 64 hex digits and nothing else: an image ID, which no registry serves.
    ImageId,
    /// The part before the first `/` looks like a registry but is not a valid `host[:port]`.
    RegistryInvalid,
    /// A character or an empty component that no repository may have.
    RepositoryInvalid,
    /// An upper-case letter in the repository.
    RepositoryUppercase,
    /// More than [`REPOSITORY_MAX`] bytes.
    RepositoryTooLong,
    /// An empty tag, or a character that no tag may have.
    TagInvalid,
    /// More than [`TAG_MAX`] bytes.
    TagTooLong,
    /// Not `algorithm:lower-case-hex`.
    DigestInvalid,
    /// An algorithm other than sha256, sha384 and sha512.
    DigestUnsupported,
    /// Not the number of hex digits that the algorithm has.
    DigestLength,
}

impl ParseErrorKind {
    /// A stable word for programs, such as `tag_invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ImageId => "image_id",
            Self::RegistryInvalid => "registry_invalid",
            Self::RepositoryInvalid => "repository_invalid",
            Self::RepositoryUppercase => "repository_uppercase",
            Self::RepositoryTooLong => "repository_too_long",
            Self::TagInvalid => "tag_invalid",
            Self::TagTooLong => "tag_too_long",
            Self::DigestInvalid => "digest_invalid",
            Self::DigestUnsupported => "digest_unsupported",
            Self::DigestLength => "digest_length",
        }
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty image",
            Self::ImageId => "image ID where a reference is expected:",
            Self::RegistryInvalid => "invalid registry in",
            Self::RepositoryInvalid => "invalid repository in",
            Self::RepositoryUppercase => "upper-case letter in the repository of",
            Self::RepositoryTooLong => "repository of more than 255 bytes in",
            Self::TagInvalid => "invalid tag in",
            Self::TagTooLong => "tag of more than 128 bytes in",
            Self::DigestInvalid => "invalid digest in",
            Self::DigestUnsupported => "unsupported digest algorithm in",
            Self::DigestLength => "digest of the wrong length in",
        })
    }
}
