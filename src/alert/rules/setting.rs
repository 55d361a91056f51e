//! What one rule is set to. A kind's fields that nobody set have the values of [`Setting::default_of`].

use std::fmt;

use serde_json::{Value, json};

use super::super::{AlertMessage, ChannelId};
use super::kind::RuleKind;
use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::key::KeyDirectory;
use crate::project::ProjectRef;
use crate::search::event_filter::LevelSet;
use crate::store::{Cooldown, StoredRule, bucket};
use crate::timestamp::Timestamp;

/// Seconds of a bucket.
const BUCKET_SEC: i64 = 10;

/// Events of an issue in a window that are a spike where nothing is usual.
pub const SPIKE_N: u32 = 5;
/// Errors of a project in a window that are too many where nothing is usual.
pub const ERROR_RATE_N: u32 = 50;
/// Length of a window in seconds. Counts stand in buckets of ten seconds, so up to ten more are looked at: what comes
/// within a window is never cut by the edge of a bucket.
pub const WINDOW_SEC: u32 = 60;
/// A rule says the same once in so many seconds. A regression is said each time.
pub const COOLDOWN_SEC: u32 = 900;
/// Seconds without events after which they are said to have stopped.
pub const GRACE_SEC: u32 = 600;
/// Seconds without events that end an overflow, and before which none starts.
pub const OVERFLOW_GRACE_SEC: u32 = 3_600;
/// Part of the cap that is near it.
pub const NEAR_CAP_SHARE: f64 = 0.8;

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// There without anybody's doing.
    Default(RuleKind),
    /// From the database.
    Stored(i64),
}

impl RuleId {
    /// Reads the printed form; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = RuleKind::from_name(text) {
            return kind.has_default().then_some(Self::Default(kind));
        }
        let id: i64 = text.parse().ok()?;
        (id > 0 && id.to_string() == text).then_some(Self::Stored(id))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(kind) => f.write_str(kind.name()),
            Self::Stored(id) => write!(f, "{id}"),
        }
    }
}

/// What a rule looks at: everything, or some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection<T> {
    /// Only these; empty is all.
    pub include: Vec<T>,
    /// Not these.
    pub exclude: Vec<T>,
}

impl<T> Default for Selection<T> {
    fn default() -> Self {
        Self { include: Vec::new(), exclude: Vec::new() }
    }
}

impl<T> Selection<T> {
    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    fn admits_by(&self, is_it: impl Fn(&T) -> bool) -> bool {
        (self.include.is_empty() || self.include.iter().any(&is_it)) && !self.exclude.iter().any(is_it)
    }
}

impl Selection<Fingerprint> {
    /// Whether the rule looks at this issue.
    #[must_use]
    pub fn admits(&self, issue: Fingerprint) -> bool {
        self.admits_by(|one| *one == issue)
    }
}

impl Selection<String> {
    /// Whether the rule looks at this environment; its case makes no difference.
    #[must_use]
    pub fn admits(&self, environment: &str) -> bool {
        let same = |one: &String| lower(one).eq(lower(environment));
        self.admits_by(same)
    }

    /// Of `all` events, those of environments it looks at. Events of one that isn't known are among them only if it looks
    /// at everything but some.
    #[must_use]
    pub fn admitted(&self, environments: &[(String, u32)], all: u32) -> u32 {
        let known: u32 = environments.iter().map(|(_, count)| count).sum();
        let unknown = if self.include.is_empty() { all.saturating_sub(known) } else { 0 };
        let admitted = environments.iter().filter(|(name, _)| self.admits(name));
        admitted.map(|(_, count)| count).sum::<u32>() + unknown
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// A rule as it applies.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name here.
    pub id: RuleId,
    /// The project it was made for; `None` is every project.
    pub project_id: Option<i64>,
    /// What it looks for.
    pub kind: RuleKind,
    /// For people; a message says it.
    pub name: String,
    /// Whether it says anything.
    pub enabled: bool,
    /// Only these levels; `None` is what the kind looks at by itself.
    pub levels: Option<LevelSet>,
    /// Which environments.
    pub environments: Selection<String>,
    /// Which issues.
    pub issues: Selection<Fingerprint>,
    /// It says the same once in so many seconds; 0 (a regression's) is each time.
    pub cooldown_sec: u32,
    /// Events in a window that are worth a message at least.
    pub n: u32,
    /// Length of the window in seconds, a multiple of ten.
    pub window_sec: u32,
    /// Part of all events that errors are at least; for a cap, part of it that is near.
    pub share: Option<f64>,
    /// Seconds without events.
    pub grace_sec: u32,
    /// The query, as it was given; empty where the kind has none.
    pub q: String,
    /// Where it says it; `None` is on all channels of the project.
    pub channels: Option<Vec<ChannelId>>,
    /// When it was made and last changed; `None` for a default.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Setting {
    /// What a rule of a kind is set to where nobody set anything. There is none of a query, which needs its `q`; it is
    /// what others of its settings are by default.
    #[must_use]
    pub fn default_of(kind: RuleKind) -> Self {
        Self {
            id: RuleId::Default(kind),
            project_id: None,
            kind,
            name: kind.name().to_owned(),
            enabled: true,
            levels: None,
            environments: Selection::default(),
            issues: Selection::default(),
            cooldown_sec: if kind == RuleKind::Regression { 0 } else { COOLDOWN_SEC },
            n: if kind == RuleKind::ErrorRate { ERROR_RATE_N } else { SPIKE_N },
            window_sec: WINDOW_SEC,
            share: (kind == RuleKind::NearCap).then_some(NEAR_CAP_SHARE),
            grace_sec: if kind == RuleKind::OverflowEnded { OVERFLOW_GRACE_SEC } else { GRACE_SEC },
            q: String::new(),
            channels: None,
            times: None,
        }
    }

    /// Milliseconds in which it says the same once.
    #[must_use]
    pub fn cooldown_ms(&self) -> i64 {
        i64::from(self.cooldown_sec) * 1_000
    }

    /// Whether it says nothing now, because it said the same a while ago.
    #[must_use]
    pub fn is_held_back(&self, before: &Cooldown, now: Timestamp) -> bool {
        let cooldown = self.cooldown_ms();
        // A clock that was far ahead once doesn't silence a rule until then.
        now < before.said_at.plus_millis(cooldown) && now.plus_millis(cooldown) >= before.said_at
    }

    /// Tells people how not to hear of it again.
    #[must_use]
    pub fn how_to_turn_off(&self) -> String {
        format!("PUT /admin/alerts/rules/{} with {{\"enabled\":false}} turns this rule off.", self.id)
    }

    /// A message of this rule about a project, with a link to what came in within `range` (as `1h`).
    #[must_use]
    pub fn message(
        &self,
        directory: &KeyDirectory,
        public_url: Option<&str>,
        project_id: i64,
        title: &str,
        range: &str,
        now: Timestamp,
    ) -> AlertMessage {
        let project = directory.project(&ProjectRef::Id(project_id));
        let slug = project.map_or_else(|| project_id.to_string(), |project| project.slug.as_str().to_owned());
        let mut message = AlertMessage::new(self.kind.alert(), project_id, &slug, title, now);
        self.name.clone_into(&mut message.rule);
        message.link = public_url.map(|url| format!("{url}/ui/logs?project={project_id}&range={range}"));
        message.mute = Some(self.how_to_turn_off());
        message
    }

    /// Names the rule in slots and in what is kept about it: another one for each stored rule, at most 32 characters.
    #[must_use]
    pub fn key(&self) -> String {
        match self.id {
            RuleId::Default(kind) => kind.name().to_owned(),
            RuleId::Stored(id) => format!("{}:{id}", self.kind.name()),
        }
    }

    /// Whether what it counts is not in the counts by level and issue, so that events have to be looked at.
    #[must_use]
    pub fn counts_events(&self) -> bool {
        match self.kind {
            RuleKind::Query => true,
            RuleKind::ErrorRate => !self.environments.is_all() || !self.issues.is_all(),
            _ => false,
        }
    }

    /// The number under which it counts an issue's events itself, because it looks at some environments alone: negative,
    /// and another one for other environments. `None` where the counts of issues tell.
    #[must_use]
    pub fn own_count_of(&self, issue: Fingerprint) -> Option<i64> {
        if self.kind != RuleKind::Spike || self.environments.is_all() {
            return None;
        }
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for list in [&self.environments.include, &self.environments.exclude] {
            hash.update(&list.len().to_be_bytes());
            for name in list {
                let name: String = lower(name).collect();
                hash.update(&name.len().to_be_bytes());
                hash.update(name.as_bytes());
            }
        }
        hash.update(&issue.0.to_be_bytes());
        Some(hash.digest().cast_signed() | i64::MIN)
    }

    /// Whether it was made or changed after this time.
    #[must_use]
    pub fn is_younger_than(&self, time: Timestamp) -> bool {
        self.times.is_some_and(|(_, changed)| changed > time)
    }

    /// The first bucket, in epoch seconds, whose counts of its own are all of these settings: that in which it was made,
    /// or the one after that in which it was changed.
    #[must_use]
    pub fn counts_from(&self) -> i64 {
        let from = |(made, changed)| bucket(changed) + if changed == made { 0 } else { BUCKET_SEC };
        self.times.map_or(i64::MIN, from)
    }

    /// Whether it looks at this level, where its kind looks at all of them by itself.
    #[must_use]
    pub fn admits_level(&self, level: Level) -> bool {
        self.levels.is_none_or(|levels| levels.contains(level))
    }

    /// A stored rule; `None` when its kind is not known to this version. What can't be read of its settings is as if
    /// nobody had set it.
    #[must_use]
    pub fn of_stored(stored: &StoredRule) -> Option<Self> {
        let kind = RuleKind::from_name(&stored.kind)?;
        let content: Value = serde_json::from_str(&stored.settings).unwrap_or_default();
        let none = Self::default_of(kind);
        let number =
            |name: &str, or: u32| content[name].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(or);
        let levels = content["levels"].as_array().map(|names| {
            names.iter().filter_map(Value::as_str).filter_map(Level::parse).collect::<LevelSet>()
        });
        let channels = content["channels"]
            .as_array()
            .map(|ids| ids.iter().filter_map(Value::as_str).filter_map(ChannelId::parse).collect());
        Some(Self {
            id: RuleId::Stored(stored.id),
            project_id: stored.project_id,
            kind,
            name: stored.name.clone(),
            enabled: stored.enabled,
            levels,
            environments: selection(&content["environments"], |text| Some(text.to_owned())),
            issues: selection(&content["issues"], Fingerprint::parse),
            cooldown_sec: number("cooldown_sec", none.cooldown_sec),
            n: number("n", none.n),
            window_sec: number("window_sec", none.window_sec),
            share: content["share"].as_f64().or(none.share),
            grace_sec: number("grace_sec", none.grace_sec),
            q: content["q"].as_str().unwrap_or_default().to_owned(),
            channels,
            times: Some((stored.created_at, stored.updated_at)),
        })
    }

    /// Its settings as they are stored.
    #[must_use]
    pub fn stored_text(&self) -> String {
        let text = |ids: &Vec<ChannelId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "levels": self.level_names(),
            "environments": { "include": self.environments.include, "exclude": self.environments.exclude },
            "issues": self.issues_json(),
            "cooldown_sec": self.cooldown_sec,
            "n": self.n,
            "window_sec": self.window_sec,
            "share": self.share,
            "grace_sec": self.grace_sec,
            "q": self.q,
            "channels": self.channels.as_ref().map(text),
        })
        .to_string()
    }

    /// Names of its levels, least severe first.
    #[must_use]
    pub fn level_names(&self) -> Option<Vec<&'static str>> {
        let names = |levels: LevelSet| {
            Level::ALL.into_iter().filter(|level| levels.contains(*level)).map(Level::name).collect()
        };
        self.levels.map(names)
    }

    /// Its issues, as the API and the database have them.
    #[must_use]
    pub fn issues_json(&self) -> Value {
        let texts = |issues: &[Fingerprint]| issues.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({ "include": texts(&self.issues.include), "exclude": texts(&self.issues.exclude) })
    }
}

fn selection<T>(value: &Value, read: impl Fn(&str) -> Option<T>) -> Selection<T> {
    let list = |name: &str| {
        let texts = value[name].as_array().map(Vec::as_slice).unwrap_or_default();
        texts.iter().filter_map(Value::as_str).filter_map(&read).collect()
    };
    Selection { include: list("include"), exclude: list("exclude") }
}
