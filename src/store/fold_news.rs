//! What a fold counted, for those who look whether it is worth saying something.

use std::collections::BTreeMap;

use super::issues::IssueSeed;
use crate::issue::IssueId;
use crate::ledger::{Kind, LedgerRow};
use crate::timestamp::Timestamp;

/// The code of what is refused because its project sends too much.
const OVER_THE_CAP: &str = "rate_limited_project";

/// An issue as it was before a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownIssue {
    /// The time of its first event.
    pub first_seen: Timestamp,
    /// When its last event was received.
    pub last_received: Timestamp,
    /// When somebody called it resolved; the epoch when nobody did.
    pub resolved_at: Timestamp,
    /// Until when it is muted.
    pub muted_until: Timestamp,
    /// Events an hour it is muted for; 0 when it is not.
    pub mute_per_hour: i64,
    /// Events counted of it so far.
    pub events: i64,
}

/// An issue a fold counted something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedIssue {
    /// The issue.
    pub id: IssueId,
    /// What the counted events say of it.
    pub seed: IssueSeed,
    /// How many there were.
    pub count: i64,
    /// As it was before; `None` when it is new.
    pub known: Option<KnownIssue>,
}

/// What a fold counted, for the alert rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldNews {
    /// Issues, in the order of their ids.
    pub issues: Vec<TouchedIssue>,
    /// Events of each (project, bucket of receipt), of every level.
    pub events: BTreeMap<(i64, i64), i64>,
    /// What each project sent over its cap since the last time: events, or requests whose events were not counted.
    pub limited: BTreeMap<i64, i64>,
    /// Events of each project that were refused one by one since the last time, by reason.
    pub rejected: BTreeMap<(i64, &'static str), i64>,
}

impl FoldNews {
    /// Adds what these rows of the ledger say was dropped: over a cap, or refused for itself.
    #[must_use]
    pub fn with_dropped(mut self, rows: &[LedgerRow]) -> Self {
        for row in rows.iter().filter(|row| row.amount > 0) {
            if row.entry.kind == Kind::Rejected {
                *self.rejected.entry((row.project_id, row.entry.reason)).or_default() += row.amount;
            }
            let is_request = row.entry.kind == Kind::Requests && row.entry.reason == OVER_THE_CAP;
            if row.entry.kind == Kind::Limited || is_request {
                *self.limited.entry(row.project_id).or_default() += row.amount;
            }
        }
        self
    }

    /// Whether there is nothing to look at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issues.is_empty()
            && self.events.is_empty()
            && self.limited.is_empty()
            && self.rejected.is_empty()
    }
}
