//! Events shaped as the load generator's: a web shop's messages by template, ids and numbers random. Tests only.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::event::{Event, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

use Level::{Debug, Error, Fatal, Info, Warn};

/// `#` is a number, `%` twelve hex digits, `@` a word; earlier ones are more frequent.
const TEMPLATES: [(&str, Level, &str); 24] = [
    ("GET /api/v1/orders/# completed with status 200 in # ms", Info, "api.orders"),
    ("POST /api/v1/checkout accepted cart % for customer # total # cents", Info, "api.checkout"),
    ("cache miss for key product:#:@ falling back to database", Debug, "cache.redis"),
    ("session % refreshed for user # from @ client", Info, "auth.session"),
    ("job invoice-export # finished after # ms, # rows written", Info, "worker.export"),
    ("SQL query took # ms on shard #: SELECT * FROM orders WHERE customer_id = #", Warn, "api.database"),
    ("webhook delivery % to @ succeeded on attempt #", Info, "worker.webhooks"),
    ("retrying request % to upstream @ after # ms backoff, attempt #", Warn, "api.gateway"),
    ("Payment capture failed for order #: gateway timeout after # ms (ref %)", Error, "api.payments"),
    ("user # logged in from @ with device %", Info, "auth.session"),
    ("email template @ rendered for recipient # in # ms", Info, "worker.mail"),
    ("SMTP connection to relay @ closed unexpectedly, # messages requeued", Warn, "worker.mail"),
    (
        "TypeError: Cannot read properties of undefined (reading '@') at checkout step #",
        Error,
        "web.frontend",
    ),
    ("inventory sync batch # applied # updates and skipped # stale rows", Info, "worker.inventory"),
    ("deadlock found when trying to get lock; restarting transaction % attempt #", Error, "api.database"),
    ("search query '@' returned # hits in # ms", Info, "api.search"),
    ("connection pool exhausted: # of # connections in use, waited # ms", Warn, "api.database"),
    ("ECONNREFUSED 10.0.#.#:6379 while publishing to channel @", Error, "cache.redis"),
    ("JWT validation failed for token %: signature expired # seconds ago", Warn, "auth.session"),
    ("HTTP 502 from upstream @ for request % after # ms", Error, "api.gateway"),
    ("disk usage on /var/lib/@ at # percent, # MB free", Warn, "ops.agent"),
    ("websocket % closed with code # after # messages", Debug, "web.realtime"),
    ("TLS handshake with @ failed: certificate expired # days ago", Error, "worker.webhooks"),
    ("OutOfMemory: worker # killed at # MB while processing job %", Fatal, "worker.export"),
];
const WORDS: [&str; 12] = [
    "shipping",
    "billing",
    "catalog",
    "mobile",
    "partner",
    "reports",
    "profile",
    "returns",
    "analytics",
    "frontdesk",
    "newsletter",
    "pricing",
];

/// A small random source (splitmix64), the same numbers each run.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("a slice's length is a usize")]
    }
}

fn message(template: &str, random: &mut Random) -> String {
    let mut text = String::new();
    for ch in template.chars() {
        match ch {
            '#' => {
                let width = random.pick(&[10, 100, 1_000, 100_000]);
                write!(text, "{}", random.below(width)).expect("writing to memory can't fail");
            }
            '%' => write!(text, "{:012x}", random.draw() >> 16).expect("writing to memory can't fail"),
            '@' => text.push_str(random.pick(&WORDS)),
            other => text.push(other),
        }
    }
    text
}

fn ctx(random: &mut Random) -> String {
    format!(
        r#"{{"duration_ms":{},"region":"{}","host":"web-{}","release":"2.{}.{}","trace_id":"{:016x}{:016x}"}}"#,
        random.below(3000),
        random.pick(&["eu-west-1", "us-east-1", "ap-south-1"]),
        random.below(12),
        random.below(4),
        random.below(30),
        random.draw(),
        random.draw()
    )
}

/// One event at `ts`, in milliseconds.
pub fn event(random: &mut Random, ts: i64) -> Event<'static> {
    let count = TEMPLATES.len() as u64;
    let template = usize::try_from(random.below(count).min(random.below(count))).expect("a small number");
    let (text, level, source) = TEMPLATES[template];
    let request = random.draw();
    Event {
        index: 0,
        ts: Timestamp::from_millis(ts),
        level,
        message: Cow::Owned(message(text, random)),
        source: Cow::Borrowed(source),
        env: Cow::Borrowed(if random.below(10) == 0 { "staging" } else { "production" }),
        ctx: Some(Cow::Owned(RawValue::from_string(ctx(random)).expect("the text above is JSON"))),
        user_id: Some(Cow::Owned(format!("user_{}", random.below(50_000)))),
        request_id: Some(Cow::Owned(format!(
            "{:08x}-{:04x}-4{:03x}-{:016x}",
            request >> 32,
            request & 0xFFFF,
            request >> 52,
            random.draw()
        ))),
        tags: Vec::new(),
        release: None,
        stack: None,
        client_fingerprint: None,
        fingerprint: Fingerprint((template as u64 + 1).wrapping_mul(0xD134_2543_DE82_EF95)),
        truncated: false,
    }
}

/// So many events in a minute from `ts`, about in order.
pub fn events(random: &mut Random, count: usize, ts: i64) -> Vec<Event<'static>> {
    let step = 60_000 / i64::try_from(count.max(1)).expect("a count of events is small");
    (0..count)
        .map(|number| {
            let jitter = i64::try_from(random.below(2000)).expect("a small number");
            event(random, ts + i64::try_from(number).expect("a small number") * step - jitter)
        })
        .collect()
}
