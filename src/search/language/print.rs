//! A tree as the one text that stands for it: what [`super::parser`] reads back as the same tree.

use std::fmt::{self, Display, Formatter, Write};

use super::field::Field;
use super::tree::{Node, Pattern, Term, Test};

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(nodes) => joined(nodes, " OR ", f, |node, f| match node {
                Self::All(parts) => joined(parts, " AND ", f, grouped),
                other => other.fmt(f),
            }),
            Self::All(nodes) => joined(nodes, " ", f, grouped),
            Self::Not(node) => {
                f.write_char('-')?;
                grouped(node, f)
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

fn joined(
    nodes: &[Node],
    between: &str,
    f: &mut Formatter<'_>,
    write: impl Fn(&Node, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write(node, f)?;
    }
    Ok(())
}

/// In parentheses if it is more than one test.
fn grouped(node: &Node, f: &mut Formatter<'_>) -> fmt::Result {
    match node {
        Node::All(_) | Node::Any(_) => write!(f, "({node})"),
        Node::Not(_) | Node::Term(_) => node.fmt(f),
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if is_plain_word(text) => f.write_str(text),
            Self::Text(text) => write_quoted(text, f),
            Self::TextRegex(pattern) => pattern.fmt(f),
            Self::Field(field, test) => {
                write_name(field, f)?;
                f.write_char(':')?;
                test.fmt(f)
            }
            Self::Has(field) => {
                f.write_str("has:")?;
                write_name(field, f)
            }
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(value) => write_value(value, f),
            Self::Regex(pattern) => pattern.fmt(f),
            Self::Compare(comparison, operand) => {
                f.write_str(comparison.sign())?;
                write_value(operand, f)
            }
            Self::Wildcard(pieces) => {
                for (index, piece) in pieces.iter().enumerate() {
                    if index > 0 {
                        f.write_char('*')?;
                    }
                    if !piece.is_empty() {
                        write_value(piece, f)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.text(), if self.is_any_case() { "i" } else { "" })
    }
}

fn write_name(field: &Field, f: &mut Formatter<'_>) -> fmt::Result {
    match field {
        Field::Path(path) if !path.chars().all(is_plain) => write_quoted(&field.to_string(), f),
        other => other.fmt(f),
    }
}

fn write_value(value: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let is_plain = !value.is_empty() && value.chars().all(|ch| is_plain(ch) || ch == ':');
    if is_plain { f.write_str(value) } else { write_quoted(value, f) }
}

fn write_quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for ch in text.chars() {
        if matches!(ch, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(ch)?;
    }
    f.write_char('"')
}

fn is_plain_word(text: &str) -> bool {
    text.chars().all(is_plain) && !text.starts_with('-') && !matches!(text, "OR" | "AND" | "NOT")
}

/// Whether a char means nothing anywhere but itself.
fn is_plain(ch: char) -> bool {
    ch.is_alphanumeric() || matches!(ch, '_' | '-' | '.' | '@' | '+' | ',')
}
