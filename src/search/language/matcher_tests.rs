use proptest::prelude::*;

use super::*;
use crate::block::arbitrary::event;
use crate::search::language::Query;
use crate::search::language::arbitrary::{NOW, naive, tree};
use crate::search::samples;

const LINE: &str = r#"{"id":"00000000000000000000000000-0","ts":1780272000000,"level":"error","source":"web-shop","env":"staging","message":"Payment \"failed\"\nÄrger C:\\temp","ctx":{"order_key":"K-17","http":{"status":503,"Path":"/api/v1"},"deep":[{"sum":12.50,"ok":true,"none":null},{"sum":7}],"n":"42"},"user_id":"User_7","request_id":"req-9","tags":["blue","two words"],"release":"2.1.0","stack":"at pay (a.js:1)","fingerprint":"00000000000000ff"}"#;

fn query(text: &str) -> Query {
    Query::parse(text, NOW).unwrap().0
}

fn found(text: &str) -> bool {
    query(text).matches(&StoredEvent::parse(LINE.as_bytes()).unwrap())
}

fn found_and_its_negation_not(texts: &[&str]) {
    for text in texts {
        assert!(found(text), "{text}");
        assert!(!found(&format!("-({text})")), "-({text})");
    }
}

fn not_found_but_its_negation(texts: &[&str]) {
    for text in texts {
        assert!(!found(text), "{text}");
        assert!(found(&format!("-({text})")), "-({text})");
    }
}

#[test]
fn words_are_found_in_every_searched_field_in_any_case() {
    found_and_its_negation_not(&[
        "PAYMENT",
        "ärger",
        "ÄRGER",
        "\"failed\\\"\n\"",
        "c:\\TEMP",
        "shop",
        "k-17",
        "12.50",
        "true",
        "user_7",
        "REQ-9",
        "blue",
        "2.1",
        "a.js",
        "payment shop",
        "/Pay.*d/",
        "/pay/i",
    ]);
}

#[test]
fn words_are_not_found_in_keys_level_environment_and_ids() {
    not_found_but_its_negation(&[
        "order_key",
        "staging",
        "error",
        "00ff",
        "none",
        "null",
        "message",
        "\\n",
        "payment refund",
        "/pays/",
    ]);
}

#[test]
fn fields_are_tested_by_value_wildcard_expression_and_comparison() {
    found_and_its_negation_not(&[
        "level:ERROR",
        "level:err",
        "level:>=warn",
        "level:(warn OR error)",
        "level:e*",
        "level:/rr/",
        "source:WEB-shop",
        "source:web*",
        "source:*-*op",
        "source:/^web/",
        "env:staging",
        "user_id:user_7",
        "tags:BLUE",
        "tags:\"two words\"",
        "tags:two*",
        "release:2.*",
        "stack:*a.js*",
        "message:payment*",
        "fingerprint:00000000000000FF",
        "id:00000000000000000000000000-0",
        "id:0000*-0",
        "received_at:1970-01-01",
        "ctx.order_key:k-17",
        "ctx.HTTP.status:503",
        "ctx.http.status:>=500",
        "ctx.http.status:<600",
        "ctx.http.status:=503.0",
        "ctx.deep.sum:7",
        "ctx.deep.sum:>12",
        "ctx.deep.ok:true",
        "ctx.n:>41",
        "ctx.http.path:/api/v1",
        "ctx.http.path:\"/api/\"*",
        "ctx:K-17",
        "ctx:>500",
        "has:ctx",
        "has:ctx.http",
        "has:ctx.http.status",
        "has:stack",
        "has:message",
        "has:project",
        "ts:2026-06-01",
        "ts:<=now",
        "ts:>-15m",
        "ts:2026-06-01T*",
        "ts:1780272000000",
    ]);
    not_found_but_its_negation(&[
        "level:warn",
        "level:<error",
        "source:shop",
        "source:web*x",
        "user_id:user",
        "tags:two",
        "release:>2",
        "ctx.status:503",
        "ctx.http:503",
        "ctx.http.status:>503",
        "ctx.deep.none:null",
        "has:ctx.deep.none",
        "has:ctx.htt",
        "ts:<now",
        "received_at:>-1h",
        "message:payment",
        "env:/STAG/",
        "project:1",
        "ctx:refund",
    ]);
}

#[test]
fn a_project_is_named_by_id_or_slug() {
    let event = StoredEvent::parse(LINE.as_bytes()).unwrap();
    let project = ProjectName { id: 12, slug: "web-shop".to_owned() };
    for (text, expected) in [
        ("project:web-shop", true),
        ("project:WEB*", true),
        ("project:12", true),
        ("project:>=12", true),
        ("project:1", false),
        ("project:web", false),
        ("-project:12", false),
    ] {
        assert_eq!(query(text).matcher(Some(&project)).matches(&event), expected, "{text}");
    }
}

#[test]
fn levels_and_times_are_what_a_match_may_have() {
    let levels = |text: &str| {
        let levels = query(text).matcher(None).levels();
        Level::ALL
            .into_iter()
            .filter(|&level| levels.contains(level))
            .map(Level::name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(levels("level:>=error x"), "error fatal");
    assert_eq!(levels("level:error OR level:(debug x)"), "debug error");
    assert_eq!(levels("-level:(trace OR debug) project:shop"), "info warn error fatal");
    assert_eq!(levels("level:error OR x"), "trace debug info warn error fatal");
    let now = NOW.as_millis();
    let times = |text: &str| query(text).matcher(None).times(false);
    assert_eq!(times("ts:>=-1s ts:<now x"), (now - 1000, now - 1));
    assert_eq!(times("ts:now OR ts:-1s"), (now - 1000, now));
    assert_eq!(times("-ts:>now"), ALWAYS);
    assert_eq!(times("ts:>now OR x"), ALWAYS);
    let receipts = |text: &str| query(text).matcher(None).times(true);
    assert_eq!(receipts("received_at:>=-1s x received_at:<now ts:now"), (now - 1000, now - 1));
    assert_eq!(receipts("received_at:now OR received_at:>-1s"), (now - 999, i64::MAX));
    assert_eq!((receipts("-received_at:>now"), receipts("received_at:now OR ts:now")), (ALWAYS, ALWAYS));
}

#[test]
fn what_a_match_must_have_is_common_to_all_alternatives() {
    let demand = |text: &str| query(text).matcher(None);
    let ids = |text: &str| demand(text).token_test().filters().0;
    assert_eq!(demand("user_id:a").token_test().tokens(), 1);
    assert_eq!(demand("user_id:a request_id:b").token_test().tokens(), 2);
    assert!(ids("user_id:a OR request_id:b"), "one of the two");
    assert!(!ids("user_id:a OR level:error") && !ids("-user_id:a"));
    assert_eq!(demand("ctx.order_id:17-99").token_test().tokens(), 2, "its own token or that of too many");
    assert_eq!(demand("timeout").token_test().filters(), (false, true));
    let needles = |text: &str| {
        let matcher = demand(text);
        matcher.alternatives().map(|list| {
            list.into_iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(needles("a Timeout").unwrap(), ["timeout"]);
    assert_eq!(needles("x (timeout OR Refused)").unwrap(), ["timeout", "refused"]);
    assert_eq!(needles("timeout OR -refused"), None);
    assert_eq!(needles("-timeout"), None);
    assert_eq!(needles("user_id:U1").unwrap(), [r#""user_id":"u1""#]);
    assert_eq!(needles("message:/time.?out after [0-9]+/").unwrap(), ["out after "]);
}

proptest! {
    #[test]
    fn any_query_matches_as_the_naive_evaluator_says(event in event(), tree in tree()) {
        let sample = samples::of(&[&[event]]);
        let expected = naive(&tree, &sample.events[0]);
        let matcher = Matcher::new(Some(&tree), NOW, None);
        let line = sample.lines().next().unwrap();
        prop_assert_eq!(matcher.matches(&StoredEvent::parse(&line).unwrap()), expected, "{}", tree);
        let mut lowered = Vec::new();
        push_lowercase(&line, &mut lowered);
        prop_assert!(matcher.admits_line(&lowered) || !expected);
        prop_assert!(matcher.admits_head(&LineHead::parse(&line).unwrap()) || !expected);
    }
}
