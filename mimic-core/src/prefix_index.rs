//! The rules and locations of one registry, by prefix of the repository.

use std::collections::HashMap;
use std::ops::Deref;

use foldhash::fast::FixedState;

use crate::grammar::REPOSITORY_MAX;
use crate::reference::LIBRARY;

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
    /// On Docker Hub: whether the upstream of a rule has one component, so that it is also an official image.
    pub(crate) has_official: bool,
}

/// One prefix. There can be tens of thousands, so they are small.
#[derive(Debug, Default)]
pub(crate) struct PrefixEntry {
    /// Rules with this upstream, in order of precedence.
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
    /// The longest prefix that `wanted` accepts.
    pub(crate) fn prefixes<'t>(
        &'t self,
        parts: (&str, &str),
        mut wanted: impl FnMut(&'t PrefixEntry) -> bool,
    ) -> Option<&'t PrefixEntry> {
        let mut found = None;
        let is_over = self.each_prefix(parts, |prefix| {
            if prefix.len() <= self.longest
                && let Some(entry) = self.paths.get(prefix)
                && wanted(entry)
            {
                found = Some(entry);
                return true;
            }
            false
        });
        if is_over || !wanted(&self.whole) { found } else { Some(&self.whole) }
    }

    /// As [`prefixes`](Self::prefixes), for an official image of Docker Hub: passes the rules of each prefix with those
    /// of the name alone, as `redis` for `library/redis`.
    #[cold]
    pub(crate) fn with_official(&self, parts: (&str, &str), mut among: impl FnMut(Vec<RuleId>) -> bool) -> bool {
        let rules = |path: &[u8]| self.paths.get(path).map_or(&[][..], |entry| &*entry.rules);
        let mut of_prefix = |prefix: &[u8]| {
            let name = prefix.strip_prefix(LIBRARY.as_bytes()).filter(|name| !name.contains(&b'/'));
            among([rules(prefix), name.map_or(&[], rules)].concat())
        };
        self.each_prefix(parts, &mut of_prefix) || among(self.whole.rules.to_vec())
    }

    /// Calls `wanted` with the repository and its prefixes, the longest first, until it returns true.
    fn each_prefix(&self, (library, path): (&str, &str), mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
        if self.paths.is_empty() {
            return false;
        }
        let mut buffer = [0; REPOSITORY_MAX];
        let repository = if library.is_empty() {
            path.as_bytes()
        } else {
            let length = library.len() + path.len();
            buffer[..library.len()].copy_from_slice(library.as_bytes());
            buffer[library.len()..length].copy_from_slice(path.as_bytes());
            &buffer[..length]
        };
        let mut end = repository.len();
        loop {
            if wanted(&repository[..end]) {
                return true;
            }
            match repository[..end].iter().rposition(|&b| b == b'/') {
                Some(slash) => end = slash,
                None => return false,
            }
        }
    }
}
