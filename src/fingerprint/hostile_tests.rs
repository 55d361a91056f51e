//! What somebody may send on purpose, and what the rules for names must not make one.

use proptest::prelude::*;

use super::template::steps;
use super::{Fingerprint, Fingerprinter, Kind, Parts};

fn template(message: &str) -> String {
    Fingerprinter::new().template(message).to_owned()
}

fn of(message: &str, stack: Option<&str>) -> Fingerprint {
    let parts = Parts { message, source: "api", stack, client: None };
    Fingerprinter::new().of_parts(&parts)
}

#[test]
fn a_name_after_its_noun_is_masked_and_what_happened_is_not() {
    for (message, masked) in [
        ("container redis is unhealthy", "container * is unhealthy"),
        ("endpoint db (9f86d081) failed", "endpoint * (*) failed"),
        ("topic orders.v1 partition 3", "topic * partition *"),
        ("image postgres:16-alpine pulled", "image * pulled"),
        ("View [emails.order_shipped] not found.", "View [*] not found."),
        ("Killed process 12 (node) total", "Killed process * (*) total"),
        ("connect from unknown[203.0.113.9]", "connect from *[*]"),
        ("getaddrinfo ENOTFOUND db", "getaddrinfo ENOTFOUND *"),
        ("session opened for user ann(uid=0)", "session opened for user *(uid=*)"),
        ("database connection is closed", "database connection is closed"),
        ("queue is full", "queue is full"),
        ("node added to cluster", "node added to cluster"),
        ("disk read-only", "disk read-only"),
        ("key rotation on", "key rotation on"),
        ("service unavailable", "service unavailable"),
        ("role AccessDenied", "role AccessDenied"),
        ("host: down", "host: down"),
    ] {
        assert_eq!(template(message), masked, "{message}");
    }
}

#[test]
fn values_are_masked_however_they_are_written() {
    for (message, masked) in [
        ("dial tcp [::1]:6379: refused", "dial tcp *: refused"),
        ("listening addr=[::]:9000", "listening addr=*"),
        ("dial tcp ::1:6379 refused", "dial tcp * refused"),
        ("host smtp.mail.example:587 gone", "host * gone"),
        ("at app.rs:48 and index.html:12", "at app.rs:* and index.html:*"),
        ("from=<a@b.test> to=<> size=3", "from=*"),
        ("pool size=3 status=500 id=7", "pool size=* status=500 id=*"),
        ("offset=Optional[7], leader=Optional.empty", "offset=*"),
        ("denied {\"user\":1,\"do\":\"x\"}", "denied {*}"),
        ("query { email: \"a\" } gone", "query {*} gone"),
        ("kind ParseError { kind: Empty }", "kind ParseError { kind: Empty }"),
        ("value „zwölf“ and «x»", "value * and *"),
        ("value b'abc' or u'x'", "value b* or u*"),
        ("1 attempts", "* attempt"),
        ("rendered /cart?step=2", "rendered *"),
        ("rendered / at once", "rendered * at once"),
        ("of C:\\Users\\ann\\a.dat", "of *"),
        ("limit of 512 MiB exceeded", "limit of * exceeded"),
        ("用户4821登录失败", "用户*登录失败"),
        ("30秒", "*秒"),
    ] {
        assert_eq!(template(message), masked, "{message}");
    }
}

#[test]
fn different_problems_stay_apart_however_much_is_masked() {
    for (one, other) in [
        ("hr = 0x80070005", "hr = 0x80040154"),
        ("error #418; visit the page", "error #185; visit the page"),
        ("Sent 200 in 3ms", "Sent 500 in 3ms"),
        ("x.service: Failed with result 'signal'", "x.service: Failed with result 'timeout'"),
        ("user lookup failed", "user creation failed"),
        ("用户4821登录失败", "用户4821登录成功"),
        ("changed state from OPEN to CLOSED", "changed state from OPEN to HALF_OPEN"),
        ("Unexpected token < in JSON", "Unexpected end of JSON"),
        ("cannot read config.yaml", "cannot read secrets.yaml"),
        ("{\"type\":1,\"a\":2}", "{\"type\":1,\"b\":2}"),
        ("{\"msg\":\"one\",\"a\":2}", "{\"msg\":\"two\",\"a\":2}"),
        ("os error 2: x", "os error 13: x"),
    ] {
        assert_ne!(of(one, None), of(other, None), "{one} | {other}");
    }
}

#[test]
fn what_cannot_be_seen_does_not_matter() {
    let stack = "TypeError: x\n    at pay (/srv/app/pay.js:1:1)\n    at run (/srv/app/run.js:1:1)";
    let coloured =
        stack.replace("pay (", "\u{1b}[36mpay\u{1b}[39m (").replace("x\n", "\u{1b}]8;;a\u{7}x\u{200f}\n");
    assert_eq!(of("failed", Some(stack)), of("failed", Some(&coloured)));
    let plain = of("could not pay", None);
    for hidden in [
        "\u{1b}[31mcould not pay\u{1b}[0m",
        "could\u{202e} not pay\u{202c}",
        "\u{feff}could not pay\u{0}",
        "could not\u{fffd} pay",
    ] {
        assert_eq!(of(hidden, None), plain, "{hidden:?}");
    }
    // Marks that divide the parts of a fingerprint can't be sent within one.
    assert_eq!(template("a\u{2}b\u{4}c\u{0}d"), "abcd");
    assert_eq!(template("cut \u{1b}[31 off"), "cut off");
}

/// Forms of which each could make a careless reader start anew at every byte.
const PATTERNS: [&str; 26] = [
    "a=[",
    "a=[ ",
    "1:",
    " 1:1",
    "a=1 [ ",
    "{\"",
    "{\"a\":",
    "[",
    "(",
    "<",
    "a=<",
    "'",
    "\"",
    "`",
    "::",
    "a:",
    "a.",
    "/",
    "a@",
    "\u{201e}",
    "= ",
    "{a: ",
    "container [",
    "a=1 ",
    "用1",
    "\u{1b}]",
];

#[test]
fn reading_a_long_line_takes_no_more_steps_than_its_bound() {
    for pattern in PATTERNS {
        let steps_of = |bytes: usize| {
            steps::reset();
            let long = pattern.repeat(bytes / pattern.len());
            assert!(template(&long).len() <= 1_000, "{pattern}");
            steps::taken()
        };
        let (short, long) = (steps_of(32 * 1024), steps_of(64 * 1024));
        // What is beyond what is read costs nothing; a byte that is read costs a bounded number of steps.
        assert!(long <= short + 64, "{pattern}: {short} steps, then {long}");
        assert!(long <= 64 * 16 * 1024, "{pattern}: {long} steps");
    }
}

#[test]
fn ten_thousand_frames_and_one_endless_line_are_a_trace_or_none() {
    let frame = |number: usize| format!("    at f{} (/srv/app/a.js:{number}:1)\n", "x".repeat(number % 40));
    let deep: String = (0..10_000).map(frame).collect();
    let deep = format!("TypeError: x\n{deep}");
    let parts = Parts { message: "failed", source: "api", stack: Some(&deep), client: None };
    let found = Fingerprinter::new().explain(&parts);
    assert_eq!((found.kind, found.types.as_slice()), (Kind::Stack, ["TypeError".to_owned()].as_slice()));
    assert!(found.hashed.len() <= 40);
    for line in [" ---> ", "at (", "Caused by: ", "| ", "+-", "in '", "at a.b(", "#0 ", "::{", "[cause]: "] {
        let endless = line.repeat(64 * 1024 / line.len());
        let _ = of(&endless, Some(&endless));
        let _ = of("failed", Some(&format!("{endless}\n{endless}")));
    }
}

proptest! {
    #[test]
    fn pieces_of_messages_in_any_order_have_one_bounded_template(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "=", "[", "]", "{", "}", "(", ")", "<", ">", "\"", "'", "`", "„", "“", "«", "»", "「", "」", ":", "::", "://", ",",
            ";", " ", "\n", ".", "/", "\\", "C:\\", "?", "@", "#", "%", "$", "*", "b'", "0x80070005", "12", "1.5", "ms", "EUR",
            "container", "process", "user", "token", "result", "from", "to", "changed", "db", "orders-dlq", "a.b.c", "GET", "404",
            "status", "\"msg\":", "{\"a\":1}", "{a: 1}", "[::1]:80", "用户", "登录", "é", "\u{202e}", "\u{0}", "\u{1b}[31m",
            "\u{1b}]", "\u{fffd}", "key=", "a=1 b=2", "x.service", "ENOTFOUND", "true", "(uid=",
        ]), 0..80)
    ) {
        let text = pieces.concat();
        let once = template(&text);
        prop_assert!(once.len() <= 1_000, "{}", once.len());
        prop_assert_eq!(&once, &template(&text));
        let parts = Parts { message: &text, source: "api", stack: None, client: None };
        prop_assert_eq!(Fingerprinter::new().explain(&parts).fingerprint, of(&text, None));
    }
}
