//! What an alert says, in the words of no channel.
//!
//! A message is kept as JSON in the outbox, so a field may be added but not given another meaning.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// An issue was seen for the first time.
    NewIssue,
    /// An issue was seen again after it had been resolved.
    Regression,
    /// An issue comes much more often than it did.
    Spike,
    /// A project has too many errors.
    ErrorRate,
    /// Nothing comes where something used to.
    Heartbeat,
    /// A project's first events for a while: its main provider takes no more.
    OverflowStarted,
    /// They stopped.
    OverflowEnded,
    /// A project is near its cap, or events are being refused.
    NearCap,
    /// A rule of the user's own.
    Custom,
    /// Asked for by an admin, to see whether a channel works.
    Test,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::NewIssue,
        Self::Regression,
        Self::Spike,
        Self::ErrorRate,
        Self::Heartbeat,
        Self::OverflowStarted,
        Self::OverflowEnded,
        Self::NearCap,
        Self::Custom,
        Self::Test,
    ];

    /// The name in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewIssue => "new_issue",
            Self::Regression => "regression",
            Self::Spike => "spike",
            Self::ErrorRate => "error_rate",
            Self::Heartbeat => "heartbeat",
            Self::OverflowStarted => "overflow_started",
            Self::OverflowEnded => "overflow_ended",
            Self::NearCap => "near_cap",
            Self::Custom => "custom",
            Self::Test => "test",
        }
    }

    /// The kind of the message that one of this kind ends: they are of one thread.
    #[must_use]
    pub const fn opened_as(self) -> Self {
        match self {
            Self::OverflowEnded => Self::OverflowStarted,
            other => other,
        }
    }

    /// The kind of rule that says it, as rules and metrics call it.
    #[must_use]
    pub const fn rule_name(self) -> &'static str {
        match self {
            Self::Custom => "query",
            other => other.name(),
        }
    }

    /// What a headline starts with.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NewIssue => "New issue",
            Self::Regression => "Regression",
            Self::Spike => "Spike",
            Self::ErrorRate => "Error rate",
            Self::Heartbeat => "No events",
            Self::OverflowStarted => "Overflow started",
            Self::OverflowEnded => "Overflow ended",
            Self::NearCap => "Limits",
            Self::Custom => "Alert",
            Self::Test => "Test",
        }
    }
}

/// One alert. Texts may be of any length and hold anything: each channel cuts and escapes for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertMessage {
    /// Tells a repetition of this message; [`crate::alert::enqueue`] gives each channel's copy its own.
    pub id: Uuid,
    /// What happened.
    pub kind: AlertKind,
    /// True when this says that it is over.
    #[serde(default)]
    pub resolved: bool,
    /// The project, as a number.
    pub project_id: i64,
    /// The project, for people: its name or slug.
    pub project: String,
    /// The rule that said so, for people and for the history; empty for none.
    #[serde(default)]
    pub rule: String,
    /// What it is about, such as the issue's title. The same for each alert about the same thing.
    pub title: String,
    /// The highest level seen.
    #[serde(default, with = "level_name")]
    pub level: Option<Level>,
    /// Events in the window.
    #[serde(default)]
    pub count: Option<u64>,
    /// Events a window of this length usually has.
    #[serde(default)]
    pub baseline: Option<f64>,
    /// Length of the window, in seconds.
    #[serde(default)]
    pub window_seconds: Option<u32>,
    /// When it was first seen.
    #[serde(default, with = "optional_millis")]
    pub first_seen: Option<Timestamp>,
    /// When it was last seen.
    #[serde(default, with = "optional_millis")]
    pub last_seen: Option<Timestamp>,
    /// One event's message.
    #[serde(default)]
    pub sample: Option<String>,
    /// Environments seen.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Sources seen.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The release it was seen in, when known.
    #[serde(default)]
    pub release: Option<String>,
    /// Alerts about the same that were held back since the last one.
    #[serde(default)]
    pub suppressed: u64,
    /// Where to look, an absolute URL; see [`issue_link`].
    #[serde(default)]
    pub link: Option<String>,
    /// How to have less of this, a sentence.
    #[serde(default)]
    pub mute: Option<String>,
    /// The issue.
    #[serde(default, with = "fingerprint_text")]
    pub issue: Option<Fingerprint>,
    /// Until when what it counts was received, where that was a while before it was counted.
    #[serde(default, with = "optional_millis")]
    pub received_until: Option<Timestamp>,
    /// When it was found.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

impl AlertMessage {
    /// Whether it says that something is over.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.resolved || self.kind == AlertKind::OverflowEnded
    }

    /// A message with nothing said but this.
    #[must_use]
    pub fn new(kind: AlertKind, project_id: i64, project: &str, title: &str, at: Timestamp) -> Self {
        Self {
            id: Uuid::nil(),
            kind,
            resolved: false,
            project_id,
            project: project.to_owned(),
            rule: String::new(),
            title: title.to_owned(),
            level: None,
            count: None,
            baseline: None,
            window_seconds: None,
            first_seen: None,
            last_seen: None,
            sample: None,
            environments: Vec::new(),
            sources: Vec::new(),
            release: None,
            suppressed: 0,
            link: None,
            mute: None,
            issue: None,
            received_until: None,
            at,
        }
    }

    /// Names what the message is about, the same for each message about it: mail threads, `PagerDuty` incidents.
    #[must_use]
    pub fn thread(&self) -> String {
        if let Some(issue) = self.issue {
            return format!("issue-{}-{issue}", self.project_id);
        }
        let kind = self.kind.opened_as().name().replace('_', "-");
        format!("{kind}-{}-{}", self.project_id, digest(&self.rule))
    }
}

/// Enough of a hash to tell rules apart in a name.
fn digest(rule: &str) -> String {
    format!("{:08x}", xxhash_rust::xxh3::xxh3_64(rule.as_bytes()) & 0xffff_ffff)
}

/// The page of an issue, where `PUBLIC_URL` is known.
#[must_use]
pub fn issue_link(public_url: Option<&str>, project_id: i64, issue: Fingerprint) -> Option<String> {
    public_url.map(|public_url| format!("{public_url}/ui/issues/{project_id}-{issue}"))
}

mod millis {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference to the field")]
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

mod optional_millis {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_millis).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_millis))
    }
}

mod level_name {
    use super::{Deserialize, Deserializer, Level, Serialize, Serializer};

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference to the field"
    )]
    pub fn serialize<S: Serializer>(level: &Option<Level>, serializer: S) -> Result<S::Ok, S::Error> {
        level.map(Level::name).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Level>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.and_then(|name| Level::parse(&name)))
    }
}

mod fingerprint_text {
    use super::{Deserialize, Deserializer, Fingerprint, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub fn serialize<S: Serializer>(issue: &Option<Fingerprint>, serializer: S) -> Result<S::Ok, S::Error> {
        issue.map(|issue| issue.0).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Fingerprint>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Fingerprint))
    }
}
