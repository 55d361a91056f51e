//! The language of a search's `q`: words, phrases, NOT, OR, parentheses, and tests of fields (docs/QUERY.md).
//!
//! [`Query::parse`] takes any text within the bounds below: what doesn't parse is searched as text, with a warning
//! that says why. A query prints back as the one spelling of its tree, and a [`matcher::Matcher`] tests block headers,
//! raw lines and events by it. All of it is linear in the text and has no state.

pub mod complete;
pub mod field;
mod leaf;
mod lexer;
mod literal;
pub mod matcher;
mod maybe;
mod need;
mod number;
mod pair;
mod parser;
mod print;
pub mod tree;

#[cfg(test)]
pub(crate) mod arbitrary;

use std::fmt;

use self::matcher::Matcher;
pub use self::parser::Warning;
use self::tree::Node;
use crate::block::decode::StoredEvent;
use crate::timestamp::Timestamp;

/// Most chars in a query.
pub const MAX_CHARS: usize = 1_000;
/// Most tests in a query.
pub const MAX_TERMS: usize = 64;
/// Most parentheses around a test.
pub const MAX_DEPTH: usize = 16;
/// Most regular expressions in a query; more are searched as text.
pub const MAX_REGEXES: usize = 8;

/// A query that is refused. Its text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// More than [`MAX_CHARS`].
    TooLong,
    /// More than [`MAX_TERMS`].
    TooManyTerms,
    /// More than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "q has more than {MAX_CHARS} characters"),
            Self::TooManyTerms => write!(f, "q has more than {MAX_TERMS} terms"),
            Self::TooDeep => write!(f, "q has more than {MAX_DEPTH} parentheses inside each other"),
        }
    }
}

impl std::error::Error for QueryError {}

/// A project as `project:` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName {
    /// Its number.
    pub id: i64,
    /// Its slug.
    pub slug: String,
}

/// A parsed query and the time its relative times count from. The default is empty and matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    tree: Option<Node>,
    now: Timestamp,
}

impl Query {
    /// Reads a query, with a warning for each part that was not taken as its spelling suggests.
    ///
    /// # Errors
    /// If it is beyond [`MAX_CHARS`], [`MAX_TERMS`] or [`MAX_DEPTH`].
    pub fn parse(text: &str, now: Timestamp) -> Result<(Self, Vec<Warning>), QueryError> {
        let (tree, warnings) = parser::parse(text, now)?;
        Ok((Self { tree, now }, warnings))
    }

    /// The tree; `None` matches everything.
    #[must_use]
    pub const fn tree(&self) -> Option<&Node> {
        self.tree.as_ref()
    }

    /// Whether it matches everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tree.is_none()
    }

    /// Ready for testing many events of one project; without one, `project:` matches nothing.
    #[must_use]
    pub fn matcher(&self, project: Option<&ProjectName>) -> Matcher {
        Matcher::new(self.tree.as_ref(), self.now, project)
    }

    /// Whether an event matches. For more than a few events make a [`Query::matcher`].
    #[must_use]
    pub fn matches(&self, event: &StoredEvent<'_>) -> bool {
        self.matcher(None).matches(event)
    }
}

impl fmt::Display for Query {
    /// The one spelling of its tree; nothing for the empty query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.as_ref().map_or(Ok(()), |tree| tree.fmt(f))
    }
}
