//! A rule's query: read strictly when it is saved, made ready for testing events.
//!
//! A search takes what doesn't parse as text and says so; a rule that did would be silent about what it was made for.

use crate::search::language::Query;
use crate::search::language::field::{Column, Field};
use crate::search::language::tree::{Node, Term};
use crate::timestamp::Timestamp;

/// Reads a rule's query.
///
/// # Errors
/// Why it can't be one, for people.
pub fn parse(text: &str) -> Result<Query, String> {
    // No query that passes looks at the time.
    let (query, warnings) =
        Query::parse(text, Timestamp::from_millis(0)).map_err(|error| error.to_string())?;
    if let Some(warning) = warnings.first() {
        return Err(format!("can't be read: {}", warning.text));
    }
    match query.tree() {
        None => Err("must ask for something".to_owned()),
        Some(tree) if asks_for_time(tree) => {
            Err("must not ask for ts or received_at: a rule counts what comes in window_sec".to_owned())
        }
        Some(_) => Ok(query),
    }
}

fn asks_for_time(node: &Node) -> bool {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(asks_for_time),
        Node::Not(node) => asks_for_time(node),
        Node::Term(Term::Field(field, _) | Term::Has(field)) => {
            matches!(field, Field::Column(Column::Ts | Column::ReceivedAt))
        }
        Node::Term(Term::Text(_) | Term::TextRegex(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_search_would_take_as_text_is_refused() {
        for text in
            ["", "  ", "(declined", "declined OR", "message:/[/", "\"open", "ts:>-5m", "-received_at:>now"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["declined", "level:error (a OR b) -env:staging", "ctx.code:>=500", "message:/ti[mn]e/"] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }
}
