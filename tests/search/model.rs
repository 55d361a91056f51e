//! Random events and filters, and the plain in-memory filter that the service's answers are compared with.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::reading::START;

/// A small generator whose whole sequence follows from its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % end as u64).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

pub const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
const SOURCES: [&str; 4] = ["api", "worker", "Größe", "cron-job"];
const ENVS: [&str; 3] = ["production", "staging", "Test"];
const USERS: [&str; 4] = ["u-1001", "u-1002", "ÜSER", "Anna Berg"];
const REQUESTS: [&str; 4] = ["req-aaaa-1", "req-bbbb-2", "REQ-CCCC-3", "7"];
const WORDS: [&str; 12] = [
    "timeout",
    "Timeout",
    "straße",
    "disk",
    "full",
    "a\"b",
    "back\\slash",
    "x",
    "ИМЯ",
    "line\nbreak",
    "10.5",
    "0042",
];

/// How an event's time relates to its receipt.
#[derive(Clone, Copy)]
pub enum Spread {
    /// The last seconds, many times the same.
    Narrow,
    /// The last 50 minutes.
    Wide,
    /// Hours to two days ago.
    Late,
}

/// A random event as a client sends it, received at `now`; its marker is in `ctx.n`.
pub fn event(random: &mut Random, number: usize, now: i64, spread: Spread) -> Value {
    let age = match spread {
        Spread::Narrow => random.below(4) * 500,
        Spread::Wide => random.below(50 * 60) * 1_000,
        Spread::Late => 2 * 3_600_000 + random.below(46 * 3_600) * 1_000,
    };
    let mut message = String::new();
    for _ in 0..=random.below(4) {
        let _ = write!(message, "{} ", random.pick(&WORDS));
    }
    let mut event = json!({
        "message": message.trim(),
        "level": random.pick(&LEVELS),
        "ts": now - i64::try_from(age).unwrap(),
        "source": random.pick(&SOURCES),
        "env": random.pick(&ENVS),
        "ctx": { "n": format!("n{number}") },
    });
    let fields = event.as_object_mut().unwrap();
    let optional: [(&str, &[&str]); 4] =
        [("user_id", &USERS), ("request_id", &REQUESTS), ("release", &["v1.2.3", "Beta"]), ("stack", &WORDS)];
    for (name, values) in optional {
        if random.chance(40) {
            fields.insert(name.to_owned(), json!(random.pick(values)));
        }
    }
    if random.chance(30) {
        fields.insert("tags".to_owned(), json!([random.pick(&WORDS), "tagged"]));
    }
    if random.chance(30) {
        fields["ctx"]["deep"] =
            json!({ "list": [random.pick(&WORDS), 12_345_678_901_234_567_u64, true, null] });
    }
    event
}

/// A random search: its query string but for paging, and the same as data.
#[derive(Debug, Default)]
pub struct Filter {
    pub query: String,
    projects: Vec<String>,
    levels: Vec<String>,
    from: Option<i64>,
    to: Option<i64>,
    sources: Vec<String>,
    envs: Vec<String>,
    user_id: Option<String>,
    request_id: Option<String>,
    fingerprint: Option<String>,
    terms: Vec<(bool, String)>,
    pub ascending: bool,
}

impl Filter {
    /// Mostly of one or two conditions, with values that occur.
    pub fn random(random: &mut Random, events: &[Value], slugs: &[&str]) -> Self {
        let mut filter = Self::default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if random.chance(40) {
            filter.projects = vec![random.pick(slugs).to_owned()];
            query.append_pair("project_id", &filter.projects[0]);
        }
        let list = |random: &mut Random, from: &[&str]| -> Vec<String> {
            (0..=random.below(2)).map(|_| random.pick(from).to_owned()).collect()
        };
        let lists: [(&str, &[&str], &mut Vec<String>); 3] = [
            ("level", &LEVELS, &mut filter.levels),
            ("source", &SOURCES, &mut filter.sources),
            ("env", &ENVS, &mut filter.envs),
        ];
        for (name, choices, values) in lists {
            if random.chance(25) {
                *values = list(random, choices);
                query.append_pair(name, &values.join(","));
            }
        }
        for (name, choices, value) in
            [("user_id", &USERS, &mut filter.user_id), ("request_id", &REQUESTS, &mut filter.request_id)]
        {
            if random.chance(12) {
                // Equal in any case.
                let wanted = random.pick(choices).to_lowercase();
                query.append_pair(name, &wanted);
                *value = Some(wanted);
            }
        }
        if random.chance(10) {
            let event = &events[random.below(events.len())];
            filter.fingerprint = Some(text(event, "fingerprint").to_owned());
            query.append_pair("fingerprint", text(event, "fingerprint"));
        }
        for (name, at) in [("from", &mut filter.from), ("to", &mut filter.to)] {
            if random.chance(25) {
                let time = millis(&events[random.below(events.len())]);
                query.append_pair(name, &time.to_string());
                *at = Some(time);
            }
        }
        filter.add_text(random, &mut query);
        filter.ascending = random.chance(50);
        query.append_pair("order", if filter.ascending { "asc" } else { "desc" });
        filter.query = query.finish();
        filter
    }

    fn add_text(&mut self, random: &mut Random, query: &mut url::form_urlencoded::Serializer<'_, String>) {
        let mut q = String::new();
        for _ in 0..random.below(3) {
            let (word, negated) = (random.pick(&WORDS), random.chance(30));
            let minus = if negated { "-" } else { "" };
            if random.chance(50) && !word.contains(char::is_whitespace) && !word.contains('"') {
                let _ = write!(q, " {minus}{word}");
            } else {
                let quoted = word.replace('\\', "\\\\").replace('"', "\\\"");
                let _ = write!(q, " {minus}\"{quoted}\"");
            }
            self.terms.push((negated, word.to_lowercase()));
        }
        if !q.is_empty() {
            query.append_pair("q", &q);
        }
    }

    /// Whether an event, as the service showed it, is asked for.
    pub fn matches(&self, event: &Value) -> bool {
        let among = |values: &[String], name: &str| {
            values.is_empty()
                || values.iter().any(|value| value.to_lowercase() == text(event, name).to_lowercase())
        };
        let equal = |value: &Option<String>, name: &str| {
            value.as_ref().is_none_or(|value| {
                event[name].as_str().is_some_and(|stored| stored.to_lowercase() == value.to_lowercase())
            })
        };
        let texts = texts(event);
        among(&self.projects, "project")
            && among(&self.levels, "level")
            && among(&self.sources, "source")
            && among(&self.envs, "env")
            && equal(&self.user_id, "user_id")
            && equal(&self.request_id, "request_id")
            && equal(&self.fingerprint, "fingerprint")
            && self.from.is_none_or(|from| millis(event) >= from)
            && self.to.is_none_or(|to| millis(event) < to)
            && self
                .terms
                .iter()
                .all(|(negated, term)| texts.iter().any(|text| text.contains(term)) != *negated)
    }

    /// What of `events`, which are oldest first, the service must answer, in its order.
    pub fn expected<'a>(&self, events: &'a [Value]) -> Vec<&'a str> {
        let found = events.iter().filter(|event| self.matches(event)).map(|event| text(event, "id"));
        if self.ascending { found.collect() } else { found.rev().collect() }
    }
}

/// Every text of an event that `q` looks at, in lower case.
pub fn texts(event: &Value) -> Vec<String> {
    fn walk(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.to_lowercase()),
            Value::Array(values) => values.iter().for_each(|value| walk(value, out)),
            Value::Object(fields) => fields.values().for_each(|value| walk(value, out)),
            Value::Null => {}
            other => out.push(other.to_string()),
        }
    }
    let mut out = Vec::new();
    for name in ["message", "stack", "source", "user_id", "request_id", "tags", "release", "ctx"] {
        walk(&event[name], &mut out);
    }
    out
}

/// A field's text, empty when it has none.
pub fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or("")
}

/// The event's time.
pub fn millis(event: &Value) -> i64 {
    tekno_logger::timestamp::Timestamp::parse_query(text(event, "ts"), START).unwrap().as_millis()
}

/// The ids of events, in their order.
pub fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| text(event, "id")).collect()
}

/// Events in the order of time and id, oldest first.
pub fn sort(events: &mut [Value]) {
    let key = |event: &Value| {
        let (batch, index) = text(event, "id").split_once('-').unwrap();
        (millis(event), batch.to_owned(), index.parse::<u32>().unwrap())
    };
    events.sort_by_key(key);
}

/// What was sent of an event and must come back as it is.
pub fn sent_part(event: &Value) -> Map<String, Value> {
    let kept =
        ["message", "level", "source", "env", "ctx", "user_id", "request_id", "tags", "release", "stack"];
    let fields = event.as_object().unwrap().iter();
    let given = |(name, value): &(&String, &Value)| {
        kept.contains(&name.as_str()) && !value.is_null() && **value != json!([])
    };
    fields.filter(given).map(|(name, value)| (name.clone(), value.clone())).collect()
}
