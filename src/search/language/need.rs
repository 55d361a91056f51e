//! What a block's filters and a raw line must have for a test to hold: necessary, never sufficient.

use super::field::{Column, Field};
use super::literal::required_literals;
use super::tree::{Pattern, Term, Test};
use crate::block::case::push_lowercase;
use crate::block::filter::{ctx_overflow_token, ctx_token, id_token, indexes_ctx};
use crate::block::json::push_escaped;
use crate::block::token_test::TokenTest;
use crate::block::trigram::query_trigrams;

/// Chars of a batch id at the start of an event's id.
const BATCH_CHARS: usize = 26;

/// What a test that holds somewhere needs there.
#[derive(Clone, Debug, Default)]
pub(super) struct Need {
    /// One of these is in the block's id filter; none if that says nothing.
    pub ids: Vec<u64>,
    /// All of these are in its text filter.
    pub trigrams: Vec<u64>,
    /// All of these are in the lower case of the line.
    pub needles: Vec<Vec<u8>>,
}

impl Need {
    pub fn of(term: &Term) -> Self {
        let mut need = Self::default();
        match term {
            Term::Text(text) => need.text(text, "", ""),
            Term::TextRegex(pattern) => need.pattern(pattern),
            Term::Has(Field::Column(column)) if column.is_optional() => need.key(column.name(), true),
            Term::Has(Field::Path(path)) => need.key(last_key(path), false),
            Term::Has(_) => {}
            Term::Field(Field::Column(column), test) => need.column(*column, test),
            Term::Field(Field::Ctx, test) => need.value(test, None),
            Term::Field(Field::Path(path), test) => {
                need.key(last_key(path), true);
                need.value(test, None);
                if let Test::Equal(value) = test
                    && indexes_ctx(path, value)
                {
                    need.ids = vec![ctx_token(path, value), ctx_overflow_token()];
                }
            }
        }
        need.trigrams.sort_unstable();
        need.trigrams.dedup();
        need
    }

    /// What the token filters of a block with such an event admit. Where the id filter knows the value, the text filter
    /// would hardly rule out more, and a server would read both for every block.
    pub fn token_test(&self) -> TokenTest {
        if self.ids.is_empty() {
            TokenTest::text(&self.trigrams)
        } else {
            TokenTest::any(self.ids.iter().map(|&token| TokenTest::Id(token)))
        }
    }

    fn column(&mut self, column: Column, test: &Test) {
        match column {
            // Levels and times are tested at the start of a line, a project needs nothing of it.
            Column::Level | Column::Project | Column::Ts | Column::ReceivedAt => {}
            Column::Id => self.id(test),
            Column::Tags => self.value(test, Some("\"")),
            Column::Message
            | Column::Source
            | Column::Env
            | Column::UserId
            | Column::RequestId
            | Column::Release
            | Column::Stack
            | Column::Fingerprint => {
                if column.is_optional() {
                    self.key(column.name(), true);
                }
                self.value(test, Some(&format!("\"{}\":\"", column.name())));
                let is_indexed = matches!(column, Column::UserId | Column::RequestId | Column::Fingerprint);
                if let Test::Equal(value) = test
                    && is_indexed
                {
                    self.ids = vec![id_token(column.name(), value)];
                }
            }
        }
    }

    /// An event's id stands before what the text filter knows; the batch in it is in the id filter.
    fn id(&mut self, test: &Test) {
        let start = match test {
            Test::Equal(value) => value,
            Test::Wildcard(pieces) => &pieces[0],
            Test::Regex(_) | Test::Compare(..) => return,
        };
        if let Some((batch, rest)) = start.split_at_checked(BATCH_CHARS)
            && rest.starts_with('-')
        {
            self.ids = vec![id_token("batch", batch)];
        }
        self.value(test, Some("\"id\":\""));
        self.trigrams.clear();
    }

    /// What a value that passes needs. `before` is what stands before a value that is always a string.
    fn value(&mut self, test: &Test, before: Option<&str>) {
        let (before, after) = before.map_or(("", ""), |before| (before, "\""));
        match test {
            Test::Equal(value) => self.text(value, before, after),
            Test::Wildcard(pieces) => {
                let last = pieces.len() - 1;
                for (index, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
                    let before = if index == 0 { before } else { "" };
                    self.text(piece, before, if index == last { after } else { "" });
                }
            }
            Test::Regex(pattern) => self.pattern(pattern),
            Test::Compare(..) => {}
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        for literal in required_literals(pattern.text(), pattern.is_any_case()) {
            self.text(&literal, "", "");
        }
    }

    /// A text within a value, with what stands around the value where it reaches its ends.
    fn text(&mut self, text: &str, before: &str, after: &str) {
        self.trigrams.extend(query_trigrams(text));
        let mut escaped = Vec::new();
        push_escaped(text.as_bytes(), &mut escaped);
        let whole = [before.as_bytes(), &escaped, after.as_bytes()].concat();
        let mut needle = Vec::new();
        push_lowercase(&whole, &mut needle);
        if !needle.is_empty() {
            self.needles.push(needle);
        }
    }

    /// A key of the line, or the start of one.
    fn key(&mut self, key: &str, whole: bool) {
        self.text(key, "", if whole { "\":" } else { "" });
    }
}

/// The last key of a path, or the end of a key that has dots itself.
fn last_key(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
