//! Tokens as a tree. Nothing is refused but what is beyond a bound: the rest is searched as text, with a warning.

use std::ops::Range;

use super::field::{Column, Field};
use super::lexer::{self, Kind, Name, Segment, Token};
use super::number::Number;
use super::pair::pair_tokens;
use super::tree::{Comparison, Node, Pattern, Term, Test};
use super::{MAX_CHARS, MAX_DEPTH, MAX_REGEXES, MAX_TERMS, QueryError};
use crate::event::Level;
use crate::timestamp::Timestamp;

/// Most warnings kept.
const MAX_WARNINGS: usize = 16;
/// Most chars of the query repeated in a warning.
const MAX_CITED: usize = 60;

/// Something that was not taken as its spelling suggests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, in bytes of the query.
    pub span: Range<usize>,
    /// What and why, for people.
    pub text: String,
}

impl Warning {
    pub(super) fn new(span: Range<usize>, text: &str) -> Self {
        Self { span, text: text.to_owned() }
    }
}

/// Reads a query; `None` is the empty one.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<(Option<Node>, Vec<Warning>), QueryError> {
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(QueryError::TooLong);
    }
    let lexer::Tokens { list: mut tokens, open_quote } = lexer::tokens(text);
    let mut warnings = Vec::new();
    if let Some(at) = open_quote {
        warnings.push(Warning::new(at..at + 1, "a quote is not closed, so it is searched as text"));
    }
    if pair_tokens(text, &mut tokens, &mut warnings) > MAX_DEPTH {
        return Err(QueryError::TooDeep);
    }
    let mut parser = Parser { text, now, tokens: &tokens, at: 0, terms: 0, regexes: 0, warnings };
    let tree = parser.read_any(None);
    if parser.terms > MAX_TERMS {
        return Err(QueryError::TooManyTerms);
    }
    let mut warnings = parser.warnings;
    warnings.sort_by_key(|warning| warning.span.start);
    warnings.truncate(MAX_WARNINGS);
    Ok((tree, warnings))
}

/// Goes through balanced tokens; it calls itself once a parenthesis, which are [`MAX_DEPTH`] deep at most.
struct Parser<'a> {
    text: &'a str,
    now: Timestamp,
    tokens: &'a [Token],
    at: usize,
    terms: usize,
    regexes: usize,
    warnings: Vec<Warning>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    /// What stands between ORs, up to the end or the parenthesis that closes it. `name` is that of the values in it.
    fn read_any(&mut self, name: Option<&Name>) -> Option<Node> {
        let mut branches = Vec::new();
        loop {
            branches.extend(self.read_all(name));
            match self.peek() {
                Some(token) if token.kind == Kind::Or => self.at += 1,
                _ => return Node::any(branches),
            }
        }
    }

    fn read_all(&mut self, name: Option<&Name>) -> Option<Node> {
        let mut parts = Vec::new();
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Or | Kind::Close => break,
                Kind::And => self.at += 1,
                _ => parts.extend(self.read_one(name)),
            }
        }
        Node::all(parts)
    }

    fn read_one(&mut self, name: Option<&Name>) -> Option<Node> {
        let mut negated = false;
        while self.peek().is_some_and(|token| matches!(token.kind, Kind::Not | Kind::Minus)) {
            negated = !negated;
            self.at += 1;
        }
        let node = self.read_operand(name)?;
        Some(if negated { !node } else { node })
    }

    fn read_operand(&mut self, name: Option<&Name>) -> Option<Node> {
        let token = self.peek()?;
        self.at += 1;
        match &token.kind {
            Kind::Open => {
                let node = self.read_any(name);
                self.at += 1;
                node
            }
            Kind::Name(inner) => self.read_named(inner, token),
            Kind::Atom(segments) if name.is_none() => self.texts(segments, &token.span),
            Kind::Regex { pattern, any_case } if name.is_none() => {
                let term = self.pattern(pattern, *any_case).map(Term::TextRegex);
                Some(self.term_or_text(term, token.span.clone()))
            }
            Kind::Atom(_) | Kind::Regex { .. } => Some(self.valued(name?, token, token.span.clone())),
            // Pairing has left none of these here.
            Kind::Close | Kind::Or | Kind::And | Kind::Not | Kind::Minus => None,
        }
    }

    /// What follows a name: a value, values in parentheses, or nothing, which makes the name text.
    fn read_named(&mut self, name: &Name, token: &Token) -> Option<Node> {
        let next = self.peek().filter(|next| next.span.start == token.span.end);
        match next.map(|next| (&next.kind, next)) {
            Some((Kind::Open, _)) => {
                self.at += 1;
                let node = self.read_any(Some(name));
                self.at += 1;
                node
            }
            Some((Kind::Atom(_) | Kind::Regex { .. }, next)) => {
                self.at += 1;
                Some(self.valued(name, next, token.span.start..next.span.end))
            }
            _ => Some(self.term_or_text(Err("has no value".to_owned()), token.span.clone())),
        }
    }

    /// A test of the named field; `span` is what is searched as text if the value makes no sense.
    fn valued(&mut self, name: &Name, value: &Token, span: Range<usize>) -> Node {
        let term = match (name, &value.kind) {
            (Name::Has, Kind::Atom(segments)) => has(segments),
            (Name::Field(field), Kind::Atom(segments)) => self.test(field, segments),
            (Name::Field(field), Kind::Regex { pattern, any_case }) => self
                .pattern(pattern, *any_case)
                .map(|pattern| Term::Field(field.clone(), Test::Regex(pattern))),
            _ => Err("is not has: and a field's name".to_owned()),
        };
        self.term_or_text(term, span)
    }

    fn term_or_text(&mut self, term: Result<Term, String>, span: Range<usize>) -> Node {
        self.terms += 1;
        let written = &self.text[span.clone()];
        let term = term.unwrap_or_else(|why| {
            let text = format!("{} {why}, so it is searched as text", cited(written));
            self.warnings.push(Warning { span, text });
            Term::Text(written.to_owned())
        });
        Node::Term(term)
    }

    /// Words and phrases without a name.
    fn texts(&mut self, segments: &[Segment], span: &Range<usize>) -> Option<Node> {
        let mut parts = Vec::new();
        for segment in segments {
            let text = match segment {
                Segment::Quoted(text) => text,
                Segment::Raw(text) => {
                    if let Some(hint) = hint(text) {
                        self.warnings.push(Warning { span: span.clone(), text: hint });
                    }
                    text
                }
            };
            if !text.is_empty() {
                self.terms += 1;
                parts.push(Node::Term(Term::Text(text.clone())));
            }
        }
        Node::all(parts)
    }

    fn pattern(&mut self, pattern: &str, any_case: bool) -> Result<Pattern, String> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return Err(format!("is more than the {MAX_REGEXES} regular expressions of a query"));
        }
        Pattern::new(pattern, any_case).map_err(str::to_owned)
    }

    /// The test of a field that a value as written stands for.
    fn test(&self, field: &Field, segments: &[Segment]) -> Result<Term, String> {
        let test = match segments {
            [Segment::Quoted(text)] => Test::Equal(text.clone()),
            [Segment::Raw(text)] => match comparison(text) {
                Some((_, "")) => return Err("has nothing to compare with".to_owned()),
                Some((comparison, operand)) => Test::Compare(comparison, operand.to_owned()),
                None if text.contains('*') => wildcard(segments),
                None => Test::Equal(text.clone()),
            },
            [Segment::Raw(sign), Segment::Quoted(operand)] => match comparison(sign) {
                Some((comparison, "")) => Test::Compare(comparison, operand.clone()),
                _ => wildcard(segments),
            },
            _ => wildcard(segments),
        };
        match test {
            Test::Wildcard(pieces) if pieces.iter().all(String::is_empty) => Ok(Term::Has(field.clone())),
            test => Ok(Term::Field(field.clone(), self.checked(field, test)?)),
        }
    }

    /// The test, in normal form, if the field can be tested so.
    fn checked(&self, field: &Field, test: Test) -> Result<Test, String> {
        let (Test::Equal(operand) | Test::Compare(_, operand)) = &test else { return Ok(test) };
        match field {
            Field::Column(Column::Level) if Level::parse(operand).is_none() => {
                return Err("asks for no level (trace, debug, info, warn, error, fatal)".to_owned());
            }
            Field::Column(column)
                if column.is_time() && Timestamp::parse_query(operand, self.now).is_none() =>
            {
                return Err("asks for no time (RFC 3339, epoch, now, or relative as -15m)".to_owned());
            }
            _ => {}
        }
        let ordered = matches!(field, Field::Column(column) if *column == Column::Level || column.is_time());
        match test {
            Test::Compare(Comparison::Same, operand) if ordered || Number::parse(&operand).is_none() => {
                Ok(Test::Equal(operand))
            }
            Test::Compare(_, operand) if !ordered && Number::parse(&operand).is_none() => {
                Err("compares with no number".to_owned())
            }
            test => Ok(test),
        }
    }
}

fn has(segments: &[Segment]) -> Result<Term, String> {
    let [Segment::Raw(name) | Segment::Quoted(name)] = segments else {
        return Err("is not has: and a field's name".to_owned());
    };
    Field::parse(name).map(Term::Has).ok_or_else(|| "names no field".to_owned())
}

/// The comparison a value starts with, and what follows it.
fn comparison(text: &str) -> Option<(Comparison, &str)> {
    Comparison::ALL.into_iter().find_map(|one| Some((one, text.strip_prefix(one.sign())?)))
}

/// The pieces between `*`, those in the middle that are empty left out.
fn wildcard(segments: &[Segment]) -> Test {
    let mut pieces = vec![String::new()];
    for segment in segments {
        let mut parts = match segment {
            Segment::Raw(text) => text.split('*').map(str::to_owned).collect(),
            Segment::Quoted(text) => vec![text.clone()],
        }
        .into_iter();
        if let (Some(last), Some(part)) = (pieces.last_mut(), parts.next()) {
            last.push_str(&part);
        }
        pieces.extend(parts);
    }
    let last = pieces.len() - 1;
    let mut index = 0;
    pieces.retain(|piece| {
        index += 1;
        index == 1 || index - 1 == last || !piece.is_empty()
    });
    Test::Wildcard(pieces)
}

/// A hint about a word that looks as if more was meant than that it is contained.
fn hint(word: &str) -> Option<String> {
    if word.len() > 1 && (word.starts_with('*') || word.ends_with('*')) {
        let cited = cited(word);
        return Some(format!(
            "{cited} is searched with its *, which stands for anything only behind a field's name"
        ));
    }
    let (name, value) = word.split_once(':')?;
    let is_name = name.starts_with(|ch: char| ch.is_ascii_alphabetic() || ch == '_')
        && name.chars().all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '.' | '-'));
    if !is_name || value.is_empty() || value.starts_with(['/', '\\', ':']) {
        return None;
    }
    let (name, cited) = (cited(name), cited(word));
    Some(format!("{name} is not a field, so {cited} is searched as text; a value in ctx is ctx.{name}"))
}

/// Text of the query as a warning repeats it.
fn cited(text: &str) -> String {
    let mut cited: String = text.chars().take(MAX_CITED).collect();
    if cited.len() < text.len() {
        cited.push('…');
    }
    cited
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
