//! The kinds of rules there are, and which settings each has.

use super::super::AlertKind;

/// What a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// An issue seen for the first time.
    NewIssue,
    /// An issue seen again after it had been resolved.
    Regression,
    /// An issue that comes much more often than it did.
    Spike,
    /// Too many errors of a project.
    ErrorRate,
    /// Nothing where something used to come.
    Heartbeat,
    /// A project's first events for a while.
    OverflowStarted,
    /// Their end.
    OverflowEnded,
    /// A project near its cap, or over it.
    NearCap,
    /// Events that match a query of the user's own.
    Query,
}

impl RuleKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NewIssue,
        Self::Regression,
        Self::Spike,
        Self::ErrorRate,
        Self::Heartbeat,
        Self::OverflowStarted,
        Self::OverflowEnded,
        Self::NearCap,
        Self::Query,
    ];

    /// The name in JSON, in the database and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::NewIssue
            | Self::Regression
            | Self::Spike
            | Self::ErrorRate
            | Self::Heartbeat
            | Self::OverflowStarted
            | Self::OverflowEnded
            | Self::NearCap => self.alert().name(),
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether there is one that nobody had to make.
    #[must_use]
    pub const fn has_default(self) -> bool {
        !matches!(self, Self::Query)
    }

    /// What its messages say happened.
    #[must_use]
    pub const fn alert(self) -> AlertKind {
        match self {
            Self::NewIssue => AlertKind::NewIssue,
            Self::Regression => AlertKind::Regression,
            Self::Spike => AlertKind::Spike,
            Self::ErrorRate => AlertKind::ErrorRate,
            Self::Heartbeat => AlertKind::Heartbeat,
            Self::OverflowStarted => AlertKind::OverflowStarted,
            Self::OverflowEnded => AlertKind::OverflowEnded,
            Self::NearCap => AlertKind::NearCap,
            Self::Query => AlertKind::Custom,
        }
    }

    /// The kind of rule that says this, if one does.
    #[must_use]
    pub fn of_alert(alert: AlertKind) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.alert() == alert)
    }

    /// The settings it has beside `name`, `enabled`, `cooldown_sec` and `channels`, which every rule has.
    #[must_use]
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::NewIssue | Self::Regression => &["levels", "environments", "issues"],
            Self::Spike => &["levels", "environments", "issues", "n", "window_sec"],
            Self::ErrorRate => &["levels", "environments", "issues", "n", "window_sec", "share"],
            Self::Heartbeat | Self::OverflowEnded => &["grace_sec"],
            Self::OverflowStarted => &[],
            Self::NearCap => &["share"],
            Self::Query => &["levels", "environments", "issues", "n", "window_sec", "q"],
        }
    }

    /// Whether it has this setting.
    #[must_use]
    pub fn has(self, field: &str) -> bool {
        self.fields().contains(&field)
    }
}
