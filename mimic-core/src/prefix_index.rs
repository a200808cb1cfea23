//! The rules and locations of one registry, by prefix of the repository.

use std::collections::HashMap;
use std::ops::Deref;

use foldhash::fast::FixedState;

use crate::grammar::REPOSITORY_MAX;
use crate::work::{LOOKUP, Work};

/// The hash needs no random seed, because all keys come from the configuration.
pub(crate) type Map<T> = HashMap<Box<[u8]>, T, FixedState>;

/// A registry and the prefixes in it that are upstreams or locations.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) whole: PrefixEntry,
    pub(crate) paths: Map<PrefixEntry>,
    /// Length of the longest of `paths`, in bytes.
    pub(crate) longest: usize,
    pub(crate) has_locations: bool,
}

/// One prefix. There can be tens of thousands, so they are small.
#[derive(Debug, Default)]
pub(crate) struct PrefixEntry {
    /// Rules with this upstream, in order of precedence; also those for one component of Docker Hub, in the entry of the
    /// official image.
    pub(crate) rules: RuleIds,
    /// The location at this prefix.
    pub(crate) location: Option<LocationId>,
}

/// Rules of one prefix. Most prefixes have exactly one.
#[derive(Debug, Default)]
pub(crate) enum RuleIds {
    #[default]
    None,
    One(RuleId),
    Several(Vec<RuleId>),
}

/// A location: the rule and its mirror.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocationId {
    pub(crate) rule: RuleId,
    pub(crate) mirror: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RuleId {
    pub(crate) list: u32,
    pub(crate) rule: u32,
}

impl RuleIds {
    pub(crate) fn push(&mut self, id: RuleId) {
        match self {
            Self::None => *self = Self::One(id),
            Self::One(first) => *self = Self::Several(vec![*first, id]),
            Self::Several(ids) => ids.push(id),
        }
    }
}

impl Deref for RuleIds {
    type Target = [RuleId];

    fn deref(&self) -> &[RuleId] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
        }
    }
}

impl Registry {
    /// The entry of this prefix of a repository. An empty one is the whole registry.
    pub(crate) fn entry(&mut self, prefix: &str) -> &mut PrefixEntry {
        if prefix.is_empty() {
            return &mut self.whole;
        }
        self.longest = self.longest.max(prefix.len());
        self.paths.entry(prefix.as_bytes().into()).or_default()
    }

    /// The longest prefix of a repository, which is given in two parts, that `wanted` accepts.
    pub(crate) fn prefixes<'t>(
        &'t self,
        (library, path): (&str, &str),
        work: &Work,
        mut wanted: impl FnMut(&'t PrefixEntry) -> bool,
    ) -> Option<&'t PrefixEntry> {
        if !self.paths.is_empty() {
            let mut buffer = [0; REPOSITORY_MAX];
            let repository = if library.is_empty() {
                path.as_bytes()
            } else {
                let length = library.len() + path.len();
                buffer[..library.len()].copy_from_slice(library.as_bytes());
                buffer[library.len()..length].copy_from_slice(path.as_bytes());
                &buffer[..length]
            };
            let mut end = Some(repository.len());
            while let Some(length) = end {
                let prefix = &repository[..length];
                if length <= self.longest {
                    work.spend(LOOKUP);
                    if let Some(entry) = self.paths.get(prefix)
                        && wanted(entry)
                    {
                        return Some(entry);
                    }
                }
                end = prefix.iter().rposition(|&b| b == b'/');
            }
        }
        wanted(&self.whole).then_some(&self.whole)
    }
}
