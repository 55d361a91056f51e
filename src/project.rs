//! A project: who may send, how much, and how long it is kept.

use std::fmt;

use serde_json::{Value, json};

use crate::timestamp::Timestamp;

/// Retention an admin may set, in days.
pub const RETENTION_DAYS: std::ops::RangeInclusive<u16> = 1..=90;

/// Longest slug, in characters.
pub const MAX_SLUG_CHARS: usize = 64;

/// A project's name in URLs: 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectSlug(String);

impl ProjectSlug {
    /// Accepts `[a-z0-9-]{1,64}` that is not a number (numbers are project ids); anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        (plain && !number && (1..=MAX_SLUG_CHARS).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// A slug made from a name for people: its ASCII letters and digits in lower case, joined by `-`, cut to 64.
    /// `None` when nothing but a number, or nothing at all, is left.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let words =
            name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        slug.truncate(MAX_SLUG_CHARS);
        Self::parse(slug.trim_end_matches('-'))
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a request names a project: by id or by slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectRef {
    /// A positive number.
    Id(i64),
    /// A slug.
    Slug(ProjectSlug),
}

impl ProjectRef {
    /// Strict: `2` is an id, `web-shop` a slug; `2abc` reads as a slug (which no project need have),
    /// `02`, `+2`, `2.0` and everything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.is_empty() {
            return ProjectSlug::parse(text).map(Self::Slug);
        }
        let id: i64 = text.parse().ok()?;
        (id > 0 && id.to_string() == text).then_some(Self::Id(id))
    }
}

/// What [`crate::scrub`] does for a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubSettings {
    /// True keeps everything as sent.
    pub off: bool,
    /// Further `ctx` keys whose values are secret, lower case, at most 64 of at most 64 characters.
    pub extra_keys: Vec<String>,
}

/// A project as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Positive, never used again after deletion.
    pub id: i64,
    /// Unique.
    pub slug: ProjectSlug,
    /// For people, at most 128 characters.
    pub name: String,
    /// Days events are kept after receipt.
    pub retention_days: u16,
    /// Events a minute; `None` takes the service's `RATE_LIMIT_PER_MINUTE`.
    pub minute_cap: Option<u32>,
    /// Scrubbing.
    pub scrub: ScrubSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

impl Project {
    /// As the API and the command line show it.
    #[must_use]
    pub fn json(&self) -> Value {
        let ScrubSettings { off, extra_keys } = &self.scrub;
        json!({
            "id": self.id,
            "slug": self.slug.as_str(),
            "name": self.name,
            "retention_days": self.retention_days,
            "minute_cap": self.minute_cap,
            "scrub": { "off": off, "extra_keys": extra_keys },
            "created_at": self.created_at.to_string(),
        })
    }

    /// What was received before this has expired.
    #[must_use]
    pub fn kept_since(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(-i64::from(self.retention_days) * DAY_MS)
    }

    /// When an event received at `received_at` expires.
    #[must_use]
    pub fn expires_at(&self, received_at: Timestamp) -> Timestamp {
        received_at.plus_millis(i64::from(self.retention_days) * DAY_MS)
    }
}
