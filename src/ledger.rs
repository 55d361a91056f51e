//! The ledger: what became of every event, by project and hour of receipt.
//!
//! Two sums hold in it: received = accepted + duplicate + rejected + limited + refused, and stored = accepted − purged −
//! deleted − in spool − quarantined. What is accepted, purged, deleted and quarantined is written by the transactions that
//! do it, so that it is exact however a process ends. The rest is counted in memory ([`Tally`]) and written once a second.

mod account;
mod tally;

pub use account::Account;
pub use tally::{Counted, MAX_HELD, Tally};

use crate::timestamp::Timestamp;

/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Days that the ledger is kept: more than anything in it can be stored for.
pub const KEPT_DAYS: i64 = 92;
/// The project of what was refused before a project was known.
pub const NO_PROJECT: i64 = 0;

/// What a number in the ledger counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Events of batches that were read and whose fate is known; from memory.
    Read,
    /// Those of them that a writer saw committed; from memory, beside [`Kind::Accepted`].
    Committed,
    /// Events in blocks that were folded, or that left the spool without coming into one.
    Accepted,
    /// Events of batches that were stored before.
    Duplicate,
    /// Events refused one by one, by reason.
    Rejected,
    /// Events over their project's limit, by reason.
    Limited,
    /// Events of batches that could not be stored, by reason.
    Refused,
    /// Requests refused before their events were counted, by reason.
    Requests,
    /// Events deleted by retention, or by a purge up to a time.
    Purged,
    /// Events deleted for another reason.
    Deleted,
    /// Events set aside because the database refuses them.
    Quarantined,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Read,
        Self::Committed,
        Self::Accepted,
        Self::Duplicate,
        Self::Rejected,
        Self::Limited,
        Self::Refused,
        Self::Requests,
        Self::Purged,
        Self::Deleted,
        Self::Quarantined,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Committed => "committed",
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Requests => "requests",
            Self::Purged => "purged",
            Self::Deleted => "deleted",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A kind with its reason: a stable code of ours, empty where the kind says all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// What is counted.
    pub kind: Kind,
    /// Why.
    pub reason: &'static str,
}

impl Entry {
    /// Events in folded blocks.
    pub const ACCEPTED: Self = Self::of(Kind::Accepted);
    /// Events whose batch was stored before.
    pub const DUPLICATE: Self = Self::of(Kind::Duplicate);
    /// Events a writer saw committed.
    pub const COMMITTED: Self = Self::of(Kind::Committed);
    /// Events of batches whose fate is known.
    pub const READ: Self = Self::of(Kind::Read);
    /// Events that retention or an admin's purge took.
    pub const PURGED: Self = Self::of(Kind::Purged);
    /// Events in quarantine.
    pub const QUARANTINED: Self = Self::of(Kind::Quarantined);
    /// Events that went with their project.
    pub const DELETED_PROJECT: Self = Self::with(Kind::Deleted, "project");
    /// Events an admin deleted by a filter.
    pub const DELETED_FILTER: Self = Self::with(Kind::Deleted, "filter");
    /// Events an admin discarded from quarantine.
    pub const DELETED_QUARANTINE: Self = Self::with(Kind::Deleted, "quarantine");
    /// Events whose key was revoked while they were in the spool.
    pub const DELETED_KEY_REVOKED: Self = Self::with(Kind::Deleted, "key_revoked");
    /// Events the spool's file could not give back.
    pub const DELETED_DAMAGED: Self = Self::with(Kind::Deleted, "spool_damaged");

    /// A kind that needs no reason.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self { kind, reason: "" }
    }

    /// A kind and its reason: small letters and `_`, at most 40 of them.
    #[must_use]
    pub const fn with(kind: Kind, reason: &'static str) -> Self {
        Self { kind, reason }
    }

    /// As it is stored: `kind` or `kind:reason`.
    #[must_use]
    pub fn name(self) -> String {
        let kind = self.kind.name();
        if self.reason.is_empty() { kind.to_owned() } else { format!("{kind}:{}", self.reason) }
    }

    /// Kind and reason of a stored name; `None` for what this version doesn't know.
    #[must_use]
    pub fn parse(name: &str) -> Option<(Kind, &str)> {
        let (kind, reason) = name.split_once(':').unwrap_or((name, ""));
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        Some((kind, reason))
    }
}

/// Something to add to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The project, or [`NO_PROJECT`].
    pub project_id: i64,
    /// Start of the hour of receipt, in epoch seconds.
    pub hour: i64,
    /// What it counts.
    pub entry: Entry,
    /// How many; negative to take back.
    pub amount: i64,
}

impl LedgerRow {
    /// So many events of a project, received at a time.
    #[must_use]
    pub fn new(project_id: i64, received: Timestamp, entry: Entry, amount: impl Into<i64>) -> Self {
        Self { project_id, hour: hour_of(received), entry, amount: amount.into() }
    }

    /// Events that go into quarantine instead of a block.
    #[must_use]
    pub fn quarantine(project_id: i64, received: Timestamp, events: u32) -> [Self; 2] {
        let row = |entry| Self::new(project_id, received, entry, events);
        [row(Entry::ACCEPTED), row(Entry::QUARANTINED)]
    }

    /// Events that leave quarantine for a block, which will count them as accepted itself.
    #[must_use]
    pub fn retry(project_id: i64, received: Timestamp, events: u32) -> [Self; 2] {
        let row = |entry| Self::new(project_id, received, entry, -i64::from(events));
        [row(Entry::ACCEPTED), row(Entry::QUARANTINED)]
    }

    /// Events an admin discards from quarantine.
    #[must_use]
    pub fn discard(project_id: i64, received: Timestamp, events: u32) -> [Self; 2] {
        [
            Self::new(project_id, received, Entry::QUARANTINED, -i64::from(events)),
            Self::new(project_id, received, Entry::DELETED_QUARANTINE, events),
        ]
    }
}

/// Start of the hour of a time, in epoch seconds.
#[must_use]
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(HOUR) * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_name_is_read_back_and_an_unknown_one_is_left_alone() {
        for kind in Kind::ALL {
            assert_eq!(Entry::parse(&Entry::of(kind).name()), Some((kind, "")));
            assert_eq!(Entry::parse(&Entry::with(kind, "a_b").name()), Some((kind, "a_b")));
        }
        assert_eq!(Entry::DELETED_FILTER.name(), "deleted:filter");
        assert_eq!(Entry::parse("fold:0123"), None);
    }

    #[test]
    fn an_hour_begins_on_the_hour() {
        assert_eq!(hour_of(Timestamp::from_millis(7_199_999)), 3_600);
        assert_eq!(hour_of(Timestamp::from_millis(7_200_000)), 7_200);
    }
}
