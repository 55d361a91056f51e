//! Issues: groups of like events, and what a person has decided about them.
//!
//! An issue's state is not stored but follows from times: it is resolved while nothing was received after
//! `resolved_at`, regressed once something was, muted until a time or until it happens too often.

use std::fmt;

use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// An issue is called new for so long after its first event was received, in milliseconds.
pub const NEW_FOR_MS: i64 = 86_400_000;

/// An issue's public id: project and fingerprint, printed `<project id>-<16 hex digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueId {
    /// The project.
    pub project_id: i64,
    /// Names the issue within it.
    pub fingerprint: Fingerprint,
}

impl IssueId {
    /// Reads the printed form, in its one spelling; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (project, fingerprint) = text.split_once('-')?;
        let project_id: i64 = project.parse().ok().filter(|id| *id > 0)?;
        let fingerprint = Fingerprint::parse(fingerprint)?;
        (project_id.to_string() == project).then_some(Self { project_id, fingerprint })
    }
}

impl fmt::Display for IssueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project_id, self.fingerprint)
    }
}

/// What is to be done about an issue, as lists are filtered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueStatus {
    /// Nobody has dealt with it, or it came back.
    Open,
    /// Dealt with, and not seen since.
    Resolved,
    /// Nobody wants to hear of it for now.
    Muted,
}

impl IssueStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Resolved, Self::Muted];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Muted => "muted",
        }
    }
}

/// An issue as stored. Times by receipt are `created_at`, `last_received` and `resolved_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Names it.
    pub id: IssueId,
    /// The message's template, at most 200 characters.
    pub title: String,
    /// Source of its first event.
    pub source: String,
    /// Highest level seen, as a number.
    pub level: i64,
    /// Least `ts`.
    pub first_seen: Timestamp,
    /// Greatest `ts`.
    pub last_seen: Timestamp,
    /// Events counted.
    pub event_count: i64,
    /// Printed id of one of its events.
    pub sample: String,
    /// When the first event was received, to ten seconds.
    pub created_at: Timestamp,
    /// When the last event was received.
    pub last_received: Timestamp,
    /// When somebody called it resolved; the epoch when nobody did.
    pub resolved_at: Timestamp,
    /// Until when it is muted; the epoch when it is not.
    pub muted_until: Timestamp,
    /// It is muted until more events than this come in an hour; 0 when it is not.
    pub mute_per_hour: i64,
    /// Release of its first event that named one, empty when none did.
    pub first_release: String,
    /// The same of its last event.
    pub last_release: String,
}

/// Whether an issue that is muted until then, or for so many events an hour (0: for none), is muted now.
#[must_use]
pub fn is_muted(muted_until: Timestamp, mute_per_hour: i64, now: Timestamp) -> bool {
    muted_until > now || mute_per_hour > 0
}

impl Issue {
    /// What is to be done about it.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> IssueStatus {
        if self.last_received <= self.resolved_at {
            IssueStatus::Resolved
        } else if is_muted(self.muted_until, self.mute_per_hour, now) {
            IssueStatus::Muted
        } else {
            IssueStatus::Open
        }
    }

    /// Whether it was seen again after somebody had called it resolved.
    #[must_use]
    pub fn is_regressed(&self) -> bool {
        self.resolved_at.as_millis() > 0 && self.last_received > self.resolved_at
    }

    /// Whether its first event came within the last day.
    #[must_use]
    pub fn is_new(&self, now: Timestamp) -> bool {
        self.created_at.as_millis() > now.as_millis() - NEW_FOR_MS
    }
}

/// The releases an issue was resolved in and came back in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The release it was last seen in when somebody called it resolved; empty when none was known.
    pub resolved_release: String,
    /// When the first event after that was received; the epoch while there is none.
    pub regressed_at: Timestamp,
    /// The release that came with it, empty when it named none.
    pub regressed_release: String,
}

/// What a person decides about an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueAction {
    /// It is dealt with; an event received later makes it regressed.
    Resolve,
    /// It is open, whatever was decided before.
    Reopen,
    /// Nobody wants to hear of it until then.
    MuteUntil(Timestamp),
    /// Nobody wants to hear of it until more events than this come within an hour.
    MuteUntilPerHour(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = IssueId { project_id: 12, fingerprint: Fingerprint(0xab) };
        assert_eq!(id.to_string(), "12-00000000000000ab");
        assert_eq!(IssueId::parse("12-00000000000000ab"), Some(id));
        let wrong = [
            "",
            "12",
            "-00000000000000ab",
            "012-00000000000000ab",
            "+1-00000000000000ab",
            "0-00000000000000ab",
        ];
        for wrong in wrong.into_iter().chain([
            "12-00000000000000AB",
            "12-ab",
            "12-00000000000000ab-",
            "-1-00000000000000ab",
        ]) {
            assert_eq!(IssueId::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_state_follows_from_times() {
        let at = Timestamp::from_millis;
        let mut issue = Issue {
            id: IssueId { project_id: 1, fingerprint: Fingerprint(1) },
            title: String::new(),
            source: String::new(),
            level: 4,
            first_seen: at(0),
            last_seen: at(0),
            event_count: 1,
            sample: String::new(),
            created_at: at(NEW_FOR_MS),
            last_received: at(NEW_FOR_MS),
            resolved_at: at(0),
            muted_until: at(0),
            mute_per_hour: 0,
            first_release: String::new(),
            last_release: String::new(),
        };
        let now = at(NEW_FOR_MS + 10);
        assert!(
            (issue.status(now), issue.is_new(now), issue.is_regressed()) == (IssueStatus::Open, true, false)
        );
        assert!(!issue.is_new(at(2 * NEW_FOR_MS)), "not for ever");
        issue.resolved_at = at(NEW_FOR_MS);
        assert_eq!(
            issue.status(now),
            IssueStatus::Resolved,
            "what came in the same millisecond was there before"
        );
        issue.last_received = at(NEW_FOR_MS + 1);
        assert!((issue.status(now), issue.is_regressed()) == (IssueStatus::Open, true));
        issue.muted_until = at(NEW_FOR_MS + 11);
        assert_eq!(issue.status(now), IssueStatus::Muted);
        assert_eq!(issue.status(at(NEW_FOR_MS + 11)), IssueStatus::Open, "the time is over");
        issue.mute_per_hour = 1;
        assert_eq!(issue.status(at(NEW_FOR_MS + 11)), IssueStatus::Muted);
    }
}
