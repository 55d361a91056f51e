use proptest::prelude::*;

use super::*;
use crate::block::arbitrary::{NOON, batch_id, batch_of, event, searched_texts};

fn terms(text: &str) -> Vec<(String, bool)> {
    let (query, warnings) = TextQuery::parse(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    query.terms().iter().map(|term| (term.text().to_owned(), term.is_negated())).collect()
}

fn found(query: &str, line: &str) -> bool {
    TextQuery::parse(query).unwrap().0.matches(&StoredEvent::parse(line.as_bytes()).unwrap())
}

const LINE: &str = r#"{"id":"00000000000000000000000000-0","ts":1,"level":"error","source":"web-shop","env":"staging","message":"Payment \"failed\"\nÄrger C:\\temp","ctx":{"order_key":"K-17","deep":[{"sum":12.50,"ok":true,"none":null}]},"user_id":"User_7","request_id":"req-9","tags":["blue"],"release":"2.1.0","stack":"at pay (a.js:1)","fingerprint":"00000000000000ff"}"#;

#[test]
fn words_phrases_and_negations_are_told_apart() {
    let expected =
        |list: &[(&str, bool)]| list.iter().map(|(text, not)| ((*text).to_owned(), *not)).collect::<Vec<_>>();
    assert_eq!(terms("  Time  out "), expected(&[("time", false), ("out", false)]));
    assert_eq!(terms("\"time  OUT\" -debug"), expected(&[("time  out", false), ("debug", true)]));
    assert_eq!(terms("-\"a b\"c"), expected(&[("a b", true), ("c", false)]));
    assert_eq!(terms(r#""say \"hi\" C:\\x \n""#), expected(&[(r#"say "hi" c:\x \n"#, false)]));
    assert_eq!(terms(r"C:\temp\new"), expected(&[(r"c:\temp\new", false)]));
    assert_eq!(
        terms("- a-b --x 5\""),
        expected(&[("-", false), ("a-b", false), ("-x", true), ("5\"", false)])
    );
    assert_eq!(terms("\"\" -\"\""), expected(&[]));
    assert!(TextQuery::parse(" \t").unwrap().0.is_empty());
}

#[test]
fn an_open_quote_is_searched_as_text_with_a_warning() {
    let (query, warnings) = TextQuery::parse("a \"b c\\\"").unwrap();
    let texts: Vec<_> = query.terms().iter().map(Term::text).collect();
    assert_eq!(texts, ["a", "\"b", "c\\\""]);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn too_long_and_too_many_are_refused() {
    assert!(TextQuery::parse(&"ä".repeat(1000)).is_ok());
    assert_eq!(TextQuery::parse(&"ä".repeat(1001)).unwrap_err(), QueryError::TooLong);
    assert!(TextQuery::parse(&"a ".repeat(32)).is_ok());
    assert_eq!(TextQuery::parse(&"a ".repeat(33)).unwrap_err(), QueryError::TooManyTerms);
}

#[test]
fn every_searched_field_is_found_in_any_case() {
    for query in [
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
    ] {
        assert!(found(query, LINE), "{query}");
        assert!(!found(&format!("-{query}"), LINE), "-{query}");
    }
}

#[test]
fn keys_level_environment_and_ids_are_not_searched() {
    for query in ["order_key", "staging", "error", "00ff", "none", "null", "message", "\\n"] {
        assert!(!found(query, LINE), "{query}");
        assert!(found(&format!("-{query}"), LINE), "-{query}");
    }
}

#[test]
fn all_terms_must_hold() {
    assert!(found("payment shop", LINE));
    assert!(!found("payment refund", LINE));
    assert!(!found("payment -shop", LINE));
    assert!(found("", LINE));
}

proptest! {
    #[test]
    fn a_term_matches_as_a_naive_search_says(event in event(), term in "[a-cA-CkKiI0-3İKß\"\\\\]{1,3}", not in any::<bool>()) {
        let query = TextQuery { terms: vec![Term::new(&term, not)] };
        let line = batch_of(batch_id(NOON, 1), std::slice::from_ref(&event)).lines;
        let contained = searched_texts(&event).iter().any(|text| lowercase(text).contains(&lowercase(&term)));
        prop_assert_eq!(query.matches(&StoredEvent::parse(&line).unwrap()), contained != not);
    }

    #[test]
    fn no_query_makes_it_panic(text in any::<String>(), more in "[-\"\\\\ ab]{0,30}") {
        let _ = (TextQuery::parse(&text), TextQuery::parse(&more));
    }

    #[test]
    fn a_quoted_phrase_is_taken_as_it_is(text in "[^\"\\\\]{1,30}") {
        let (query, warnings) = TextQuery::parse(&format!("\"{text}\"")).unwrap();
        prop_assert!(warnings.is_empty());
        prop_assert_eq!(query.terms().len(), 1);
        prop_assert_eq!(query.terms()[0].text(), lowercase(&text));
    }
}
