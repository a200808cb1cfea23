//! When a replica writes the policy.

use std::time::Duration;

use mimic_k8s::cluster::PolicyState;

/// How long a policy can have the rules of another replica before this one replaces them. Longer than sources such as Harbor
/// need until every replica has polled them.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);

/// What to do with the stored policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: it is up to date.
    Done,
    /// It belongs to another tool.
    Refuse,
    /// Another replica has other rules, which may be newer. Look again after this time.
    Wait(Duration),
    /// Write it.
    Write,
    /// Write it, because another client did this to it.
    Restore(&'static str),
}

/// What this replica knows, besides the stored policy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Knowledge {
    /// Whether its rules changed since it last saw a policy with them. New rules win over the stored ones.
    pub(super) has_news: bool,
    /// Whether it has seen a policy of Mimic that has not been deleted, as far as it knows.
    pub(super) was_stored: bool,
    /// Whether the stored object is one that Mimic has written.
    pub(super) is_known: bool,
    /// How long the policy has had other rules.
    pub(super) differs_for: Duration,
}

/// There is no leader: replicas with the same rules want the same policy, and the first write wins. Rules can differ for as
/// long as one replica has seen a change and the other has not. A replica then writes only what is new to it, so that the one
/// that is behind does not undo the change.
pub(super) fn step(state: PolicyState, knowledge: Knowledge) -> Step {
    match state {
        PolicyState::UpToDate => Step::Done,
        PolicyState::Absent if knowledge.was_stored => Step::Restore("deleted"),
        PolicyState::Absent | PolicyState::OtherOwner => Step::Write,
        PolicyState::Foreign if !knowledge.is_known => Step::Refuse,
        PolicyState::Foreign | PolicyState::Modified => Step::Restore("changed"),
        PolicyState::OtherContent if knowledge.has_news || knowledge.differs_for >= PATIENCE => Step::Write,
        PolicyState::OtherContent => Step::Wait(PATIENCE.saturating_sub(knowledge.differs_for)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_another_replica_are_replaced_only_by_new_ones_or_after_a_while() {
        let with = |has_news, seconds| {
            let differs_for = Duration::from_secs(seconds);
            step(PolicyState::OtherContent, Knowledge { has_news, differs_for, ..Knowledge::default() })
        };
        assert_eq!(with(true, 0), Step::Write);
        assert_eq!(with(false, 0), Step::Wait(Duration::from_mins(10)));
        assert_eq!(with(false, 599), Step::Wait(Duration::from_secs(1)));
        assert_eq!(with(false, 600), Step::Write);
    }

    #[test]
    fn changes_of_other_clients_are_reverted_at_once() {
        let seen = Knowledge { was_stored: true, is_known: true, ..Knowledge::default() };
        assert_eq!(step(PolicyState::Modified, Knowledge::default()), Step::Restore("changed"));
        assert_eq!(step(PolicyState::Foreign, seen), Step::Restore("changed"), "without the annotations");
        assert_eq!(step(PolicyState::Absent, seen), Step::Restore("deleted"));
    }

    #[test]
    fn a_policy_of_another_tool_is_not_replaced() {
        assert_eq!(step(PolicyState::Foreign, Knowledge { has_news: true, ..Knowledge::default() }), Step::Refuse);
    }

    #[test]
    fn what_is_up_to_date_is_not_written() {
        let longest = Knowledge { has_news: true, was_stored: true, is_known: true, differs_for: PATIENCE };
        assert_eq!(step(PolicyState::UpToDate, longest), Step::Done);
        assert_eq!(step(PolicyState::Absent, Knowledge::default()), Step::Write);
        assert_eq!(step(PolicyState::OtherOwner, Knowledge::default()), Step::Write);
    }
}
