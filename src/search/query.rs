//! The text part of a search: words and phrases that must, or must not, be contained.
//!
//! A bare word or `"quoted phrase"` (with `\"` and `\\` inside) is a term; `-` before it negates it; all must hold. A
//! term is contained, in any case, in message, stack, source, `user_id`, `request_id`, a tag, release or a value in
//! `ctx`; keys, level, env and ids are not searched. What doesn't parse is searched as text with a warning.

use std::fmt;
use std::ops::ControlFlow;

use memchr::memmem::Finder;

use crate::block::case::{lowercase, push_lowercase};
use crate::block::decode::StoredEvent;
use crate::block::json::{for_each_value, push_escaped};
use crate::block::trigram::query_trigrams;

/// Most chars in a query.
pub const MAX_CHARS: usize = 1_000;
/// Most terms in a query.
pub const MAX_TERMS: usize = 32;

/// A query that is refused. Its text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// More than [`MAX_CHARS`].
    TooLong,
    /// More than [`MAX_TERMS`].
    TooManyTerms,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "q has more than {MAX_CHARS} characters"),
            Self::TooManyTerms => write!(f, "q has more than {MAX_TERMS} terms"),
        }
    }
}

impl std::error::Error for QueryError {}

/// One word or phrase.
#[derive(Clone, Debug)]
pub struct Term {
    text: String,
    negated: bool,
    finder: Finder<'static>,
}

impl Term {
    fn new(text: &str, negated: bool) -> Self {
        let text = lowercase(text);
        let finder = Finder::new(&text).into_owned();
        Self { text, negated, finder }
    }

    /// What is looked for, in lower case, never empty.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it must be absent.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// What a stored line has, in lower case, if one of its texts contains the term.
    #[must_use]
    pub fn stored_form(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_escaped(self.text.as_bytes(), &mut out);
        out
    }
}

/// A parsed query; the empty one matches everything.
#[derive(Clone, Debug, Default)]
pub struct TextQuery {
    terms: Vec<Term>,
}

impl TextQuery {
    /// Reads a query, with a warning for each part that was not taken as its spelling suggests.
    ///
    /// # Errors
    /// If it is longer than [`MAX_CHARS`] or has more than [`MAX_TERMS`].
    pub fn parse(text: &str) -> Result<(Self, Vec<String>), QueryError> {
        if text.chars().nth(MAX_CHARS).is_some() {
            return Err(QueryError::TooLong);
        }
        let mut query = Self::default();
        let mut warnings = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, after) = read_term(rest, &mut warnings);
            if query.terms.len() == MAX_TERMS {
                return Err(QueryError::TooManyTerms);
            }
            query.terms.extend(term);
            rest = after.trim_start();
        }
        Ok((query, warnings))
    }

    /// The terms, in the order they were written.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether it has no terms.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Tokens that the text filter of every block with a match admits.
    #[must_use]
    pub fn trigrams(&self) -> Vec<u64> {
        self.terms.iter().filter(|term| !term.negated).flat_map(|term| query_trigrams(&term.text)).collect()
    }

    /// Whether each term holds for an event.
    #[must_use]
    pub fn matches(&self, event: &StoredEvent<'_>) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        let mut found = vec![false; self.terms.len()];
        let mut lowered = Vec::new();
        let _ = for_each_text(event, |text| {
            lowered.clear();
            push_lowercase(text.as_bytes(), &mut lowered);
            for (term, found) in self.terms.iter().zip(&mut found) {
                *found = *found || term.finder.find(&lowered).is_some();
                if *found && term.negated {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        self.terms.iter().zip(found).all(|(term, found)| found != term.negated)
    }
}

/// Calls `visit` with every text of an event that a term may be contained in, until it breaks.
pub fn for_each_text(
    event: &StoredEvent<'_>,
    mut visit: impl FnMut(&str) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(&event.message)?;
    visit(&event.source)?;
    for text in [&event.stack, &event.user_id, &event.request_id, &event.release].into_iter().flatten() {
        visit(text)?;
    }
    for tag in &event.tags {
        visit(tag)?;
    }
    let mut flow = ControlFlow::Continue(());
    if let Some(ctx) = event.ctx {
        for_each_value(ctx.get(), |_, text| {
            flow = visit(text);
            flow
        });
    }
    flow
}

/// The first term of `text`, which doesn't start with a space, and what follows it. An empty phrase is no term.
fn read_term<'a>(text: &'a str, warnings: &mut Vec<String>) -> (Option<Term>, &'a str) {
    let (negated, word) = match text.strip_prefix('-') {
        Some(word) if word.starts_with(|ch: char| !ch.is_whitespace()) => (true, word),
        _ => (false, text),
    };
    if let Some(quoted) = word.strip_prefix('"') {
        if let Some((phrase, after)) = read_phrase(quoted) {
            let term = (!phrase.is_empty()).then(|| Term::new(&phrase, negated));
            return (term, after);
        }
        warnings.push("a quote is not closed, so it is searched as text".to_owned());
    }
    let end = word.find(char::is_whitespace).unwrap_or(word.len());
    (Some(Term::new(&word[..end], negated)), &word[end..])
}

/// A phrase without its quotes and escapes, and what follows its closing quote; `None` if there is none.
fn read_phrase(text: &str) -> Option<(String, &str)> {
    let mut phrase = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((phrase, chars.as_str())),
            '\\' if chars.as_str().starts_with(['"', '\\']) => phrase.extend(chars.next()),
            other => phrase.push(other),
        }
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
