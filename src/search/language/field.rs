//! What a query can ask for by name: the columns of an event and the paths of its `ctx`.

use std::fmt;

/// A column of an event, as [`crate::http`] shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// What happened.
    Message,
    /// Severity; compares by it.
    Level,
    /// Which program or logger.
    Source,
    /// Environment.
    Env,
    /// Who.
    UserId,
    /// Which request.
    RequestId,
    /// Labels; a test holds if it holds for one of them.
    Tags,
    /// Release or version.
    Release,
    /// Stack trace.
    Stack,
    /// The issue, 16 hex digits.
    Fingerprint,
    /// The event's id.
    Id,
    /// The project, by id or slug.
    Project,
    /// When it happened; compares as a time.
    Ts,
    /// When it was received; compares as a time.
    ReceivedAt,
}

impl Column {
    /// All of them, in the order they are offered.
    pub const ALL: [Self; 14] = [
        Self::Message,
        Self::Level,
        Self::Source,
        Self::Env,
        Self::UserId,
        Self::RequestId,
        Self::Tags,
        Self::Release,
        Self::Stack,
        Self::Fingerprint,
        Self::Id,
        Self::Project,
        Self::Ts,
        Self::ReceivedAt,
    ];

    /// Its name in queries and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Level => "level",
            Self::Source => "source",
            Self::Env => "env",
            Self::UserId => "user_id",
            Self::RequestId => "request_id",
            Self::Tags => "tags",
            Self::Release => "release",
            Self::Stack => "stack",
            Self::Fingerprint => "fingerprint",
            Self::Id => "id",
            Self::Project => "project",
            Self::Ts => "ts",
            Self::ReceivedAt => "received_at",
        }
    }

    /// Whether words and phrases without a field are looked for in it.
    #[must_use]
    pub const fn is_searched(self) -> bool {
        matches!(
            self,
            Self::Message
                | Self::Stack
                | Self::Source
                | Self::UserId
                | Self::RequestId
                | Self::Tags
                | Self::Release
        )
    }

    /// Whether an event may lack it.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::UserId | Self::RequestId | Self::Tags | Self::Release | Self::Stack)
    }

    /// Whether it is a time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Ts | Self::ReceivedAt)
    }
}

/// A column or a part of `ctx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A column.
    Column(Column),
    /// Any value in `ctx`, at any path.
    Ctx,
    /// The value at a path of `ctx`: keys joined by `.`, in any case, never empty. An array's elements have the path
    /// of their array.
    Path(String),
}

impl Field {
    /// Reads a name: a column or `ctx` in any case, or `ctx.` and a path.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("ctx") {
            return Some(Self::Ctx);
        }
        if let Some((start, path)) = name.split_at_checked(4)
            && start.eq_ignore_ascii_case("ctx.")
        {
            return (!path.is_empty()).then(|| Self::Path(path.to_owned()));
        }
        Column::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(name)).map(Self::Column)
    }
}

impl fmt::Display for Field {
    /// The name as [`Field::parse`] reads it, without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => f.write_str(column.name()),
            Self::Ctx => f.write_str("ctx"),
            Self::Path(path) => write!(f, "ctx.{path}"),
        }
    }
}
