//! Decides when the certificate and the CA are renewed. From the contents of the Secret it plans what to serve, what to
//! write, which CAs to trust, and when to plan again.
//!
//! Every replica plans independently from the same contents. The first write wins; the other replicas plan again.

use std::fmt;
use std::time::SystemTime;

use super::contents::{self, Contents, Data, Leaf, Reading, Signer};
use super::policy::CertificatePolicy;
use crate::certificate::error::CertificateError;
use crate::certificate::pair::Pair;

/// The bundle that was seen in the webhook configuration, and since when it has been there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trusted {
    pub(super) bundle: Vec<u8>,
    pub(super) since: SystemTime,
}

/// What to do.
pub(super) struct Plan {
    /// The pair to serve, or why the stored one cannot be served. `None` when none is stored.
    pub(super) serve: Option<Result<Pair, CertificateError>>,
    /// The CAs that the API server must trust; empty when none exist yet.
    pub(super) bundle: Vec<u8>,
    /// The new contents of the Secret.
    pub(super) write: Option<Write>,
    /// Invalid data in the Secret.
    pub(super) damage: Vec<String>,
    /// When to plan again even if nothing changes.
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
    /// A CA was created and signs at once, since no other CA exists.
    Founded,
    /// The next CA was created. It is trusted and does not sign yet.
    Announced,
    /// The next CA signs from now on; it was seen in caBundle for long enough.
    Promoted,
    /// The next CA signs from now on, although it was not seen in caBundle.
    PromotedUnseen,
    /// A serving certificate was issued.
    Issued,
    /// An expired CA was removed.
    Retired,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Founded => "created CA",
            Self::Announced => "created next CA (trusted, not signing yet)",
            Self::Promoted => "switched to next CA",
            Self::PromotedUnseen => "switched to next CA without confirming that it is in caBundle",
            Self::Issued => "issued serving certificate",
            Self::Retired => "removed expired CA",
        })
    }
}

/// Plans for the time `now`.
pub(super) fn plan(
    data: &Data,
    trusted: Option<&Trusted>,
    policy: &CertificatePolicy,
    now: SystemTime,
) -> Result<Plan, CertificateError> {
    let Reading { contents, unusable, damage, outdated } = contents::read(data, &policy.host(), now)?;
    let bundle = contents.bundle()?;
    if let Some(CertificateError::NotYetValid { .. }) = unusable {
        // Issued by a replica whose clock is ahead. Replicas that disagree on the time must not replace each other's
        // certificates in turns.
        let again = now + policy.propagation();
        return Ok(Plan { serve: unusable.map(Err), bundle, write: None, damage, again });
    }
    let seen = trusted.filter(|trusted| trusted.bundle == bundle).map(|trusted| trusted.since + policy.propagation());
    let serve = contents.leaf.as_ref().map(|leaf| Ok(leaf.pair.clone())).or(unusable.map(Err));
    let again = next_event(&contents, seen, now).unwrap_or(now + policy.propagation());

    let mut steps = Vec::new();
    if outdated {
        steps.push(Step::Retired);
    }
    let advanced = advance(contents, seen, policy, now, &mut steps)?;
    let write = if steps.is_empty() { None } else { Some(Write { data: advanced.to_data()?, steps }) };
    Ok(Plan { serve, bundle, write, damage, again })
}

/// Takes every step that is due. `seen` is when the bundle of these contents will have been in caBundle for long enough.
fn advance(
    mut contents: Contents,
    seen: Option<SystemTime>,
    policy: &CertificatePolicy,
    now: SystemTime,
    steps: &mut Vec<Step>,
) -> Result<Contents, CertificateError> {
    // Without a signing CA and without a leaf that stays valid for a while, a new CA can sign at once: no trust is lost.
    let is_bare = contents.signing.is_none() && contents.leaf.as_ref().is_none_or(|leaf| is_due(leaf, now));
    let mut promoted = None;
    match contents.next.take() {
        Some(next) if seen.is_some_and(|seen| seen <= now) => promoted = Some((next, Step::Promoted)),
        Some(next) if is_bare || unseen_promotion(&next) <= now => promoted = Some((next, Step::PromotedUnseen)),
        Some(next) => contents.next = Some(next),
        None if contents.signing.as_ref().is_none_or(|signing| succession(signing) <= now) => {
            let next = policy.new_ca(now)?;
            contents.cas.push(next.certificate.clone());
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
        let needs_leaf = contents.leaf.as_ref().is_none_or(|leaf| {
            // A leaf that ends with its CA cannot be extended by the same CA.
            let can_be_extended = leaf.validity.until < signing.validity.until;
            !signing.has_issued(leaf.pair.leaf()) || (is_due(leaf, now) && can_be_extended)
        });
        if needs_leaf {
            contents.leaf = Some(policy.new_leaf(signing, now)?);
            steps.push(Step::Issued);
        }
    }
    Ok(contents)
}

/// The next moment at which a step becomes due, unless all are past.
fn next_event(contents: &Contents, seen: Option<SystemTime>, now: SystemTime) -> Option<SystemTime> {
    let leaf = contents.leaf.iter().flat_map(|leaf| [renewal(leaf), leaf.validity.until]);
    let signing = contents.signing.iter().flat_map(|signing| [succession(signing), signing.validity.until]);
    let next = contents.next.iter().flat_map(|next| [Some(unseen_promotion(next)), seen]).flatten();
    leaf.chain(signing).chain(next).filter(|moment| *moment > now).min()
}

/// When a leaf is renewed: after two thirds of its lifetime.
fn renewal(leaf: &Leaf) -> SystemTime {
    leaf.validity.after(2, 3)
}

fn is_due(leaf: &Leaf, now: SystemTime) -> bool {
    renewal(leaf) <= now
}

/// When the next CA is created: after two thirds of the signing CA's lifetime.
fn succession(signing: &Signer) -> SystemTime {
    signing.validity.after(2, 3)
}

/// When the next CA signs even though it was not seen in caBundle. Clients that Mimic cannot see have had a quarter of
/// its lifetime to trust it, and the old CA has a twelfth of its lifetime left.
fn unseen_promotion(next: &Signer) -> SystemTime {
    next.validity.after(1, 4)
}

#[cfg(test)]
mod tests;
