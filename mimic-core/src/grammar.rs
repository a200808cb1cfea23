//! The grammar of image references, part by part.

use crate::parse_error::{ParseError, ParseErrorKind};

/// Longest repository, in bytes, `library/` included
/// ([`RepositoryNameTotalLengthMax`](https://pkg.go.dev/github.com/distribution/reference#pkg-constants)).
pub const REPOSITORY_MAX: usize = 255;
/// Longest tag, in bytes ([the grammar](https://pkg.go.dev/github.com/distribution/reference#pkg-overview)).
pub const TAG_MAX: usize = 128;

/// Whether the part before the first `/` is parsed as a registry.
pub(crate) fn looks_like_registry(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|b| matches!(b, b'.' | b':') || b.is_ascii_uppercase())
}

/// Whether a text is a `host[:port]`.
pub(crate) fn is_registry(text: &str) -> bool {
    check_registry(text, text.len()).is_ok()
}

/// Whether a text is a repository, or its first components.
pub(crate) fn is_repository(text: &str) -> bool {
    text.len() <= REPOSITORY_MAX && scan_repository(text, 0) == Ok(text.len())
}

/// Checks that `image[..end]` is a `host[:port]`.
pub(crate) fn check_registry(image: &str, end: usize) -> Result<(), ParseError> {
    let bad = |at| Err(registry_error(image, end, at));
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

#[cold]
fn registry_error(image: &str, end: usize, at: usize) -> ParseError {
    // Of `docker://nginx`, the part before the first slash is `docker:`.
    let is_scheme = image[..end].ends_with(':') && image[end..].starts_with("//");
    if is_scheme {
        ParseError::new(ParseErrorKind::Scheme, image, 0)
    } else {
        ParseError::new(ParseErrorKind::RegistryInvalid, image, at)
    }
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
            // A separator must be followed by a letter or digit.
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
pub(crate) fn scan_tag(image: &str, start: usize) -> Result<usize, ParseError> {
    let bytes = image.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
            b'.' | b'-' if at > start => {}
            b'@' => break,
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

/// Checks that `image[start..]` is a digest with an algorithm that registries support.
pub(crate) fn check_digest(image: &str, start: usize) -> Result<(), ParseError> {
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
        return Err(ParseError::new(Kind::DigestLength { found: hex.len(), expected: length }, image, hex_start));
    }
    Ok(())
}

fn is_component_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

pub(crate) fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
