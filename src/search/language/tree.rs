//! A query as a tree, in one normal form: what means the same by its structure is the same tree.

use regex::{Regex, RegexBuilder};

use super::field::Field;

/// Most bytes a compiled regular expression may take: what it costs a byte of text grows with this.
const MAX_REGEX_BYTES: usize = 64 << 10;
/// Most bytes its cache may take while it runs.
const MAX_REGEX_CACHE_BYTES: usize = 1 << 20;
/// Deepest nesting of groups in a regular expression.
const MAX_REGEX_DEPTH: u32 = 32;

/// A condition. Made by the parser, so never deeper than its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// All hold; two or more, none itself [`Node::All`].
    All(Vec<Self>),
    /// One holds; two or more, none itself [`Node::Any`].
    Any(Vec<Self>),
    /// It doesn't hold; never [`Node::Not`] itself.
    Not(Box<Self>),
    /// A single test.
    Term(Term),
}

/// A single test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A text of the event contains this, in any case; never empty.
    Text(String),
    /// A text of the event matches.
    TextRegex(Pattern),
    /// A value of the field passes.
    Field(Field, Test),
    /// The field has a value; `null` is none, and a path has the values below it.
    Has(Field),
}

/// What a field's value is tested for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equal in any case.
    Equal(String),
    /// These pieces with anything between them, in any case: two or more, only the first and last may be empty, and
    /// not both of only two.
    Wildcard(Vec<String>),
    /// Matches somewhere.
    Regex(Pattern),
    /// Compares so with a number, a time or a level, as written.
    Compare(Comparison, String),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Same,
}

impl Comparison {
    /// All, those first that start with another.
    pub(super) const ALL: [Self; 5] = [Self::AtLeast, Self::AtMost, Self::Greater, Self::Less, Self::Same];

    /// As written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Same => "=",
        }
    }

    /// Whether a value that stands so to the operand passes.
    #[must_use]
    pub const fn admits(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Same => order.is_eq(),
        }
    }
}

/// A regular expression that compiled within bounds.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    any_case: bool,
    regex: Regex,
}

impl Pattern {
    /// Compiles what stands between the slashes.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub fn new(text: &str, any_case: bool) -> Result<Self, &'static str> {
        let regex = RegexBuilder::new(text)
            .case_insensitive(any_case)
            .size_limit(MAX_REGEX_BYTES)
            .dfa_size_limit(MAX_REGEX_CACHE_BYTES)
            .nest_limit(MAX_REGEX_DEPTH)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "is too large a regular expression",
                _ => "is not a regular expression",
            })?;
        Ok(Self { text: text.to_owned(), any_case, regex })
    }

    /// What stands between the slashes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether case makes no difference.
    #[must_use]
    pub const fn is_any_case(&self) -> bool {
        self.any_case
    }

    /// Compiled.
    #[must_use]
    pub const fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.any_case) == (&other.text, other.any_case)
    }
}

impl Eq for Pattern {}

impl Node {
    /// All of these, in normal form; `None` of none.
    #[must_use]
    pub fn all(nodes: Vec<Self>) -> Option<Self> {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Self::All(inner) => inner,
            other => vec![other],
        });
        joined(flat.collect(), Self::All)
    }

    /// Any of these, in normal form; `None` of none.
    #[must_use]
    pub fn any(nodes: Vec<Self>) -> Option<Self> {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        joined(flat.collect(), Self::Any)
    }
}

impl std::ops::Not for Node {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

/// The only one as it is, several joined.
fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Option<Node> {
    if nodes.len() > 1 { Some(join(nodes)) } else { nodes.pop() }
}
