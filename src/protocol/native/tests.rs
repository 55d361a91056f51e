use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{CTX_BYTES, MESSAGE_BYTES, MESSAGE_MISSING, ParseRules, ParsedBatch};
use super::*;
use crate::event::Level;
use crate::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_795_212_636_853);

fn rules(max_events: usize) -> ParseRules<'static> {
    ParseRules { received_at: NOW, project_slug: "shop", max_events }
}

fn batch(body: &str) -> ParsedBatch<'_> {
    parse(body, &rules(250)).unwrap()
}

/// The one event of a body.
fn one(body: &str) -> Event<'_> {
    let batch = batch(body);
    assert_eq!((batch.received, batch.rejected), (1, Vec::new()), "{body}");
    batch.events.into_iter().next().unwrap()
}

fn ctx(event: &Event<'_>) -> Value {
    event.ctx.as_ref().map_or(Value::Null, |ctx| serde_json::from_str(ctx.get()).unwrap())
}

/// An event with `fields` beside its message.
fn with(fields: &str) -> String {
    format!(r#"{{"message":"m",{fields}}}"#)
}

fn refusal(body: &str) -> ApiError {
    parse(body, &rules(250)).unwrap_err()
}

/// What is stored of a batch, for snapshots.
fn shown(batch: &ParsedBatch<'_>) -> String {
    let mut text = String::new();
    for event in &batch.events {
        writeln!(
            text,
            "{} {} {} source={} env={} user={:?} request={:?} tags={:?} release={:?} stack={:?} ctx={} | {}",
            event.index,
            event.ts,
            event.level.name(),
            event.source,
            event.env,
            event.user_id,
            event.request_id,
            event.tags,
            event.release,
            event.stack,
            event.ctx.as_ref().map_or("none", |ctx| ctx.get()),
            event.message,
        )
        .unwrap();
    }
    for refused in &batch.rejected {
        writeln!(text, "{} refused: {}", refused.index, refused.code).unwrap();
    }
    text
}

#[test]
fn what_the_clients_of_the_original_send_is_read() {
    let node = include_str!("../../../tests/fixtures/native-tekno-node.body");
    insta::assert_snapshot!(shown(&batch(node)), @r#"0 2026-11-20T22:10:36.853Z error source=payment-api env=production user=None request=None tags=[] release=None stack=None ctx={"userId":123,"amount":99.99,"source":"payment-api","note":"café"} | Payment failed"#);
    let python = include_str!("../../../tests/fixtures/native-tekno-python.body");
    insta::assert_snapshot!(shown(&batch(python)), @r#"0 2026-11-20T22:10:36.383Z error source=payment-api env=production user=None request=None tags=[] release=None stack=None ctx={"userId":123,"amount":99.99,"source":"payment-api","note":"café"} | Payment failed"#);
    let winston = include_str!("../../../tests/fixtures/ndjson-winston-http-batch.body");
    insta::assert_snapshot!(shown(&batch(winston)), @r#"
    0 2026-11-20T22:10:36.853Z error source=shop env=production user=Some("u") request=None tags=[] release=None stack=None ctx=none | boom
    1 2026-11-20T22:10:36.853Z info source=shop env=production user=None request=None tags=[] release=None stack=None ctx=none | i
    "#);
}

#[test]
fn the_three_shapes_give_the_same_event() {
    for body in [
        r#"[{"message":"m","level":"warn"}]"#,
        r#"{"events":[{"message":"m","level":"warn"}]}"#,
        r#"{"sent_at":"2026-01-01","events":[{"message":"m","level":"warn"}],"count":1}"#,
        r#"{"message":"m","level":"warn"}"#,
        " \n[\t{ \"message\" : \"m\" , \"level\" : \"warn\" } ]\r\n",
        "\u{FEFF}[{\"message\":\"m\",\"level\":\"warn\"}]",
    ] {
        let text = decode(body.as_bytes());
        let event = one(&text);
        assert_eq!((&*event.message, event.level, event.index), ("m", Level::Warn, 0), "{body}");
        assert_eq!((&*event.source, &*event.env, event.ts), ("shop", "production", NOW));
        assert!(event.ctx.is_none() && !event.truncated);
    }
}

#[test]
fn an_event_may_have_a_field_called_events() {
    let event = one(r#"{"message":"m","events":[1,2]}"#);
    assert_eq!(ctx(&event), json!({"events": [1, 2]}));
}

#[test]
fn every_name_of_a_field_is_read() {
    let at = "2026-11-20T10:00:00.000Z";
    for name in ["ts", "timestamp", "time", "@timestamp"] {
        assert_eq!(one(&with(&format!(r#""{name}":"{at}""#))).ts.to_string(), at, "{name}");
    }
    for name in ["level", "severity"] {
        assert_eq!(one(&with(&format!(r#""{name}":"ERR""#))).level, Level::Error, "{name}");
    }
    for name in ["env", "environment"] {
        assert_eq!(one(&with(&format!(r#""{name}":"x""#))).env, "x");
    }
    for name in ["ctx", "context"] {
        assert_eq!(ctx(&one(&with(&format!(r#""{name}":{{"a":1}}"#)))), json!({"a": 1}));
    }
    for name in ["user_id", "userId"] {
        assert_eq!(one(&with(&format!(r#""{name}":"x""#))).user_id.as_deref(), Some("x"));
    }
    for name in ["request_id", "requestId"] {
        assert_eq!(one(&with(&format!(r#""{name}":"x""#))).request_id.as_deref(), Some("x"));
    }
    for name in ["stack", "stack_trace", "stackTrace"] {
        assert_eq!(one(&with(&format!(r#""{name}":"x""#))).stack.as_deref(), Some("x"));
    }
    let event = one(r#"{"msg":"m","source":"s","release":"r","fingerprint":"f","\u0074ags":["t"]}"#);
    assert_eq!((&*event.message, &*event.source), ("m", "s"));
    assert_eq!((event.release.as_deref(), event.client_fingerprint.as_deref()), (Some("r"), Some("f")));
    assert_eq!(event.tags, ["t"]);
    assert!(event.ctx.is_none());
}

#[test]
fn unknown_fields_are_kept_in_ctx_and_never_overwrite_it() {
    let body = with(r#""url":"/a","service":"pay","ctx":{"url":"/b","n":1},"version":2"#);
    let event = one(&body);
    let kept = json!({"url": "/b", "n": 1, "url_2": "/a", "service": "pay", "version": 2});
    assert_eq!(ctx(&event), kept);
    assert_eq!(ctx(&one(&with(r#""url":"/a","ctx":[1,2]"#))), json!({"ctx": [1, 2], "url": "/a"}));
    assert_eq!(ctx(&one(&with(r#""url":"/a","ctx":null"#))), json!({"url": "/a"}));
    assert_eq!(ctx(&one(&with(r#""ctx":"text""#))), json!("text"));
    assert_eq!(ctx(&one(&with(r#""ctx":7,"ctx":8"#))), json!({"ctx": 7, "ctx_2": 8}));
    let body = with(r#""msg":"other","time":35,"severity":"loud","user_id":{"id":5},"userId":"u""#);
    let event = one(&body);
    assert_eq!(
        ctx(&event),
        json!({"userId": "u", "msg": "other", "time": 35, "severity": "loud", "user_id": {"id": 5}})
    );
    assert_eq!((event.ts, event.level), (NOW, Level::Info));
}

#[test]
fn a_tidy_ctx_is_borrowed_as_it_was_sent() {
    let body = with(r#""ctx":{"b": 1, "a":"x\n\"é", "b":2}"#);
    let event = one(&body);
    assert!(
        matches!(event.ctx, Some(Cow::Borrowed(json)) if json.get() == r#"{"b": 1, "a":"x\n\"é", "b":2}"#)
    );
}

#[test]
fn one_bad_event_is_refused_alone_with_its_index() {
    let batch = batch(
        r#"[{"message":"a"},{"level":"info"},7,{"message":""},null,{"message":null},[],{"message":"b"},{},"text"]"#,
    );
    let kept: Vec<_> = batch.events.iter().map(|event| (event.index, &*event.message)).collect();
    assert_eq!(kept, [(0, "a"), (7, "b")]);
    let refused: Vec<_> = batch.rejected.iter().map(|refused| (refused.index, refused.code)).collect();
    let (missing, object) = (MESSAGE_MISSING, NOT_AN_OBJECT);
    assert_eq!(
        refused,
        [
            (1, missing),
            (2, object),
            (3, missing),
            (4, object),
            (5, missing),
            (6, object),
            (8, missing),
            (9, object)
        ]
    );
    assert_eq!(batch.received, 10);
}

#[test]
fn a_message_that_is_no_text_is_kept_as_its_json() {
    for (sent, kept) in [
        ("7", "7"),
        ("true", "true"),
        (r#"{"a": [1, "x"]}"#, r#"{"a": [1, "x"]}"#),
        ("{\"a\":\n\"\\u00e9\"}", r#"{"a":"é"}"#),
        ("[1e999]", r#"["1e999"]"#),
    ] {
        assert_eq!(one(&format!(r#"{{"message":{sent}}}"#)).message, kept);
    }
}

#[test]
fn numbers_are_taken_as_text_and_what_is_empty_is_absent() {
    let body = with(r#""user_id":42,"request_id":1.5,"release":true,"source":"","env":null,"stack":"""#);
    let event = one(&body);
    assert_eq!(event.user_id.as_deref(), Some("42"));
    assert_eq!(event.request_id.as_deref(), Some("1.5"));
    assert_eq!(event.release.as_deref(), Some("true"));
    assert_eq!((&*event.source, &*event.env, event.stack), ("shop", "production", None));
    assert!(event.ctx.is_none());
}

#[test]
fn tags_come_as_a_list_an_object_or_a_text() {
    let tags = |sent: &str| one(&with(&format!(r#""tags":{sent}"#))).tags.join("|");
    assert_eq!(tags(r#"["a",2,null,true,"",["x"]]"#), r#"a|2|true|["x"]"#);
    assert_eq!(tags(r#"{"region":"eu","n":1,"none":null}"#), "region:eu|n:1");
    assert_eq!(tags(r#""solo""#), "solo");
    assert_eq!(tags("[]"), "");
    let many = format!("[{}]", vec![r#""t""#; 70].join(","));
    let body = with(&format!(r#""tags":{many}"#));
    let event = one(&body);
    assert_eq!((event.tags.len(), event.truncated), (64, true));
}

#[test]
fn a_stack_may_be_a_list_of_lines() {
    let event_body = with(r#""stack":["Error: x","  at a\n"]"#);
    assert_eq!(one(&event_body).stack.as_deref(), Some("Error: x\n  at a\n"));
    assert_eq!(one(&with(r#""stack":{"frames":[]}"#)).stack.as_deref(), Some(r#"{"frames":[]}"#));
}

#[test]
fn levels_are_read_as_names_and_numbers_and_an_unknown_one_is_kept() {
    for (sent, level) in [
        (r#""ERROR""#, Level::Error),
        (r#""warning""#, Level::Warn),
        ("30", Level::Info),
        (r#""50""#, Level::Error),
        ("3", Level::Error),
        ("60.0", Level::Fatal),
        ("null", Level::Info),
        (r#""""#, Level::Info),
    ] {
        let body = with(&format!(r#""level":{sent}"#));
        let event = one(&body);
        assert_eq!((event.level, ctx(&event)), (level, Value::Null), "{sent}");
    }
    for (sent, kept) in [(r#""loud""#, json!("loud")), ("99", json!(99)), (r#"{"n":1}"#, json!({"n": 1}))] {
        let body = with(&format!(r#""level":{sent},"ctx":{{"a":1}}"#));
        let event = one(&body);
        assert_eq!((event.level, ctx(&event)), (Level::Info, json!({"a": 1, "level_original": kept})));
    }
}

#[test]
fn times_are_read_clamped_to_receipt_and_kept_when_unreadable() {
    let read = |sent: &str| {
        let body = with(&format!(r#""ts":{sent}"#));
        let event = one(&body);
        (event.ts.to_string(), ctx(&event))
    };
    let expected = ("2026-11-20T22:10:30.500Z".to_owned(), Value::Null);
    for sent in [
        r#""2026-11-20T22:10:30.5Z""#,
        r#""2026-11-20t23:10:30.500999+01:00""#,
        r#""2026-11-20 22:10:30.5""#,
        "1795212630.5",
        "1795212630500",
        r#""1795212630500""#,
        "1795212630500000",
        "1.7952126305e9",
        r#""2026-11-20T22:10:30.5\u005a""#,
    ] {
        assert_eq!(read(sent), expected, "{sent}");
    }
    assert_eq!(read(r#""2027-01-01T00:00:00Z""#), (NOW.to_string(), Value::Null), "a future is clamped");
    assert_eq!(read(r#""1999-01-01T00:00:00Z""#).0, "1999-01-01T00:00:00.000Z");
    for sent in [r#""soon""#, "-5", "1e300", "true", "[1]"] {
        let original: Value = serde_json::from_str(sent).unwrap();
        assert_eq!(read(sent), (NOW.to_string(), json!({"ts_original": original})), "{sent}");
    }
}

#[test]
fn what_is_too_long_is_cut_between_characters_and_marked() {
    let long = "é".repeat(500_000);
    for (field, bytes) in
        [("source", 512), ("env", 512), ("user_id", 512), ("release", 512), ("stack", 32 * 1024)]
    {
        let body = format!(r#"[{{"message":"m","{field}":"{long}"}},{{"message":"n"}}]"#);
        let batch = batch(&body);
        let event = &batch.events[0];
        let kept = match field {
            "source" => &event.source,
            "env" => &event.env,
            "user_id" => event.user_id.as_ref().unwrap(),
            "release" => event.release.as_ref().unwrap(),
            _ => event.stack.as_ref().unwrap(),
        };
        assert_eq!((kept.len(), event.truncated), (bytes, true), "{field}");
        assert!(!batch.events[1].truncated, "only that event");
    }
    // A byte before two-byte characters makes the limit fall inside one; escapes are cut as what they stand for.
    for message in [format!("x{long}"), format!("x{}", "\\u00e9".repeat(500_000))] {
        let body = format!(r#"{{"message":"{message}"}}"#);
        let event = one(&body);
        assert_eq!((event.message.len(), event.truncated), (MESSAGE_BYTES - 1, true));
    }
    let body = format!(r#"{{"message":"{}"}}"#, "m".repeat(MESSAGE_BYTES));
    assert!(!one(&body).truncated, "exactly the bound is whole");
}

#[test]
fn a_large_ctx_keeps_its_small_entries_and_the_start_of_large_ones() {
    let body = with(&format!(r#""ctx":{{"a":1,"big":"{}","z":[2]}},"url":"/x""#, "é".repeat(600_000)));
    let event = one(&body);
    let kept = ctx(&event);
    assert_eq!((&kept["a"], &kept["z"], &kept["url"]), (&json!(1), &json!([2]), &json!("/x")));
    assert_eq!(kept["big"].as_str().unwrap().len(), 8192);
    assert!(event.truncated);

    let numbers = vec!["123456"; 100_000].join(",");
    for large in [format!("[{numbers}]"), format!(r#"{{"list":[{numbers}]}}"#), format!(r#""{numbers}""#)] {
        let body = with(&format!(r#""ctx":{large}"#));
        let event = one(&body);
        let json = event.ctx.unwrap();
        assert!(
            event.truncated && json.get().len() <= CTX_BYTES && json.get().len() > 8000,
            "{}",
            json.get().len()
        );
    }
    let mut entries = String::new();
    for number in 0..20_000 {
        write!(entries, r#""key{number}":"é\u0001","#).unwrap();
    }
    let body = with(&format!(r#"{entries}"ctx":{{{entries}"last":1}}"#));
    let event = one(&body);
    assert!(event.truncated && event.ctx.unwrap().get().len() > CTX_BYTES - 100, "filled to the bound");
}

#[test]
fn nesting_beyond_the_bound_refuses_that_event_alone() {
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for (field, deep, refused) in [
        ("ctx", nest(32), false),
        ("ctx", nest(33), true),
        ("ctx", objects(32), false),
        ("ctx", objects(33), true),
        ("ctx", nest(50_000), true),
        ("other", nest(31), false),
        ("other", nest(32), true),
        ("other", objects(50_000), true),
        ("tags", nest(50_000), true),
        ("message", nest(50_000), true),
        ("ts", nest(50_000), true),
        ("user_id", nest(65), true),
    ] {
        let body = format!(r#"[{{"message":"a"}},{{"{field}":{deep},"message":"x"}},{{"message":"b"}}]"#);
        let batch = batch(&body);
        assert_eq!(batch.rejected.len(), usize::from(refused), "{field} {}", deep.len());
        assert!(batch.rejected.iter().all(|rejection| (rejection.index, rejection.code) == (1, TOO_DEEP)));
        assert_eq!(batch.events.len(), 3 - batch.rejected.len());
    }
    let body = format!("[{},{}]", nest(50_000), r#"{"message":"b"}"#);
    assert_eq!(shown(&batch(&body)).lines().last(), Some("0 refused: too_deep"));
    assert!(matches!(refusal(&"[".repeat(50_000)), ApiError::InvalidJson(_)));
}

#[test]
fn text_that_would_break_json_functions_is_repaired() {
    let body = "{\"message\":\"a\\ud800b\\u0000c\0d\\ud83d\\ude00\n\",\"ctx\":{\"k\\udfff\":\"\\ud83d\\ude00 \\ud83d \\u0000\",\
                \"raw\":\"\u{1}\0\n\t\",\"n\":[1e999,-1e999,NaN,-Infinity,1e300],\"esc\":\"\\/\\u00e9\\u001b\\\"\"}}";
    let event = one(body);
    assert_eq!(event.message, "a\u{FFFD}b\u{FFFD}c\u{FFFD}d😀\n");
    let json = event.ctx.as_ref().unwrap().get();
    assert_eq!(
        json,
        "{\"k\u{FFFD}\":\"😀 \u{FFFD} \u{FFFD}\",\"raw\":\"\\u0001\u{FFFD}\\n\\t\",\
         \"n\":[\"1e999\",\"-1e999\",\"NaN\",\"-Infinity\",1e300],\"esc\":\"/é\\u001b\\\"\"}"
    );
    let event_body = "{\"message\":\"m\",\"ctx\":{\n  \"a\": [1,\n 2]\n}}";
    assert_eq!(one(event_body).ctx.unwrap().get(), r#"{"a":[1,2]}"#, "a stored event is one line");
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_lose_nothing_else() {
    let body = b"[{\"message\":\"caf\xE9 \xFF\"},{\"message\":\"b\"}]";
    let text = decode(body);
    let batch = batch(&text);
    assert_eq!((&*batch.events[0].message, &*batch.events[1].message), ("caf\u{FFFD} \u{FFFD}", "b"));
    assert!(matches!(decode(b"[]"), Cow::Borrowed("[]")));
}

#[test]
fn a_body_with_nothing_to_read_says_so() {
    for body in ["", " \n", "[]", "[ ]", r#"{"events":[]}"#, "null", "7", r#""text""#] {
        let ApiError::InvalidJson(detail) = refusal(body) else { panic!("{body}") };
        assert!(detail.starts_with("nothing to read"), "{body}: {detail}");
    }
}

#[test]
fn a_body_that_is_not_json_says_where() {
    for (body, place) in [
        ("hello", "line 1, column 1: expected a value"),
        ("[{\"message\":\"a\"},\n {\"message\": oops}]", "line 2, column 14: expected a value"),
        (r#"[{"message":"a"}"#, "line 1, column 17: expected ',' or ']', but the body ends"),
        (r#"[{"message":"a"},]"#, "line 1, column 18: expected a value"),
        (
            r#"{"message":"a"}{"message":"b"}"#,
            "line 1, column 16: expected nothing more after the JSON value",
        ),
        (r#"{"events":[{"message":"a"}]} x"#, "line 1, column 30: expected nothing more"),
        (r#"{"é":1,}"#, "line 1, column 8: expected a key in double quotes"),
        (r#"{"message":"\x"}"#, "line 1, column 13: expected an escape JSON knows"),
        (r#"{"message":"\u12"}"#, "line 1, column 13: expected four hex digits"),
        (r#"{"message":01}"#, "line 1, column 13: expected ',' or '}'"),
    ] {
        let ApiError::InvalidJson(detail) = refusal(body) else { panic!("{body}") };
        assert!(detail.starts_with(place), "{body}: {detail}");
    }
}

#[test]
fn the_limit_is_told_when_there_are_too_many_events() {
    let body = |count: usize| format!("[{}]", vec![r#"{"message":"m"}"#; count].join(","));
    assert_eq!(parse(&body(250), &rules(250)).unwrap().events.len(), 250);
    for body in [body(251), format!(r#"{{"events":{}}}"#, body(251))] {
        let ApiError::TooManyEvents(detail) = refusal(&body) else { panic!("accepted") };
        assert!(detail.contains("250"), "{detail}");
    }
}

/// JSON, nearly JSON, and the spots where both go wrong.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\ud800",
        "\\udc00",
        "\\u0000",
        "null",
        "true",
        "1",
        "-",
        "1e999",
        "0.5",
        "NaN",
        "\"message\":",
        "\"m\"",
        "\"ctx\":",
        "\"ts\":",
        "\"level\":",
        "\"tags\":",
        "\"x\":",
        "{\"message\":\"m\"",
        "{\"events\":[",
        " ",
        "\n",
        "\u{1}",
        "\0",
        "é",
        "😀",
        "[[[[[[[[[[[[[[[[",
        "]]]]]]]]",
        "\"stack\":",
        "\"user_id\":",
        "\"time\":",
        "\"fingerprint\":",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// A JSON value of any kind.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "[ -~\\PC\\x00-\\x1f]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(40, 60, 4, |inner| {
        let name = prop::sample::select(vec![
            "message", "ctx", "ts", "level", "tags", "stack", "url", "é\n", "ctx_2",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5).prop_map(|entries| entries
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// What must hold of every accepted event.
fn check(batch: &ParsedBatch<'_>) {
    assert_eq!(batch.received as usize, batch.events.len() + batch.rejected.len());
    for event in &batch.events {
        assert!(!event.message.is_empty() && event.message.len() <= MESSAGE_BYTES && event.ts <= NOW);
        assert!(!event.message.contains('\0'));
        if let Some(json) = &event.ctx {
            let value: Value = serde_json::from_str(json.get()).unwrap();
            assert!(depth_of(&value) <= 32 && json.get().len() <= CTX_BYTES, "{}", json.get());
            assert!(!json.get().contains(['\n', '\r']), "one line");
            assert!(!json.get().contains("\\ud") && !json.get().contains("\\u0000"), "{}", json.get());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(batch) = parse(&decode(&body), &rules(250)) {
            check(&batch);
        }
    }

    #[test]
    fn what_is_nearly_json_is_answered_without_a_panic(body in nearly_json()) {
        if let Ok(batch) = parse(&body, &rules(250)) {
            check(&batch);
        }
    }

    #[test]
    fn any_json_is_read_and_what_is_kept_is_valid(body in any_json()) {
        let text = body.to_string();
        match parse(&text, &rules(250)) {
            Ok(batch) => check(&batch),
            Err(ApiError::InvalidJson(detail)) => prop_assert!(detail.starts_with("nothing to read"), "{}", detail),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_ctx_is_kept_as_the_same_value(kept in any_json(), url in any_json()) {
        let body = json!([{"message": "m", "ctx": kept}, {"message": "m", "ctx": {"a": kept}, "url": url}]).to_string();
        let batch = parse(&body, &rules(250)).unwrap();
        for event in &batch.events {
            let expected = if event.index == 0 { kept.clone() } else { json!({"a": kept, "url": url}) };
            prop_assert_eq!(ctx(event).to_string(), expected.to_string().replace("\\u0000", "\u{FFFD}"));
        }
    }
}
