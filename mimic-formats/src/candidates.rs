//! A runtime's list of tries, of which Mimic uses the first that accepts the reference.

use mimic_core::{MirrorSpec, Problem, References};

use crate::report::Report;

/// One try of a runtime.
pub(crate) struct Candidate {
    /// As written, for messages.
    pub(crate) written: String,
    pub(crate) line: usize,
    pub(crate) references: References,
    pub(crate) place: Place,
}

/// Where a try goes.
pub(crate) enum Place {
    /// To what the reference names.
    Upstream,
    /// To this image prefix.
    Mirror(String),
}

/// The mirrors before the upstream. Warns about those that a runtime tries and Mimic does not.
pub(crate) fn choose(file: &str, candidates: Vec<Candidate>, report: &mut Report) -> Vec<MirrorSpec> {
    let (mut mirrors, mut open, mut upstream_at) = (Vec::new(), BOTH, None);
    for Candidate { written, line, references, place } in candidates {
        let Place::Mirror(location) = place else {
            upstream_at.get_or_insert(line);
            continue;
        };
        let warning = |message: &str| Problem::new(file, format!("`{written}` {message}")).at_line(line);
        if upstream_at.is_some() {
            report.warn(warning("is tried after the upstream; not imported, as Mimic tries one location"));
            continue;
        }
        if open & kinds(references) == 0 {
            report.warn(warning("is tried if a mirror before it fails; Mimic uses the first one for every image"));
        }
        open &= !kinds(references);
        mirrors.push(MirrorSpec { location, references });
    }
    mirrors
}

const TAG: u8 = 1;
pub(crate) const DIGEST: u8 = 2;
/// Sets of types of reference.
pub(crate) const BOTH: u8 = TAG | DIGEST;

/// The types that are accepted, as a set.
pub(crate) fn kinds(references: References) -> u8 {
    match references {
        References::Any => BOTH,
        References::Tag => TAG,
        References::Digest => DIGEST,
    }
}

/// The types of reference that no mirror accepts.
pub(crate) fn left_out(mirrors: &[MirrorSpec]) -> Option<References> {
    references(mirrors.iter().fold(BOTH, |open, mirror| open & !kinds(mirror.references)))
}

/// What accepts a set of types; `None` for the empty set.
pub(crate) fn references(kinds: u8) -> Option<References> {
    match kinds {
        0 => None,
        TAG => Some(References::Tag),
        DIGEST => Some(References::Digest),
        _ => Some(References::Any),
    }
}
