//! Conversions from and to the references of the crate `oci-spec`.

use oci_spec::distribution::Reference;

use crate::grammar::{check_digest, check_registry, looks_like_registry, scan_repository, scan_tag};
use crate::parse_error::{ParseError, ParseErrorKind};
use crate::reference::{ImageRef, canonical_registry, implied_library};

impl<'a> ImageRef<'a> {
    /// A view of a reference of the crate `oci-spec`. Requires the feature `oci`.
    ///
    /// # Errors
    /// [`ParseError`] for what `oci-spec` accepts and the kubelet does not, such as an upper-case digest. The offset is
    /// in the part that is not valid.
    pub fn from_oci(reference: &'a Reference) -> Result<Self, ParseError> {
        use ParseErrorKind as Kind;
        let registry = reference.registry();
        check_registry(registry, registry.len())?;
        if !looks_like_registry(registry) {
            // As a string it would parse as the first component of a repository on Docker Hub.
            return Err(ParseError::new(Kind::RegistryInvalid, registry, 0));
        }
        let registry = canonical_registry(registry);
        let path = reference.repository();
        let end = scan_repository(path, 0)?;
        if end != path.len() {
            return Err(ParseError::new(Kind::RepositoryInvalid, path, end));
        }
        let Some(implied_library) = implied_library(registry, path) else {
            return Err(ParseError::new(Kind::RepositoryTooLong, path, 0));
        };
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

impl From<ImageRef<'_>> for Reference {
    /// Converts to a reference of `oci-spec`, which has no form without tag and digest: it gets the tag `latest`, as
    /// that crate's own parser adds it.
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
