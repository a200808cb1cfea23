//! An image in the form that rules are matched against.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::reference::{DOCKER_HUB, ImageRef};

/// An image in the form that rules are matched against.
pub(crate) struct Subject<'a> {
    image: ImageRef<'a>,
    /// In lower case, because host names are case-insensitive.
    registry: Cow<'a, str>,
    text: OnceCell<String>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(image: ImageRef<'a>) -> Self {
        let mut registry = Cow::Borrowed(image.registry());
        if registry.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = registry.to_ascii_lowercase();
            // The kubelet compares Docker Hub's name with case: `Docker.io` is another host.
            if lower != DOCKER_HUB {
                registry = Cow::Owned(lower);
            }
        }
        Self { image, registry, text: OnceCell::new() }
    }

    pub(crate) fn image(&self) -> &ImageRef<'a> {
        &self.image
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn repository_parts(&self) -> (&'static str, &'a str) {
        self.image.repository_parts()
    }

    /// `registry/repository`, built on first use.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let (library, path) = self.repository_parts();
            format!("{}/{library}{path}", self.registry)
        })
    }
}
