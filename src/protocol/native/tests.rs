use std::fmt::Write as _;

mod bounds;
mod properties;

use serde_json::{Value, json};

use super::super::{
    CTX_BYTES, MESSAGE_BYTES, MESSAGE_MISSING, ParseRules, ParsedBatch, SECRET_SLACK, cut_to_size,
};
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
fn text_that_had_to_be_repaired_is_bounded_as_repaired() {
    let body = [b"[\"caf\xe9\"".as_slice(), &[0xff; 10], b"]"].concat();
    let repaired = decode(&body);
    assert_eq!(decode_within(&body, repaired.len()), Ok(repaired.clone()));
    assert!(matches!(decode_within(&body, repaired.len() - 1), Err(ApiError::PayloadTooLarge(_))));
    assert_eq!(decode_within(b"\xEF\xBB\xBFplain", 5), Ok("plain".into()));
    assert_eq!(decode_within(b"plain", 0), Ok("plain".into()), "what is UTF-8 has its bound already");
}
