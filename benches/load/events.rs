//! Made-up log events of a web shop: some 380 bytes of JSON each, 24 message templates, variable parts.

use std::fmt::Write as _;

/// Numbers from a seed (splitmix64), the same on every machine.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One event.
pub struct BenchEvent {
    pub ts_ms: i64,
    pub level: &'static str,
    pub source: &'static str,
    pub message: String,
    pub ctx: String,
    pub user_id: String,
    pub request_id: String,
}

/// `#` is a number, `%` a hexadecimal id; earlier ones come more often.
const TEMPLATES: [(&str, &str, &str); 24] = [
    ("info", "shop.web", "GET /products/# answered 200 in # ms"),
    ("info", "shop.cart", "cart % of customer # now holds # items worth # cents"),
    ("debug", "shop.cache", "no entry for product:#, asking the database"),
    ("info", "shop.login", "customer # signed in again, session %"),
    ("info", "shop.jobs", "export # wrote # rows in # ms"),
    ("warn", "shop.db", "query took # ms on replica #: SELECT name, price FROM products WHERE shelf = #"),
    ("info", "shop.web", "GET /search?page=# answered 200 in # ms"),
    ("info", "shop.hooks", "delivered hook % on attempt #"),
    ("warn", "shop.gate", "request % sent again after # ms, attempt #"),
    ("error", "shop.pay", "card of order # was not charged: no answer within # ms (reference %)"),
    ("debug", "shop.gate", "key % has # of # requests left"),
    ("info", "shop.mail", "rendered receipt for customer # in # ms"),
    ("warn", "shop.mail", "relay closed the connection, # letters wait"),
    ("error", "shop.page", "TypeError: total is undefined at step # of session %"),
    ("info", "shop.stock", "batch # changed # items, # were newer"),
    ("error", "shop.db", "deadlock found, transaction % starts again, attempt #"),
    ("info", "shop.images", "asset % scaled to #x# in # ms"),
    ("warn", "shop.db", "all # connections in use, waited # ms"),
    ("error", "shop.cache", "ECONNREFUSED 10.1.#.#:6379 while publishing"),
    ("warn", "shop.login", "token % expired # seconds ago"),
    ("error", "shop.gate", "502 from upstream for request % after # ms"),
    ("info", "shop.audit", "clerk # changed a price from # to #"),
    ("warn", "shop.disk", "volume at # percent, # MB free"),
    ("fatal", "shop.jobs", "worker # ran out of memory at # MB while handling job %"),
];

/// `count` events within the last minute before `now_ms`.
pub fn events(seed: u64, count: usize, now_ms: i64) -> Vec<BenchEvent> {
    let mut random = Random(seed);
    (0..count).map(|_| event(&mut random, now_ms)).collect()
}

fn event(random: &mut Random, now_ms: i64) -> BenchEvent {
    let pick = random.below(24).min(random.below(24));
    let (level, source, template) = TEMPLATES[usize::try_from(pick).expect("24 templates")];
    let mut message = String::with_capacity(120);
    for part in template.chars() {
        match part {
            '#' => write!(message, "{}", random.below(100_000)),
            '%' => write!(message, "{:012x}", random.next() >> 16),
            other => write!(message, "{other}"),
        }
        .expect("a string takes everything");
    }
    let (host, zone) = (random.below(12), random.below(3));
    let (elapsed, bytes) = (random.below(4_000), random.below(60_000));
    let ctx = format!(
        r#"{{"host":"shop-{host}","zone":"eu-{zone}","elapsed_ms":{elapsed},"bytes":{bytes},"trace":"{:016x}"}}"#,
        random.next()
    );
    BenchEvent {
        ts_ms: now_ms - i64::try_from(random.below(60_000)).expect("a minute"),
        level,
        source,
        message,
        ctx,
        user_id: format!("customer-{}", random.below(50_000)),
        request_id: format!("{:016x}{:016x}", random.next(), random.next()),
    }
}

impl BenchEvent {
    /// As a client sends it.
    pub fn json(&self, out: &mut String) {
        let Self { ts_ms, level, source, message, ctx, user_id, request_id } = self;
        write!(
            out,
            r#"{{"ts":{ts_ms},"level":"{level}","message":"{message}","source":"{source}","env":"production","ctx":{ctx},"user_id":"{user_id}","request_id":"{request_id}"}}"#
        )
        .expect("a string takes everything");
    }

    /// As a row of [`super::rows::TABLE`]; nothing in it needs quoting.
    pub fn row(&self, out: &mut String) {
        let Self { ts_ms, level, source, message, ctx, user_id, request_id } = self;
        let fingerprint = xxhash_rust::xxh3::xxh3_128(message.as_bytes());
        write!(
            out,
            "(1,FROM_UNIXTIME({}.{:03}),'{level}','{message}','{source}','production','{ctx}','{user_id}',\
             '{request_id}','{fingerprint:040x}',{},NOW())",
            ts_ms / 1_000,
            ts_ms % 1_000,
            ts_ms / 86_400_000
        )
        .expect("a string takes everything");
    }
}
