//! The compiled rules as data, for a translation into another language.

use crate::image_globs::ImageGlobs;
use crate::location::{Claim, Location};
use crate::outcome::RuleRef;
use crate::rewriter::Rewriter;
use crate::rule_index::RuleIndex;

/// The compiled rules as data. All lists are sorted, so equal rules give equal data.
///
/// An image is looked up by its registry in lower case, without port 443, and with an [alias](Self::aliases) replaced.
/// First, it is unchanged if an entry that matches it [is a location](Entry::is_location), or if it begins with a
/// [stem](Self::stems). Then the rules that match are tried: those of the longest prefix, of shorter ones, of the longest
/// domain, of shorter ones, with a [pattern](Self::patterns), and [for every registry](Self::all). Of the rules that
/// apply, the first one with the highest priority is selected.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(&'a RuleIndex);

/// A registry, a path in it or a domain that rules or locations name.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The name.
    pub key: EntryKey<'a>,
    /// The rules in the order in which they are tried.
    pub rules: Vec<RuleRef<'a>>,
    /// Whether that order is another one for images that name port 443.
    pub depends_on_port: bool,
    /// Whether images that match are on a mirror.
    pub is_location: bool,
}

/// What an [`Entry`] matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKey<'a> {
    /// A registry, or the first components of repositories in it.
    Prefix {
        /// `host[:port]`.
        registry: &'a str,
        /// Empty for the whole registry.
        path: &'a str,
    },
    /// Registries whose name ends with a text. It begins with a dot.
    Domain {
        /// The text. It includes the port, if a port is named.
        domain: &'a str,
        /// Whether the registry's port is ignored. Of two entries with the same domain, this is the less specific one.
        any_port: bool,
    },
}

/// The fixed part of a location. What begins with it is on a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fixed<'a> {
    /// A registry, or whole components of repositories in it: `registry/path`.
    Prefix(&'a str),
    /// A text that ends inside a component.
    Stem(&'a str),
    /// The end of a registry's name, with its leading dot.
    Domain(&'a str),
}

/// A glob over images, as regular expressions in the syntax of the crate `regex`. All parts must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageExpression {
    /// One of them must match the whole normalised `registry/repository`.
    pub names: Vec<String>,
    /// Must match the whole tag, which is `latest` for an image without tag and digest; `None` for any or none.
    pub tag: Option<String>,
    /// Must match the whole digest; `None` for any or none.
    pub digest: Option<String>,
}

impl Rewriter {
    /// The compiled rules as data. Requires the feature `table`.
    pub fn table(&self) -> Table<'_> {
        Table(&self.index)
    }
}

impl<'a> Table<'a> {
    /// Hosts in lower case that mean another registry, with that registry: those of the configuration, and Docker Hub's.
    pub fn aliases(&self) -> Vec<(&'a str, &'a str)> {
        self.0.all_aliases()
    }

    /// What has rules or locations by registry and path, or by domain.
    pub fn entries(&self) -> Vec<Entry<'a>> {
        self.0.entries()
    }

    /// Locations that end inside a component, as registry and beginning of the repository.
    pub fn stems(&self) -> Vec<(&'a str, &'a str)> {
        self.0.all_stems()
    }

    /// Rules with a pattern, in the order in which they are tried.
    pub fn patterns(&self) -> Vec<RuleRef<'a>> {
        self.0.pattern_rules()
    }

    /// Rules for every registry, in the order in which they are tried.
    pub fn all(&self) -> Vec<RuleRef<'a>> {
        self.0.rules_for_all()
    }

    /// Number of rules, without aliases.
    pub fn rules(&self) -> usize {
        self.0.len() - self.0.alias_rules()
    }
}

impl RuleRef<'_> {
    /// Its index among all rules of the rewriter, in order of precedence. Requires the feature `table`.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Location {
    /// The fixed part, as images begin with it. Requires the feature `table`.
    pub fn fixed(&self) -> Fixed<'_> {
        match (self.claim(), self.fixed_text()) {
            (Claim::Domain(domain), _) => Fixed::Domain(domain),
            (Claim::Stem { .. }, text) => Fixed::Stem(text),
            (Claim::Prefix { .. }, text) => Fixed::Prefix(text),
        }
    }
}

impl ImageGlobs {
    /// The globs as regular expressions.
    pub(crate) fn expressions(&self) -> Vec<ImageExpression> {
        let names = self.name_expressions();
        let parts = self.part_expressions();
        let of = |entry| names.iter().filter(move |(of, _)| *of == entry).map(|(_, text)| text.clone()).collect();
        parts.enumerate().map(|(entry, (tag, digest))| ImageExpression { names: of(entry), tag, digest }).collect()
    }
}
