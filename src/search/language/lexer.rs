//! A query's text as tokens with their places, in one pass.
//!
//! A token is read the same wherever it stands, so that neither a parenthesis nor a name changes what follows far
//! away. Whether parentheses and operators have their partners is for [`super::pair`].

use std::ops::Range;

use super::field::Field;
use super::tree::Comparison;

/// A part of a word or phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// As written.
    Raw(String),
    /// What stood in quotes, without them and their escapes.
    Quoted(String),
}

/// What stands before the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `has:`
    Has,
    /// A field.
    Field(Field),
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("has") { Some(Self::Has) } else { Field::parse(text).map(Self::Field) }
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(`
    Open,
    /// `)`
    Close,
    /// The word OR.
    Or,
    /// The word AND.
    And,
    /// The word NOT.
    Not,
    /// A `-` before what it negates.
    Minus,
    /// A name and its colon; its value is the next token if that starts where this ends.
    Name(Name),
    /// A word, phrase or value; never without segments.
    Atom(Vec<Segment>),
    /// `/pattern/`, with `i` behind for any case.
    Regex {
        /// What stands between the slashes.
        pattern: String,
        /// Whether `i` follows.
        any_case: bool,
    },
}

/// A token and the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// What a text was read as.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// In order, none overlapping.
    pub list: Vec<Token>,
    /// The first quote that starts a phrase but has no end.
    pub open_quote: Option<usize>,
}

/// Reads a text.
pub(super) fn tokens(text: &str) -> Tokens {
    let mut lexer = Lexer { text, at: 0, out: Tokens::default() };
    loop {
        let rest = lexer.rest();
        lexer.at += rest.len() - rest.trim_start().len();
        let Some(first) = lexer.rest().chars().next() else { return lexer.out };
        lexer.read_token(first);
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Tokens,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Takes the bytes up to `end` as a token.
    fn push(&mut self, kind: Kind, end: usize) {
        self.out.list.push(Token { kind, span: self.at..end });
        self.at = end;
    }

    fn read_token(&mut self, first: char) {
        match first {
            '(' => self.push(Kind::Open, self.at + 1),
            ')' => self.push(Kind::Close, self.at + 1),
            '-' if self.negates() => self.push(Kind::Minus, self.at + 1),
            _ => {
                if let Some((kind, length)) = keyword(self.rest()) {
                    self.push(kind, self.at + length);
                } else if let Some((name, end)) = self.name() {
                    self.push(Kind::Name(name), end);
                    if self.rest().chars().next().is_some_and(|next| next != '(' && !is_end(next)) {
                        self.read_value();
                    }
                } else {
                    self.read_value();
                }
            }
        }
    }

    /// Whether the `-` here negates what follows; a second one doesn't.
    fn negates(&self) -> bool {
        let after_minus =
            self.out.list.last().is_some_and(|last| last.kind == Kind::Minus && last.span.end == self.at);
        !after_minus && self.rest()[1..].starts_with(|next| !is_end(next))
    }

    /// A known name and its colon here, and where they end. In quotes only if a value follows at once.
    fn name(&self) -> Option<(Name, usize)> {
        let rest = self.rest();
        if rest.starts_with('"') {
            let (name, end) = quoted(self.text, self.at)?;
            let value = self.text[end..].strip_prefix(':')?;
            return Some((Name::parse(&name).filter(|_| value.starts_with(|next| !is_end(next)))?, end + 1));
        }
        let stop = rest.find(|ch: char| matches!(ch, ':' | '"' | '(') || is_end(ch))?;
        let name = rest[stop..].starts_with(':').then(|| Name::parse(&rest[..stop]))??;
        Some((name, self.at + stop + 1))
    }

    fn read_value(&mut self) {
        if let Some((kind, end)) = self.regex() {
            self.push(kind, end);
        } else {
            let (segments, end) = self.atom();
            self.push(Kind::Atom(segments), end);
        }
    }

    /// `/pattern/` or `/pattern/i` here if its end is the end of a word, and where it ends. `/var/log` is none.
    fn regex(&self) -> Option<(Kind, usize)> {
        let body = self.rest().strip_prefix('/')?;
        let mut escaped = false;
        let length = body.bytes().position(|byte| {
            let ends = byte == b'/' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (pattern, after) = body.split_at(length.filter(|&length| length > 0)?);
        let after = &after[1..];
        let flag = after.strip_prefix('i');
        let ends = |after: &str| after.chars().next().is_none_or(is_end);
        let (any_case, after) = match flag {
            Some(after) if ends(after) => (true, after),
            _ if ends(after) => (false, after),
            _ => return None,
        };
        Some((Kind::Regex { pattern: pattern.to_owned(), any_case }, self.text.len() - after.len()))
    }

    /// The word or phrase here, and where it ends. Parentheses that a word opens itself are part of it.
    fn atom(&mut self) -> (Vec<Segment>, usize) {
        let mut segments = Vec::new();
        let (mut start, mut at, mut depth) = (self.at, self.at, 0_usize);
        while let Some(ch) = self.text[at..].chars().next() {
            let raw = &self.text[start..at];
            match ch {
                '"' if may_open_quote(raw, segments.is_empty()) => match quoted(self.text, at) {
                    Some((phrase, end)) => {
                        push_raw(raw, &mut segments);
                        segments.push(Segment::Quoted(phrase));
                        (start, at) = (end, end);
                        if self.text[end..].starts_with('*') {
                            continue;
                        }
                        break;
                    }
                    None => {
                        self.out.open_quote.get_or_insert(at);
                    }
                },
                '(' => depth += 1,
                ')' if depth == 0 => break,
                ')' => depth -= 1,
                _ if is_end(ch) => break,
                _ => {}
            }
            at += ch.len_utf8();
        }
        push_raw(&self.text[start..at], &mut segments);
        (segments, at)
    }
}

fn push_raw(raw: &str, segments: &mut Vec<Segment>) {
    if !raw.is_empty() {
        segments.push(Segment::Raw(raw.to_owned()));
    }
}

/// What ends a word.
fn is_end(ch: char) -> bool {
    ch.is_whitespace() || ch == ')'
}

/// Whether a quote behind this opens a phrase: at the start, after a comparison there, and after a `*`.
fn may_open_quote(raw: &str, first: bool) -> bool {
    raw.ends_with('*') || (first && (raw.is_empty() || Comparison::ALL.iter().any(|one| one.sign() == raw)))
}

fn keyword(text: &str) -> Option<(Kind, usize)> {
    let ends = |length: usize| text[length..].chars().next().is_none_or(|next| next == '(' || is_end(next));
    let words = [("OR", Kind::Or), ("AND", Kind::And), ("NOT", Kind::Not)];
    let found = words.into_iter().find(|(word, _)| text.starts_with(word) && ends(word.len()));
    found.map(|(word, kind)| (kind, word.len()))
}

/// The phrase whose opening quote is at `start`, without quotes and escapes, and where it ends; `None` if it doesn't.
fn quoted(text: &str, start: usize) -> Option<(String, usize)> {
    let mut phrase = String::new();
    let mut chars = text[start + 1..].chars();
    loop {
        match chars.next()? {
            '"' => return Some((phrase, text.len() - chars.as_str().len())),
            '\\' if chars.as_str().starts_with(['"', '\\']) => phrase.extend(chars.next()),
            other => phrase.push(other),
        }
    }
}
