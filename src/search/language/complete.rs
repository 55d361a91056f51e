//! What is being typed at a place in a query, for offering how it may go on.

use std::ops::Range;

use super::field::Field;
use super::lexer::{self, Kind, Name, Token};

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A word, or the name of a field.
    Term,
    /// A field's name, after `has:`.
    Name,
    /// A value of this field.
    Value(Field),
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What may stand here.
    pub place: Place,
    /// What is typed of it up to the cursor, without an opening quote.
    pub typed: String,
    /// The bytes of the query that a completion replaces; an opening quote is among them.
    pub replaces: Range<usize>,
}

/// What is being typed at `cursor`, in bytes; one inside a char or beyond the end is taken as before it.
#[must_use]
pub fn completion(text: &str, cursor: usize) -> Completion {
    let cursor = (0..=cursor.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let before = &text[..cursor];
    let lexer::Tokens { list: mut tokens, open_quote } = lexer::tokens(before);
    let start = if let Some(quote) = open_quote {
        tokens.retain(|token| token.span.start < quote);
        // A comparison may stand before the quote in the same token.
        tokens.pop_if(|token| token.span.end > quote);
        quote
    } else {
        let current = tokens.pop_if(|token| token.span.end == cursor && is_word(token));
        current.map_or(cursor, |token| token.span.start)
    };
    let named = match tokens.last() {
        Some(Token { kind: Kind::Name(name), span }) if joins(text, span.end, start) => Some(name),
        _ => enclosing(&tokens),
    };
    let place = match named {
        None => Place::Term,
        Some(Name::Has) => Place::Name,
        Some(Name::Field(field)) => Place::Value(field.clone()),
    };
    let skipped = sign_length(&before[start..], &place);
    let typed = &before[start + skipped..];
    let typed = typed.strip_prefix('"').unwrap_or(typed).to_owned();
    Completion { place, typed, replaces: start + skipped..end(text, cursor, open_quote.is_some()) }
}

fn is_word(token: &Token) -> bool {
    matches!(token.kind, Kind::Atom(_) | Kind::Regex { .. } | Kind::Or | Kind::And | Kind::Not)
}

/// Whether only a comparison stands between a name and its value.
fn joins(text: &str, name_end: usize, value_start: usize) -> bool {
    text[name_end..value_start].bytes().all(|byte| matches!(byte, b'<' | b'>' | b'='))
}

/// Bytes of a comparison at the start of a value.
fn sign_length(value: &str, place: &Place) -> usize {
    let is_value = matches!(place, Place::Value(_));
    if is_value { value.len() - value.trim_start_matches(['<', '>', '=']).len() } else { 0 }
}

/// The name before the innermost open parenthesis that has one.
fn enclosing(tokens: &[Token]) -> Option<&Name> {
    let mut open: Vec<Option<&Name>> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => {
                let before = index.checked_sub(1).and_then(|index| tokens.get(index));
                let name = match before {
                    Some(Token { kind: Kind::Name(name), span }) if span.end == token.span.start => {
                        Some(name)
                    }
                    _ => open.last().copied().flatten(),
                };
                open.push(name);
            }
            Kind::Close => drop(open.pop()),
            _ => {}
        }
    }
    open.last().copied().flatten()
}

/// Where the word or phrase at the cursor ends.
fn end(text: &str, cursor: usize, in_quotes: bool) -> usize {
    let rest = &text[cursor..];
    let word =
        || rest.find(|ch: char| ch.is_whitespace() || matches!(ch, '(' | ')' | ':')).unwrap_or(rest.len());
    let length = if in_quotes { rest.find('"').map_or_else(word, |quote| quote + 1) } else { word() };
    cursor + length
}

#[cfg(test)]
#[path = "complete_tests.rs"]
mod tests;
