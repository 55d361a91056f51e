//! Arbitrary queries, free ones and such that find something in given events, and a plain evaluator. Tests only.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::field::{Column, Field};
use super::number::Number;
use super::tree::{Comparison, Node, Pattern, Term, Test};
use crate::block::arbitrary::{NOON, text};
use crate::block::case::lowercase;
use crate::event::Level;
use crate::search::samples::SampleEvent;
use crate::timestamp::Timestamp;

/// What arbitrary queries take for now.
pub const NOW: Timestamp = Timestamp::from_millis(NOON);

fn short_text() -> impl Strategy<Value = String> {
    prop_oneof![
        text().prop_map(|text| text.chars().take(8).collect()),
        "[-(): \"*/\\\\<>=ORANDT]{0,5}",
        prop_oneof![
            Just("OR"),
            Just("AND"),
            Just("NOT"),
            Just("-x"),
            Just("level:error"),
            Just("/a/"),
            Just(">5")
        ]
        .prop_map(str::to_owned),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    ("[abkK.+?*| ()0-9]{1,6}|a\\\\/b|[ab]\\\\d+ [\")]|\\[/\\\\/\\]x", any::<bool>()).prop_filter_map(
        "compiles and is no two patterns",
        |(text, any_case)| {
            let plain = text.replace("\\/", "");
            (!plain.contains('/')).then(|| Pattern::new(&text, any_case).ok()).flatten()
        },
    )
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        3 => (0..Column::ALL.len()).prop_map(|index| Field::Column(Column::ALL[index])),
        1 => Just(Field::Ctx),
        2 => "[a-c]{1,2}(\\.[a-cK]{1,2}){0,2}".prop_map(Field::Path),
        1 => short_text().prop_filter("a path is not empty", |text| !text.is_empty()).prop_map(Field::Path),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    (0..Comparison::ALL.len()).prop_map(|index| Comparison::ALL[index])
}

/// A field and a test of it in normal form.
fn field_test() -> impl Strategy<Value = Term> {
    let wildcard = vec(short_text(), 2..4).prop_filter_map("normal form", |mut pieces| {
        let last = pieces.len() - 1;
        let holes = pieces[1..last].iter().any(String::is_empty) || pieces.iter().all(String::is_empty);
        // A * in a piece is itself, as in quotes.
        pieces.truncate(4);
        (!holes).then_some(Test::Wildcard(pieces))
    });
    let other = prop_oneof![wildcard, pattern().prop_map(Test::Regex)];
    let operands = (comparison(), -3..700_i32, any::<bool>(), short_text());
    (field(), other, operands, 0..3_u8).prop_map(|(field, other, (comparison, number, whole, text), kind)| {
        let operand = match &field {
            Field::Column(Column::Level) => Level::ALL[number.unsigned_abs() as usize % 6].name().to_owned(),
            Field::Column(column) if column.is_time() && whole => "-15m".to_owned(),
            Field::Column(column) if column.is_time() => NOW.plus_millis(number.into()).to_string(),
            _ if whole => number.to_string(),
            _ => format!("{number}.5e1"),
        };
        let ordered = matches!(&field, Field::Column(column) if *column == Column::Level || column.is_time());
        let test = match kind {
            0 if ordered => Test::Equal(operand),
            0 => Test::Equal(text),
            1 if ordered && comparison == Comparison::Same => Test::Equal(operand),
            1 => Test::Compare(comparison, operand),
            _ => other,
        };
        Term::Field(field, test)
    })
}

/// Any tree in normal form, of few terms.
pub fn tree() -> impl Strategy<Value = Node> {
    let term = prop_oneof![
        3 => short_text().prop_filter("a word is not empty", |text| !text.is_empty()).prop_map(Term::Text),
        1 => pattern().prop_map(Term::TextRegex),
        4 => field_test(),
        1 => field().prop_map(Term::Has),
    ];
    let tree = term.prop_map(Node::Term).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|nodes| Node::all(nodes).expect("two or more")),
            vec(inner.clone(), 2..4).prop_map(|nodes| Node::any(nodes).expect("two or more")),
            inner.prop_map(|node| !node),
        ]
    });
    tree.prop_filter("few regular expressions", |node| regexes(node) <= super::MAX_REGEXES)
}

fn regexes(node: &Node) -> usize {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().map(regexes).sum(),
        Node::Not(node) => regexes(node),
        Node::Term(Term::TextRegex(_) | Term::Field(_, Test::Regex(_))) => 1,
        Node::Term(_) => 0,
    }
}

/// Numbers that say which part of an event a test is made of.
pub type Recipe = (u8, usize, usize, usize, bool);

/// Any recipe.
pub fn recipe() -> impl Strategy<Value = Recipe> {
    (any::<u8>(), 0..64_usize, 0..6_usize, 1..8_usize, any::<bool>())
}

/// A test that the event often passes.
pub fn term_of(sample: &SampleEvent, (kind, index, from, length, swap): &Recipe) -> Term {
    let all = values(sample);
    let (field, value) = all[index % all.len()].clone();
    let part: String = value.chars().skip(*from).take(*length).collect();
    let cased = |text: &str| if *swap { text.to_ascii_uppercase() } else { text.to_owned() };
    let (first, rest) = value.split_at(value.char_indices().nth(*from).map_or(0, |(at, _)| at));
    match kind % 12 {
        0..=3 if !part.is_empty() => Term::Text(cased(&part)),
        4 => Term::TextRegex(escaped(&part, *swap)),
        5 => Term::Field(field, Test::Regex(escaped(&part, *swap))),
        6 if !value.is_empty() && *length > 4 => Term::Field(
            field,
            Test::Wildcard(vec![cased(first), cased(&rest.chars().skip(*length).collect::<String>())]),
        ),
        6 => Term::Field(field, Test::Wildcard(vec![String::new(), cased(&part), String::new()])),
        7 | 8 => {
            let operand = Number::parse(&value).map_or_else(|| "2".to_owned(), |_| value.clone());
            let comparison = Comparison::ALL[length % Comparison::ALL.len()];
            match &field {
                Field::Column(Column::Level) => Term::Field(field, Test::Compare(comparison, value)),
                Field::Column(column) if column.is_time() => {
                    Term::Field(field, Test::Compare(comparison, value))
                }
                _ => Term::Field(field, Test::Compare(comparison, operand)),
            }
        }
        9 => Term::Has(field),
        10 => Term::Field(Field::Ctx, Test::Equal(cased(&value))),
        _ => Term::Field(field, Test::Equal(cased(&value))),
    }
}

fn escaped(part: &str, any_case: bool) -> Pattern {
    let text = regex::escape(part).replace('/', "\\/");
    let text = if text.is_empty() { "a+".to_owned() } else { text };
    Pattern::new(&text, any_case).expect("escaped text is a regular expression")
}

/// Every value of an event by its field, found without the code under test.
pub fn values(sample: &SampleEvent) -> Vec<(Field, String)> {
    let SampleEvent { id, event } = sample;
    let mut all = vec![
        (Column::Message, event.message.to_string()),
        (Column::Level, event.level.name().to_owned()),
        (Column::Source, event.source.to_string()),
        (Column::Env, event.env.to_string()),
        (Column::Fingerprint, event.fingerprint.to_string()),
        (Column::Id, id.to_string()),
        (Column::Ts, event.ts.to_string()),
        (Column::ReceivedAt, id.batch.received_at().to_string()),
    ];
    let optional = [
        (Column::UserId, &event.user_id),
        (Column::RequestId, &event.request_id),
        (Column::Release, &event.release),
        (Column::Stack, &event.stack),
    ];
    all.extend(
        optional.into_iter().filter_map(|(column, value)| Some((column, value.as_ref()?.to_string()))),
    );
    all.extend(event.tags.iter().map(|tag| (Column::Tags, tag.to_string())));
    let mut all: Vec<_> = all.into_iter().map(|(column, value)| (Field::Column(column), value)).collect();
    if let Some(ctx) = &event.ctx {
        push_values(&serde_json::from_str(ctx.get()).expect("ctx is JSON"), "", &mut all);
    }
    all
}

fn push_values(value: &Value, path: &str, out: &mut Vec<(Field, String)>) {
    let mut push = |text: String| {
        out.push((if path.is_empty() { Field::Ctx } else { Field::Path(path.to_owned()) }, text));
    };
    match value {
        Value::Null => {}
        Value::String(text) => push(text.clone()),
        Value::Bool(_) | Value::Number(_) => push(value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| push_values(item, path, out)),
        Value::Object(fields) => {
            for (key, item) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                push_values(item, &path, out);
            }
        }
    }
}

/// Whether an event matches, decided the plain way.
pub fn naive(node: &Node, sample: &SampleEvent) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|node| naive(node, sample)),
        Node::Any(nodes) => nodes.iter().any(|node| naive(node, sample)),
        Node::Not(node) => !naive(node, sample),
        Node::Term(term) => naive_term(term, &values(sample)),
    }
}

fn naive_term(term: &Term, values: &[(Field, String)]) -> bool {
    let is_text = |field: &Field| !matches!(field, Field::Column(column) if !column.is_searched());
    let mut texts = values.iter().filter(|(field, _)| is_text(field)).map(|(_, text)| text);
    match term {
        Term::Text(part) => texts.any(|text| lowercase(text).contains(&lowercase(part))),
        Term::TextRegex(pattern) => texts.any(|text| pattern.regex().is_match(text)),
        Term::Has(Field::Column(Column::Project)) => true,
        Term::Has(asked) => values.iter().any(|(field, _)| is_in(field, asked) || is_below(field, asked)),
        Term::Field(asked, test) => {
            values.iter().any(|(field, text)| is_in(field, asked) && naive_test(field, test, text))
        }
    }
}

fn is_in(field: &Field, asked: &Field) -> bool {
    match (field, asked) {
        (Field::Ctx | Field::Path(_), Field::Ctx) => true,
        (Field::Path(path), Field::Path(asked)) => lowercase(path) == lowercase(asked),
        (field, asked) => field == asked,
    }
}

fn is_below(field: &Field, asked: &Field) -> bool {
    let (Field::Path(path), Field::Path(asked)) = (field, asked) else { return false };
    lowercase(path).starts_with(&format!("{}.", lowercase(asked)))
}

fn naive_test(field: &Field, asked: &Test, text: &str) -> bool {
    let time = |text: &str| Timestamp::parse_query(text, NOW);
    let is_time = matches!(field, Field::Column(column) if column.is_time());
    match asked {
        Test::Equal(value) if is_time => time(value) == time(text),
        Test::Equal(value) if *field == Field::Column(Column::Level) => {
            Level::parse(value) == Level::parse(text)
        }
        Test::Equal(value) => lowercase(value) == lowercase(text),
        Test::Wildcard(pieces) => {
            let pieces: Vec<_> = pieces.iter().map(|piece| regex::escape(&lowercase(piece))).collect();
            let like = regex::Regex::new(&format!("(?s)^{}$", pieces.join(".*"))).expect("escaped");
            like.is_match(&lowercase(text))
        }
        Test::Regex(pattern) => pattern.regex().is_match(text),
        Test::Compare(comparison, operand) => {
            let order = if is_time {
                time(text).partial_cmp(&time(operand))
            } else if *field == Field::Column(Column::Level) {
                Level::parse(text).partial_cmp(&Level::parse(operand))
            } else {
                Number::parse(text).zip(Number::parse(operand)).and_then(|(left, right)| left.compare(right))
            };
            order.is_some_and(|order| comparison.admits(order))
        }
    }
}
