//! Random queries of the whole language: what the service finds on every database is what a plain evaluation finds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::model::{LEVELS, Random, Spread, event, ids, millis, sort, text, texts};
use crate::reading::{START, Service};
use crate::support::TestDatabase;

const QUERIES: usize = 250;
const WORDS: [&str; 12] =
    ["timeout", "TIMEOUT", "STRASSE", "straße", "disk", "ful", "a\"b", "back\\", "x", "имя", "0.5", "42"];
/// Fields whose values are one text.
const COLUMNS: [&str; 7] = ["message", "source", "env", "user_id", "request_id", "release", "stack"];
const EXPRESSIONS: [&str; 6] =
    ["tim.?out", "^disk", "full$", "r[ei]q-[a-c]+", "[0-9]{2}\\.[0-9]", "(?i)^übel|größe"];
const NUMBERS: [&str; 4] = ["7", "42", "12345678901234567", "-1"];

/// A query.
#[derive(Debug)]
enum Ask {
    Text(String),
    TextLike(&'static str),
    Equal(String, String),
    Starts(String, String),
    Like(String, &'static str),
    Compare(String, &'static str, &'static str),
    Level(&'static str, usize),
    At(&'static str, i64),
    Has(String),
    Not(Box<Ask>),
    All(Vec<Ask>),
    Any(Vec<Ask>),
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Some of a text's characters.
fn part(random: &mut Random, text: &str) -> String {
    let length = text.chars().count();
    let from = random.below(length.max(1));
    text.chars().skip(from).take(1 + random.below(length.max(1))).collect()
}

impl Ask {
    fn random(random: &mut Random, events: &[Value], depth: usize) -> Self {
        let several = |random: &mut Random| -> Vec<Self> {
            (0..2 + random.below(2)).map(|_| Self::random(random, events, depth - 1)).collect()
        };
        match random.below(if depth == 0 { 14 } else { 20 }) {
            0..4 => Self::word(random, events),
            4..14 => Self::of_field(random, events),
            14 | 15 => Self::Not(Box::new(Self::random(random, events, depth - 1))),
            16 | 17 => Self::All(several(random)),
            _ => Self::Any(several(random)),
        }
    }

    fn word(random: &mut Random, events: &[Value]) -> Self {
        if random.chance(20) {
            return Self::TextLike(EXPRESSIONS[random.below(EXPRESSIONS.len())]);
        }
        let choices = texts(&events[random.below(events.len())]);
        let taken = &choices[random.below(choices.len())];
        let word = if random.chance(50) { random.pick(&WORDS).to_owned() } else { part(random, taken) };
        Self::Text(word)
    }

    fn of_field(random: &mut Random, events: &[Value]) -> Self {
        let event = &events[random.below(events.len())];
        let field = match random.below(4) {
            0 => random.pick(&["tags", "ctx.n", "ctx.deep.list", "CTX.n"]).to_owned(),
            _ => random.pick(&COLUMNS).to_owned(),
        };
        let values = values(event, &field);
        let value = match values.len() {
            0 => random.pick(&WORDS).to_owned(),
            count => values[random.below(count)].clone(),
        };
        match random.below(10) {
            0..4 => Self::Equal(field, if random.chance(50) { value.to_uppercase() } else { value }),
            4 | 5 => Self::Starts(field, value.chars().take(1 + random.below(4)).collect()),
            6 => Self::Like(field, EXPRESSIONS[random.below(EXPRESSIONS.len())]),
            7 if random.chance(50) => Self::Compare(
                random.pick(&["ctx.deep.list", "request_id", "message"]).to_owned(),
                random.pick(&[">", ">=", "<", "<=", "="]),
                NUMBERS[random.below(NUMBERS.len())],
            ),
            7 => Self::At(random.pick(&[">", ">=", "<", "<="]), millis(event)),
            8 => Self::Level(random.pick(&["", ">=", "<", "<=", ">"]), random.below(LEVELS.len())),
            _ => Self::Has(
                random
                    .pick(&["user_id", "tags", "stack", "ctx.deep", "ctx.deep.list", "ctx.none"])
                    .to_owned(),
            ),
        }
    }

    /// As it is written in `q`.
    fn written(&self) -> String {
        let joined =
            |list: &[Self], with: &str| list.iter().map(Self::written).collect::<Vec<_>>().join(with);
        match self {
            Self::Text(word) => quoted(word),
            Self::TextLike(pattern) => format!("/{pattern}/"),
            Self::Equal(field, value) => format!("{field}:{}", quoted(value)),
            Self::Starts(field, start) => format!("{field}:{}*", quoted(start)),
            Self::Like(field, pattern) => format!("{field}:/{pattern}/"),
            Self::Compare(field, how, number) => format!("{field}:{how}{number}"),
            Self::Level(how, level) => format!("level:{how}{}", LEVELS[*level]),
            Self::At(how, millis) => format!("ts:{how}{millis}"),
            Self::Has(field) => format!("has:{field}"),
            Self::Not(ask) => format!("NOT ({})", ask.written()),
            Self::All(list) => format!("({})", joined(list, " AND ")),
            Self::Any(list) => format!("({})", joined(list, " OR ")),
        }
    }

    /// Whether an event, as the service showed it, is asked for.
    fn holds(&self, event: &Value) -> bool {
        let any = |field: &str, passes: &dyn Fn(&str) -> bool| {
            values(event, field).iter().any(|value| passes(value))
        };
        match self {
            Self::Text(word) => texts(event).iter().any(|text| text.contains(&word.to_lowercase())),
            Self::TextLike(pattern) => {
                let pattern = expression(pattern);
                let mut fields = COLUMNS.iter().filter(|name| **name != "env").chain(&["tags"]);
                fields.any(|field| any(field, &|value| pattern.is_match(value)))
                    || leaves(&event["ctx"]).iter().any(|value| pattern.is_match(value))
            }
            Self::Equal(field, wanted) => any(field, &|value| value.to_lowercase() == wanted.to_lowercase()),
            Self::Starts(field, start) => {
                any(field, &|value| value.to_lowercase().starts_with(&start.to_lowercase()))
            }
            Self::Like(field, pattern) => any(field, &|value| expression(pattern).is_match(value)),
            Self::Compare(field, how, number) => any(field, &|value| {
                let (value, number) = (number_of(value), number_of(number));
                value.zip(number).is_some_and(|(value, number)| compares(how, &value, &number))
            }),
            Self::Level(how, level) => {
                let own = LEVELS.iter().position(|name| *name == text(event, "level")).unwrap();
                compares(how, &own, level)
            }
            Self::At(how, at) => compares(how, &millis(event), at),
            Self::Has(field) => !values(event, field).is_empty(),
            Self::Not(ask) => !ask.holds(event),
            Self::All(list) => list.iter().all(|ask| ask.holds(event)),
            Self::Any(list) => list.iter().any(|ask| ask.holds(event)),
        }
    }
}

/// One of [`EXPRESSIONS`], compiled once.
fn expression(pattern: &str) -> &'static Regex {
    static COMPILED: LazyLock<BTreeMap<&str, Regex>> =
        LazyLock::new(|| EXPRESSIONS.map(|text| (text, Regex::new(text).unwrap())).into());
    &COMPILED[pattern]
}

fn compares<T: PartialOrd>(how: &str, value: &T, other: &T) -> bool {
    match how {
        ">" => value > other,
        ">=" => value >= other,
        "<" => value < other,
        "<=" => value <= other,
        _ => value == other,
    }
}

/// Whole numbers and decimals as they occur here, exactly enough.
fn number_of(text: &str) -> Option<f64> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let is_number = plain.starts_with(|digit: char| digit.is_ascii_digit())
        && plain.ends_with(|digit: char| digit.is_ascii_digit())
        && plain.chars().all(|digit| digit.is_ascii_digit() || digit == '.');
    is_number.then(|| text.parse().ok()).flatten()
}

fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        other => vec![other.to_string()],
    }
}

/// The values at a field, or below it.
fn values(event: &Value, field: &str) -> Vec<String> {
    let mut at = event;
    for key in field.to_lowercase().split('.') {
        at = &at[key];
    }
    leaves(at)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_finds_what_its_plain_evaluation_finds() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let project = service.project("shop").await;
        let mut random = Random::new(4_711);
        let mut now = START.as_millis();
        for batch in 0..50 {
            let size = *random.pick(&[&1, &2, &5, &12]);
            let events: Vec<Value> = (0..size)
                .map(|n| {
                    let spread = *random.pick(&[&Spread::Narrow, &Spread::Wide]);
                    event(&mut random, batch * 100 + n, now, spread)
                })
                .collect();
            service.post(&project, &events).await;
            let step = i64::try_from(random.below(200_000)).unwrap();
            service.hand.advance(step);
            now += step;
        }
        let mut stored = service.pages("limit=1000").await;
        sort(&mut stored);
        let mut partly = 0;
        for number in 0..QUERIES {
            let ask = Ask::random(&mut random, &stored, 3);
            let query: String = url::form_urlencoded::byte_serialize(ask.written().as_bytes()).collect();
            if ask.written().chars().count() > 1_000 {
                continue;
            }
            let page = service.page(&format!("order=asc&limit=1000&q={query}")).await;
            let found = page["logs"].as_array().unwrap();
            let expected: Vec<Value> = stored.iter().filter(|event| ask.holds(event)).cloned().collect();
            let says = format!("{}: query {number}: {}", database.name, ask.written());
            assert_eq!(page["warnings"], json!([]), "{says}");
            assert_eq!(ids(found), ids(&expected), "{says}");
            partly += usize::from(!expected.is_empty() && expected.len() < stored.len());
        }
        assert!(partly > QUERIES / 3, "{}: only {partly} queries found some and not all", database.name);
        service.stop().await;
        database.remove().await;
    }
}
