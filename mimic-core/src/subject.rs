//! An image in the form that rules are matched against.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::host::{docker_hub_alias, without_https_port};
use crate::reference::{DOCKER_HUB, ImageRef};

/// An image in the form that rules are matched against.
pub(crate) struct Subject<'a> {
    image: ImageRef<'a>,
    /// In lower case, without port 443, with an alias replaced.
    registry: Cow<'a, str>,
    /// The host as written, in lower case and without port 443, if it is an alias.
    alias: Option<Box<str>>,
    /// Docker Hub's name in another case, as in `Docker.io`. The kubelet knows it as another host.
    is_lookalike: bool,
    text: OnceCell<String>,
}

impl<'a> Subject<'a> {
    /// `alias_of` returns the registry that a host is an alias of by configuration.
    pub(crate) fn new(image: ImageRef<'a>, alias_of: impl FnOnce(&str) -> Option<&'a str>) -> Self {
        let (mut registry, mut is_lookalike, mut hub) = (Cow::Borrowed(image.registry()), false, None);
        // Most images are of Docker Hub, by its only name that needs no change.
        if image.registry() != DOCKER_HUB {
            let written = without_https_port(image.registry());
            registry = Cow::Borrowed(written);
            if written.bytes().any(|b| b.is_ascii_uppercase()) {
                let lower = written.to_ascii_lowercase();
                is_lookalike = lower == DOCKER_HUB;
                registry = Cow::Owned(lower);
            }
            hub = docker_hub_alias(&registry);
        }
        let mut alias = None;
        if !is_lookalike && let Some(other) = alias_of(hub.unwrap_or(&registry)).or(hub) {
            alias = Some((*registry).into());
            registry = Cow::Borrowed(other);
        }
        Self { image, registry, alias, is_lookalike, text: OnceCell::new() }
    }

    pub(crate) fn image(&self) -> &ImageRef<'a> {
        &self.image
    }

    /// The registry in lower case, without port 443, with an alias replaced.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The registry, if rules can name it.
    pub(crate) fn known_registry(&self) -> Option<&str> {
        (!self.is_lookalike).then_some(&self.registry)
    }

    /// The host as written, in lower case and without port 443, if it is an alias.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.alias.as_deref()
    }

    pub(crate) fn repository_parts(&self) -> (&'static str, &'a str) {
        self.image.repository_parts()
    }

    /// `registry/repository`, built on first use.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let (library, path) = self.repository_parts();
            let registry = self.known_registry().unwrap_or(self.image.registry());
            format!("{registry}/{library}{path}")
        })
    }
}
