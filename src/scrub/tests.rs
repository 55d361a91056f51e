//! Planted secrets must go, look-alikes must stay.

use crate::protocol::{ParseRules, cut_to_size, native};
use crate::timestamp::Timestamp;
use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::Scrubber;
use crate::event::{Event, Level};
use crate::project::ScrubSettings;

fn event(message: &str) -> Event<'_> {
    Event::plain(0, Timestamp::from_millis(1_790_000_000_000), Level::Error, message)
}

fn text(message: &str) -> String {
    Scrubber::default().scrub_text(message).into_owned()
}

fn json_with(scrubber: &Scrubber, ctx: &str) -> String {
    let raw: Box<RawValue> = serde_json::from_str(ctx).unwrap();
    let mut event = event("m");
    event.ctx = Some(Cow::Owned(raw));
    scrubber.scrub(&mut event);
    event.ctx.unwrap().get().to_owned()
}

fn json(ctx: &str) -> String {
    json_with(&Scrubber::default(), ctx)
}

/// Characters that are no other rule's business, so that a planted value stands for itself.
fn hidden(seed: usize, length: usize) -> String {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let letters = b"abcdefghkmnpqrtuvwxyzABCDEFGHKMNPQRTUVWXYZ23456789";
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
    };
    (0..length).map(next).collect()
}

fn card(seed: usize) -> String {
    let mut digits: Vec<u32> = vec![4];
    digits.extend((0..14).map(|index| u32::try_from((seed * 7 + index * 3 + 1) % 10).unwrap()));
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { d * 2 % 10 + d * 2 / 10 } else { *d })
        .sum();
    digits.push((10 - sum % 10) % 10);
    digits.into_iter().map(|digit| char::from_digit(digit, 10).unwrap()).collect()
}

/// The `seed`-th planted secret: the text it stands in, and what must not be found afterwards.
fn planted(seed: usize) -> (String, String) {
    let secret = hidden(seed, 24);
    let carrier = match seed % 25 {
        0 => format!("login failed with password={secret} for bob"),
        1 => format!("token: {secret}, retrying"),
        2 => format!("GET /v1/items?page=2&api_key={secret}&sort=asc 200"),
        3 => format!("body {{\"user\":\"bob\",\"password\":\"{secret}\",\"n\":1}}"),
        4 => format!("body {{\\\"clientSecret\\\":\\\"{secret}\\\\\\\"x\\\"}}"),
        5 => format!("sent Authorization: Bearer {secret} to upstream"),
        6 => format!("authorization=Basic {secret}"),
        7 => format!("curl -H 'X-Api-Key: {secret}' https://example.com"),
        8 => return jwt(seed),
        9 => format!("-----BEGIN RSA PRIVATE KEY-----\nMIIE{secret}\n-----END RSA PRIVATE KEY-----\nafter"),
        10 => format!("key -----BEGIN PRIVATE KEY-----\\nMIIE{secret}"),
        11 => format!("can't reach postgres://app:{secret}@db.internal:5432/main"),
        12 => format!("redis://:{secret}@cache:6379/0 timed out"),
        13 => return (format!("paid with {}.", card(seed)), card(seed)),
        14 => return spaced_card(seed),
        15 => format!("stripe key sk_live_{secret} rejected"),
        16 => format!("pushing with ghp_{secret}"),
        17 => format!("use github_pat_{secret}"),
        18 => format!("slack xoxb-{secret}!"),
        19 => return aws(seed),
        20 => format!("remote glpat-{secret} denied"),
        21 => format!("project key tkl_{} unknown", secret.to_lowercase()),
        22 => format!("Cookie: theme=dark; sid={secret}; lang=en"),
        23 => format!(":password=>\"{secret}\", :session => {{ \"id\" => \"x\" }}"),
        _ => format!("config[\"secret\"] = '{secret}'"),
    };
    (carrier, secret)
}

fn jwt(seed: usize) -> (String, String) {
    let (payload, signature) = (hidden(seed, 40), hidden(seed + 1, 43));
    (format!("jwt eyJhbGciOiJIUzI1NiJ9.{payload}.{signature} expired"), payload)
}

fn spaced_card(seed: usize) -> (String, String) {
    let number = card(seed);
    let separator = if seed.is_multiple_of(2) { " " } else { "-" };
    let groups = [&number[..4], &number[4..8], &number[8..12], &number[12..]].join(separator);
    (format!("card {groups} 12/29"), groups)
}

fn aws(seed: usize) -> (String, String) {
    let id = format!("AKIA{}", hidden(seed, 16).to_uppercase());
    (format!("signing as {id}"), id)
}

/// The event with the carrier in one of its places.
fn event_with<'a>(seed: usize, carrier: &'a str, quoted: &'a str) -> Event<'a> {
    let mut event = event("clean");
    let borrowed = Cow::Borrowed(carrier);
    match (seed / 25) % 10 {
        0 => event.message = borrowed,
        1 => event.stack = Some(borrowed),
        2 => event.user_id = Some(borrowed),
        3 => event.tags = vec![Cow::Borrowed("clean"), borrowed],
        4 => event.release = Some(borrowed),
        5 => event.request_id = Some(borrowed),
        6 => event.client_fingerprint = Some(borrowed),
        7 => event.ctx = Some(raw(format!("{{\"a\":[1,{{\"note\":{quoted}}}]}}"))),
        8 => event.ctx = Some(raw(format!("{{\"a\":{{{quoted}:true}}}}"))),
        _ => event.ctx = Some(raw(format!("[[{quoted}]]"))),
    }
    event
}

fn raw(json: String) -> Cow<'static, RawValue> {
    Cow::Owned(RawValue::from_string(json).unwrap())
}

#[test]
fn five_hundred_planted_secrets_are_all_gone() {
    for seed in 0..500 {
        let (carrier, secret) = planted(seed);
        let quoted = serde_json::to_string(&carrier).unwrap();
        let mut event = event_with(seed, &carrier, &quoted);
        Scrubber::default().scrub(&mut event);
        let all = format!("{event:?}");
        assert!(!all.contains(&secret), "{seed}: {carrier} -> {all}");
        assert!(all.contains("[scrubbed]"), "{seed}: {carrier} -> {all}");
    }
}

#[test]
fn the_text_around_a_secret_stays() {
    for (before, after) in [
        ("login password=hunter2 for bob", "login password=[scrubbed] for bob"),
        ("?token=abc&user=1", "?token=[scrubbed]&user=1"),
        ("{\"token\":\"a\\\"b\",\"n\":1}", "{\"token\":\"[scrubbed]\",\"n\":1}"),
        ("{\\\"token\\\":\\\"ab\\\",\\\"n\\\":1}", "{\\\"token\\\":\\\"[scrubbed]\\\",\\\"n\\\":1}"),
        ("{\"auth\":{\"a\":\"}\",\"b\":[1]},\"n\":1}", "{\"auth\":[scrubbed],\"n\":1}"),
        ("Authorization: Bearer abc.def-1 sent", "Authorization: [scrubbed] sent"),
        ("with bearer abcdef12, sent", "with bearer [scrubbed], sent"),
        ("Basic dXNlcjpwYXNz ok", "Basic [scrubbed] ok"),
        ("mysql://u:p@h/db", "mysql://u:[scrubbed]@h/db"),
        ("mysql://u:p/a?s@h/db x@y", "mysql://u:[scrubbed]@h/db x@y"),
        ("a\\npassword=b\\nc", "a\\npassword=[scrubbed]\\nc"),
        ("a -----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY----- b", "a [scrubbed] b"),
        ("password: -----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY----- b", "password: [scrubbed] b"),
        ("4111 1111 1111 1111 12/29", "[scrubbed] 12/29"),
        ("api key: abc", "api key: [scrubbed]"),
        ("key tkl_8bcdefghij0 or tkr_8bcdefghij0", "key [scrubbed] or [scrubbed]"),
        ("Größe=1 password=größe ß", "Größe=1 password=[scrubbed] ß"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: [scrubbed]\nHost: x"),
        (
            "Authorization: Digest username=\"a\", response=\"b\"\nHost: x",
            "Authorization: [scrubbed]\nHost: x",
        ),
    ] {
        assert_eq!(text(before), after);
    }
}

#[test]
fn look_alikes_survive() {
    for line in [
        "order 4111111111111112 shipped",
        "order #4111111111111111 shipped",
        "order_4111111111111111",
        "at 1790000000000 ms, 1790000000000000 us, 1790000000000000000 ns",
        "id 41111111111111111111111 is too long",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-4111-1111-1111-111111111111",
        "commit 356a192b7913b04c54574d18c28d46e6395428ab",
        "10.251.73.220:50010 -> 192.168.1.1, fe80::1ff:fe23:4567:890a",
        "call +49 170 1234567 or 030-12345678 or (555) 123-4567",
        "2026-11-20T22:10:36.853Z 2026-11-20 22:10:36,853",
        "blk_-1608999687919862906 of size 67108864",
        "the author has authority over the secretary and the tokenizer of passengers",
        "Bearer token is missing",
        "Basic authentication failed",
        "token=null, session: undefined",
        "auth::login failed at src/auth.rs:42:13",
        "connect ECONNREFUSED auth:8080",
        "https://example.com:8443/a@b?c=d",
        "user@example.com wrote to http://[::1]:80/x@y",
        "max_tokens=512 keyboard=qwerty",
        "at Session.refresh (/app/session.js:10:5)",
        "SK_LIVE eyJ eyJhbGci Asia/Tokyo basil bear",
        "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----",
        "3.14159265358979 0.4111111111111111",
        "POST /api/auth/login 200 in 12 ms",
    ] {
        assert_eq!(text(line), line);
    }
}

#[test]
fn a_value_under_a_secret_key_goes_whatever_its_type_and_depth() {
    for (before, after) in [
        (r#"{"password":"x","a":1}"#, r#"{"password":"[scrubbed]","a":1}"#),
        (r#"{ "a" : [ { "Api-Key" : 12 } ] }"#, r#"{ "a" : [ { "Api-Key" : "[scrubbed]" } ] }"#),
        (r#"{"z":1.50,"session":{"id":[1,"}"]},"a":1e3}"#, r#"{"z":1.50,"session":"[scrubbed]","a":1e3}"#),
        (r#"{"pass\u0077ord":null}"#, r#"{"pass\u0077ord":"[scrubbed]"}"#),
        (
            r#"{"\u0070\u0061\u0073\u0073\u0077\u0064":[[]]}"#,
            r#"{"\u0070\u0061\u0073\u0073\u0077\u0064":"[scrubbed]"}"#,
        ),
        (r#"{"n":4111111111111111,"m":[4111111111111111,5]}"#, r#"{"n":"[scrubbed]","m":["[scrubbed]",5]}"#),
        (r#"{"u":"https:\/\/a:b@c\/d"}"#, r#"{"u":"https://a:[scrubbed]@c/d"}"#),
        (r#"["x\ntoken=abc\u00e9"]"#, r#"["x\ntoken=[scrubbed]"]"#),
        (r#"{"body":"{\"token\":\"abc\"}"}"#, r#"{"body":"{\"token\":\"[scrubbed]\"}"}"#),
        (r#"{"author":"x","passenger":"y"}"#, r#"{"author":"x","passenger":"y"}"#),
        (r#"{"half":"\ud800","token":1}"#, r#"{"half":"\ud800","token":"[scrubbed]"}"#),
        (r#""password""#, r#""password""#),
    ] {
        assert_eq!(json(before), after);
    }
}

#[test]
fn a_deep_value_under_a_secret_key_goes() {
    let deep = format!("{}{{\"token\":1}}{}", "[".repeat(31), "]".repeat(31));
    assert_eq!(json(&deep), deep.replace('1', "\"[scrubbed]\""));
}

#[test]
fn extra_keys_of_the_project_are_secret_too() {
    let settings = ScrubSettings { off: false, extra_keys: vec!["ssn".into(), "customer_ref".into()] };
    let scrubber = Scrubber::new(&settings);
    let before = r#"{"SSN":1,"a":{"customerRef":"x"},"lesson":2,"token":"t"}"#;
    let after = r#"{"SSN":"[scrubbed]","a":{"customerRef":"[scrubbed]"},"lesson":2,"token":"[scrubbed]"}"#;
    assert_eq!(json_with(&scrubber, before), after);
    assert_eq!(json(r#"{"SSN":1}"#), r#"{"SSN":1}"#);
}

#[test]
fn a_project_may_switch_it_off() {
    let scrubber = Scrubber::new(&ScrubSettings { off: true, extra_keys: vec!["a".into()] });
    assert_eq!(json_with(&scrubber, r#"{"password":"x"}"#), r#"{"password":"x"}"#);
    assert_eq!(scrubber.scrub_text("password=x"), "password=x");
}

#[test]
fn clean_fields_stay_borrowed() {
    let ctx: Box<RawValue> =
        serde_json::from_str(r#"{"status":502,"path":"/v1/cart","authors":["a"]}"#).unwrap();
    let mut event = event("upstream answered 502 after 1203 ms");
    event.ctx = Some(Cow::Borrowed(&ctx));
    Scrubber::default().scrub(&mut event);
    assert!(matches!(event.ctx, Some(Cow::Borrowed(_))));
    assert!(matches!(event.message, Cow::Borrowed(_)));
}

#[test]
fn a_secret_on_the_cut_of_a_field_leaves_nothing_of_itself() {
    // The name stands before the bound of 256 characters, the `@` that makes it a secret after it.
    let lead = "x".repeat(230);
    let body = format!(r#"{{"message":"m","user_id":"{lead} https://me:hunter2hunter2hunter2@db"}}"#);
    let rules = ParseRules { received_at: Timestamp::default(), project_slug: "p", max_events: 1 };
    let mut event = native::parse(&body, &rules).unwrap().events.remove(0);
    Scrubber::default().scrub(&mut event);
    cut_to_size(&mut event);
    let kept = event.user_id.unwrap();
    assert!(!kept.contains("hunter") && kept.chars().count() <= 256, "{kept}");
}

#[test]
fn a_field_that_would_grow_over_its_bound_is_cut() {
    let message = "token=a ".repeat(1024);
    let mut event = event(&message);
    event.release = Some(Cow::Owned("token=a ".repeat(32)));
    Scrubber::default().scrub(&mut event);
    cut_to_size(&mut event);
    assert!(event.truncated);
    assert!(event.message.len() <= 8192);
    assert_eq!(event.release.unwrap().chars().count(), 256);
}

/// Fragments that meet each other in every order.
fn nasty() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "password",
        "token",
        "=",
        ":",
        "=>",
        "\"",
        "\\\"",
        "\\",
        "'",
        "{",
        "}",
        "[",
        "]",
        " ",
        "\n",
        ";",
        "&",
        "@",
        "://",
        "http://a",
        "Bearer ",
        "Basic ",
        "eyJhbGciOiJ",
        ".",
        "eyJ0",
        "-----BEGIN ",
        "PRIVATE KEY",
        "-----",
        "-----END ",
        "4111111111111111",
        "4111",
        "1111",
        "-",
        "sk_live_",
        "abcdefgh1234",
        "AKIA",
        "[scrubbed]",
        "[scrub",
        "ß",
        "日本",
        "\u{0}",
        "api key",
        "cookie",
        "Authorization",
        "digest",
        "x",
        "9",
        "\\n",
        "\\u0070",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn scrubbing_twice_is_scrubbing_once(input in nasty()) {
        let once = text(&input);
        prop_assert_eq!(text(&once), once);
    }

    #[test]
    fn scrubbing_json_twice_is_scrubbing_once(key in nasty(), value in nasty()) {
        let mut map = serde_json::Map::new();
        map.insert(key, serde_json::Value::from(vec![value]));
        let once = json(&serde_json::Value::Object(map).to_string());
        serde_json::from_str::<serde_json::Value>(&once).unwrap();
        prop_assert_eq!(json(&once), once);
    }

    #[test]
    fn any_text_is_taken_without_a_panic(input in any::<String>(), more in "\\PC{0,200}") {
        let _ = text(&input);
        let _ = text(&more);
    }
}
