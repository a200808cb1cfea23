//! What follows from what the Secret holds: what to serve, what to write, whom to trust, when to look again.
//!
//! Every replica plans by itself, from the same contents; whoever writes first wins, and the others plan anew.

use std::fmt;
use std::time::{Duration, SystemTime};

use openssl::error::ErrorStack;

use super::contents::{self, Contents, Data, Leaf, Reading, Signer};
use crate::certificate::clock::Life;
use crate::certificate::issue::{self, Request};
use crate::certificate::{CertificateError, Pair};

/// The longest time for which everybody must have been seen to trust a new authority before it signs.
const SETTLING: Duration = Duration::from_mins(10);

/// How far back certificates begin, for those whose clock is behind.
const BACKDATING: Duration = Duration::from_mins(5);

/// What certificates are to be like.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) service: String,
    pub(super) namespace: String,
    /// How long the serving certificate is good for.
    pub(super) leaf: Duration,
    /// How long an authority is good for.
    pub(super) authority: Duration,
}

/// What was seen of those who call the webhook: since when they have been told to trust exactly this bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trusted {
    pub(super) bundle: Vec<u8>,
    pub(super) since: SystemTime,
}

/// What to do.
pub(super) struct Plan {
    /// What to serve, or why what is there cannot be served. `None` when there is nothing.
    pub(super) serve: Option<Result<Pair, CertificateError>>,
    /// Whom the callers have to trust; empty when there is nobody yet.
    pub(super) bundle: Vec<u8>,
    /// What the Secret should hold instead.
    pub(super) write: Option<Write>,
    /// What should not be as it is in the Secret.
    pub(super) damage: Vec<String>,
    /// When there will be something to do even if nothing changes.
    pub(super) again: SystemTime,
}

/// A change of the Secret.
pub(super) struct Write {
    pub(super) data: Data,
    pub(super) steps: Vec<Step>,
}

/// A reason to change the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is a new authority, and it signs at once, since there is none to succeed.
    Founded,
    /// There is a new authority, which is to be trusted but does not sign yet.
    Announced,
    /// The new authority signs from now on, and everybody was seen to trust it.
    Promoted,
    /// The same, though that was not seen.
    PromotedUnseen,
    /// There is a new serving certificate.
    Issued,
    /// An authority left because its time is over.
    Retired,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Founded => "an authority is made",
            Self::Announced => "the next authority is made, to be trusted before it signs",
            Self::Promoted => "the next authority signs from now on",
            Self::PromotedUnseen => "the next authority signs from now on, though nobody was seen to trust it",
            Self::Issued => "a serving certificate is issued",
            Self::Retired => "an expired authority is dropped",
        })
    }
}

impl Terms {
    /// How the API server calls the Service.
    pub(super) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    fn names(&self) -> Vec<String> {
        let Self { service, namespace, .. } = self;
        let short = [service.clone(), format!("{service}.{namespace}")];
        short.into_iter().chain([self.host(), format!("{}.cluster.local", self.host())]).collect()
    }

    fn settling(&self) -> Duration {
        (self.authority / 60).min(SETTLING)
    }

    fn new_authority(&self, now: SystemTime) -> Result<Signer, ErrorStack> {
        let from = now - BACKDATING.min(self.authority / 10);
        let request = Request { common_name: "mimic CA", names: Vec::new(), from, until: now + self.authority };
        let (certificate, key) = issue::authority(&request)?;
        Ok(Signer { life: Life::of(&certificate)?, certificate, key })
    }

    fn new_leaf(&self, signer: &Signer, now: SystemTime) -> Result<Leaf, CertificateError> {
        let from = (now - BACKDATING.min(self.leaf / 10)).max(signer.life.from);
        // Nothing outlives its authority.
        let until = (now + self.leaf).min(signer.life.until);
        let request = Request { common_name: "mimic", names: self.names(), from, until };
        let (certificate, key) = issue::signed(&request, &signer.certificate, &signer.key)?;
        Ok(Leaf { life: Life::of(&certificate)?, pair: Pair::new(vec![certificate], key, now)? })
    }
}

/// Plans. The clock is that of `now`.
pub(super) fn plan(
    data: &Data,
    trusted: Option<&Trusted>,
    terms: &Terms,
    now: SystemTime,
) -> Result<Plan, CertificateError> {
    let Reading { contents, unusable, damage, outdated } = contents::read(data, &terms.host(), now)?;
    let bundle = contents.bundle()?;
    if let Some(CertificateError::NotYetValid { .. }) = unusable {
        // Made by a replica whose clock is ahead of this one's. Two that cannot agree on the time must not take turns
        // in replacing each other's certificates.
        let again = now + terms.settling();
        return Ok(Plan { serve: unusable.map(Err), bundle, write: None, damage, again });
    }
    let seen = trusted.filter(|trusted| trusted.bundle == bundle).map(|trusted| trusted.since + terms.settling());
    let serve = contents.leaf.as_ref().map(|leaf| Ok(leaf.pair.clone())).or(unusable.map(Err));
    let again = next_event(&contents, seen, now).unwrap_or(now + terms.settling());

    let mut steps = Vec::new();
    if outdated {
        steps.push(Step::Retired);
    }
    let fresh = advance(contents, seen, terms, now, &mut steps)?;
    let write = if steps.is_empty() { None } else { Some(Write { data: fresh.to_data()?, steps }) };
    Ok(Plan { serve, bundle, write, damage, again })
}

/// Takes every step that is due. `seen` is when everybody will have trusted these contents' bundle for long enough.
fn advance(
    mut contents: Contents,
    seen: Option<SystemTime>,
    terms: &Terms,
    now: SystemTime,
    steps: &mut Vec<Step>,
) -> Result<Contents, CertificateError> {
    // With neither of the two, nothing that is trusted is lost by starting over.
    let is_bare = contents.signing.is_none() && contents.leaf.as_ref().is_none_or(|leaf| is_due(leaf, now));
    let mut promoted = None;
    match contents.next.take() {
        Some(next) if seen.is_some_and(|seen| seen <= now) => promoted = Some((next, Step::Promoted)),
        Some(next) if is_bare || unseen_promotion(&next) <= now => promoted = Some((next, Step::PromotedUnseen)),
        Some(next) => contents.next = Some(next),
        None if contents.signing.as_ref().is_none_or(|signing| succession(signing) <= now) => {
            let next = terms.new_authority(now)?;
            contents.authorities.push(next.certificate.clone());
            if is_bare {
                promoted = Some((next, Step::Founded));
            } else {
                contents.next = Some(next);
                steps.push(Step::Announced);
            }
        }
        None => {}
    }
    if let Some((next, step)) = promoted {
        contents.signing = Some(next);
        steps.push(step);
    }
    if let Some(signing) = &contents.signing {
        let is_wanting = contents.leaf.as_ref().is_none_or(|leaf| {
            // One that lives as long as its authority cannot be had for longer.
            let gains = leaf.life.until < signing.life.until;
            !signing.has_issued(leaf.pair.leaf()) || (is_due(leaf, now) && gains)
        });
        if is_wanting {
            contents.leaf = Some(terms.new_leaf(signing, now)?);
            steps.push(Step::Issued);
        }
    }
    Ok(contents)
}

/// The next moment at which something is due, unless all of them are past.
fn next_event(contents: &Contents, seen: Option<SystemTime>, now: SystemTime) -> Option<SystemTime> {
    let leaf = contents.leaf.iter().flat_map(|leaf| [renewal(leaf), leaf.life.until]);
    let signing = contents.signing.iter().flat_map(|signing| [succession(signing), signing.life.until]);
    let next = contents.next.iter().flat_map(|next| [Some(unseen_promotion(next)), seen]).flatten();
    leaf.chain(signing).chain(next).filter(|moment| *moment > now).min()
}

/// When a leaf is replaced: at two thirds of its life.
fn renewal(leaf: &Leaf) -> SystemTime {
    leaf.life.after(2, 3)
}

fn is_due(leaf: &Leaf, now: SystemTime) -> bool {
    renewal(leaf) <= now
}

/// When an authority gets a successor: at two thirds of its life.
fn succession(signing: &Signer) -> SystemTime {
    signing.life.after(2, 3)
}

/// When a new authority signs even though nobody was seen to trust it: callers that Mimic does not see have had a quarter
/// of its life to hear of it, and the old one has a twelfth left.
fn unseen_promotion(next: &Signer) -> SystemTime {
    next.life.after(1, 4)
}

#[cfg(test)]
mod tests;
