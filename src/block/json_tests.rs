use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::block::arbitrary::{json, push_scalars};

fn compact(json: &str) -> String {
    let mut out = Vec::new();
    push_compact(json, &mut out);
    String::from_utf8(out).unwrap()
}

fn values(json: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for_each_value(json, |path, text| {
        found.push((path.to_owned(), text.to_owned()));
        ControlFlow::Continue(())
    });
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn whitespace_goes_only_outside_strings() {
    assert_eq!(compact("{ \"a b\" :\n [ 1 ,\t\"x  y\" ] }\r"), r#"{"a b":[1,"x  y"]}"#);
}

#[test]
fn escapes_are_rewritten_to_the_one_spelling() {
    assert_eq!(compact(r#""\u0041\/\u00e9\u000a\u0001\ud83d\ude00""#), r#""A/é\n\u0001😀""#);
}

#[test]
fn lone_surrogates_are_replaced_and_pairs_kept() {
    let json = r#"["\ud800", "a\\\udc00\ud83d\ude00\ud83d\ud83d\ude00\n", "\ud83d\\ude00"]"#;
    assert_eq!(compact(json), r#"["�","a\\�😀�😀\n","�\\ude00"]"#);
    let texts: Vec<String> = values(json).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["\u{FFFD}", "a\\\u{FFFD}😀\u{FFFD}😀\n", "\u{FFFD}\\ude00"]);
}

#[test]
fn values_come_with_their_paths() {
    let json = r#"{"a":{"b":[1,{"c":"x\n"}],"d":null},"e.f":true,"":-2.5e3}"#;
    assert_eq!(values(json), pairs(&[("a.b", "1"), ("a.b.c", "x\n"), ("e.f", "true"), ("", "-2.5e3")]));
    assert_eq!(values("\"root\""), pairs(&[("", "root")]));
    assert_eq!(values("[[],{},7]"), pairs(&[("", "7")]));
}

#[test]
fn a_visitor_stops_the_walk() {
    let mut seen = 0;
    for_each_value("[1,2,3]", |_, text| {
        seen += 1;
        if text == "2" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(seen, 2);
}

proptest! {
    #[test]
    fn a_string_reads_back(text in any::<String>()) {
        let mut out = Vec::new();
        push_string(&text, &mut out);
        prop_assert!(!out.contains(&b'\n'));
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn compacting_keeps_the_meaning_and_is_stable(value in json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let short = compact(&pretty);
        prop_assert!(!short.contains('\n') && short.len() <= pretty.len());
        prop_assert_eq!(serde_json::from_str::<Value>(&short).unwrap(), value);
        prop_assert_eq!(compact(&short), short);
    }

    #[test]
    fn every_scalar_is_visited_once(value in json()) {
        let mut expected = Vec::new();
        push_scalars(&value, &mut expected);
        let found: Vec<String> = values(&value.to_string()).into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), more in "[\\[\\]{}\",:\\\\a0 ]{0,40}") {
        for input in [&text, &more] {
            compact(input);
            values(input);
        }
    }
}
