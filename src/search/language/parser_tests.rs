use proptest::prelude::*;

use super::*;
use crate::search::language::Query;
use crate::search::language::arbitrary::{NOW, tree};

/// The canonical spelling of a query that has no warning.
fn canonical(text: &str) -> String {
    let (query, warnings) = Query::parse(text, NOW).unwrap();
    assert!(warnings.is_empty(), "{text}: {warnings:?}");
    query.to_string()
}

/// The canonical spelling, and how many warnings.
fn warned(text: &str) -> (String, usize) {
    let (query, warnings) = Query::parse(text, NOW).unwrap();
    (query.to_string(), warnings.len())
}

#[test]
fn words_phrases_and_negations_are_told_apart() {
    for (text, expected) in [
        ("  Time  out ", "Time out"),
        ("\"time  OUT\" -debug", "\"time  OUT\" -debug"),
        ("-\"a b\"c", "-\"a b\" c"),
        (r#""say \"hi\" C:\\x \n""#, r#""say \"hi\" C:\\x \\n""#),
        (r"C:\temp\new", r#""C:\\temp\\new""#),
        ("a-b --x 5\"", "a-b -\"-x\" \"5\\\"\""),
        ("NOT a NOT NOT b -(-c)", "-a b c"),
        ("f(x) (a b)", "\"f(x)\" a b"),
        ("\"\" -\"\"", ""),
        (" \t", ""),
        (
            "GET /api/v1/orders http://host:80/x 12:30",
            "GET \"/api/v1/orders\" \"http://host:80/x\" \"12:30\"",
        ),
        ("or and not", "or and not"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn operators_bind_not_then_and_then_or() {
    for (text, expected) in [
        ("a OR b c", "a OR b AND c"),
        ("a AND (b OR c)", "a (b OR c)"),
        ("NOT a OR b", "-a OR b"),
        ("-(a b) OR (c OR d)", "-(a b) OR c OR d"),
        ("a OR(b)", "a OR b"),
        ("a OR \"\"", "a"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn fields_take_every_kind_of_value() {
    for text in [
        "user_id:u_7",
        "message:\"two words\"",
        "source:web*",
        "source:*shop*v2",
        "message:\"two wo\"*",
        "message:/a b\\/c(d)/",
        "message:/x/i",
        "/time(d)? out/",
        "ctx.status:>=500",
        "ctx.ms:<-1.5e3",
        "ctx.n:=5",
        "level:>=warn",
        "ts:>=2026-06-01T00:00:00Z",
        "received_at:<now-5m",
        "ts:-15m",
        "has:ctx.a.b",
        "has:\"ctx.a b\"",
        "\"ctx.a b\":x",
        "-has:stack",
        "user_id:\"\"",
        "ctx:blue",
    ] {
        assert_eq!(canonical(text), text);
    }
    for (text, expected) in [
        ("LEVEL:Error CTX.a:1", "level:Error ctx.a:1"),
        ("tags:*", "has:tags"),
        ("level:=warn source:=x ts:=now", "level:warn source:x ts:now"),
        ("ts:>\"2026-06-01 10:00\"", "ts:>\"2026-06-01 10:00\""),
        ("source:a**b", "source:a*b"),
        ("level:(error OR fatal)", "level:error OR level:fatal"),
        ("ctx.s:(>=500 OR 404 -\"x y\")", "ctx.s:>=500 OR ctx.s:404 AND -ctx.s:\"x y\""),
        ("has:(user_id OR stack)", "has:user_id OR has:stack"),
        ("source:(a OR level:error)", "source:a OR level:error"),
        ("path:/var/log a ctx.p:/api/*", "\"path:/var/log\" a ctx.p:\"/api/\"*"),
    ] {
        assert_eq!(warned(text).0, expected, "{text}");
    }
}

#[test]
fn what_does_not_parse_is_searched_as_text_with_a_warning() {
    for (text, expected) in [
        ("a \"b c\\\"", "a \"\\\"b\" \"c\\\\\\\"\""),
        ("(a OR b", "\"(\" AND a OR b"),
        ("a)", "a \")\""),
        ("()", "\"()\""),
        ("a OR", "a \"OR\""),
        ("AND a", "\"AND\" a"),
        ("NOT", "\"NOT\""),
        ("level: x", "\"level:\" x"),
        ("level:loud", "\"level:loud\""),
        ("ts:soon", "\"ts:soon\""),
        ("ctx.a:>b", "\"ctx.a:>b\""),
        ("ctx.a:>=", "\"ctx.a:>=\""),
        ("has:nothing", "\"has:nothing\""),
        ("message:/(/", "\"message:/(/\""),
        ("/a{9999}{9999}/", "\"/a{9999}{9999}/\""),
        ("status:500", "\"status:500\""),
        ("time*", "\"time*\""),
        ("level:(loud OR error)", "loud OR level:error"),
    ] {
        let (printed, warnings) = warned(text);
        assert_eq!((printed.as_str(), warnings), (expected, 1), "{text}");
    }
}

#[test]
fn a_warning_says_where_and_why() {
    let (_, warnings) = Query::parse("a status:500 b", NOW).unwrap();
    assert_eq!(warnings[0].span, 2..12);
    assert_eq!(
        warnings[0].text,
        "status is not a field, so status:500 is searched as text; a value in ctx is ctx.status"
    );
    let (_, warnings) = Query::parse("level:loud (", NOW).unwrap();
    assert_eq!(
        warnings[0].text,
        "level:loud asks for no level (trace, debug, info, warn, error, fatal), so it is searched as text"
    );
    assert_eq!(warnings[1].text, "a ( is not closed, so it is searched as text");
}

#[test]
fn only_what_is_beyond_a_bound_is_refused() {
    let parse = |text: &str| Query::parse(text, NOW).map(|_| ());
    assert_eq!(parse(&"ä".repeat(1000)), Ok(()));
    assert_eq!(parse(&"ä".repeat(1001)), Err(QueryError::TooLong));
    assert_eq!(parse(&"a ".repeat(64)), Ok(()));
    assert_eq!(parse(&"a ".repeat(65)), Err(QueryError::TooManyTerms));
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(parse(&nested(16)), Ok(()));
    assert_eq!(parse(&nested(17)), Err(QueryError::TooDeep));
    assert_eq!(parse(&"(".repeat(60)), Ok(()), "not closed, they stand around nothing");
    assert_eq!(parse(&"NOT ".repeat(250)), Ok(()));
    assert_eq!(parse(&format!("{}a", "-(".repeat(400))), Err(QueryError::TooManyTerms));
}

#[test]
fn more_regular_expressions_than_the_bound_are_text() {
    let (query, warnings) = Query::parse(&"/a+/ ".repeat(9), NOW).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(query.to_string().ends_with("/a+/ \"/a+/\""));
}

/// Text that often means something.
fn query_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[-() \"*/\\\\<>=:iab]{0,6}",
        2 => prop_oneof![
            Just("OR "), Just(" AND "), Just("NOT "), Just("level:"), Just("ctx.a:"), Just("has:"), Just("ts:"),
            Just("error"), Just("\"ctx.x y\":"), Just(">=5"), Just("/a+/"), Just("message:(")
        ].prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_tree_reads_back_as_itself(tree in tree()) {
        let text = tree.to_string();
        prop_assume!(text.chars().count() <= MAX_CHARS);
        let (query, _) = Query::parse(&text, NOW).unwrap();
        prop_assert_eq!(query.tree(), Some(&tree), "{}", text);
    }

    #[test]
    fn what_a_text_prints_as_is_stable(text in query_text()) {
        if let Ok((query, _)) = Query::parse(&text, NOW) {
            let printed = query.to_string();
            if let Ok((again, _)) = Query::parse(&printed, NOW) {
                prop_assert_eq!(again.tree(), query.tree(), "{} / {}", text, printed);
                prop_assert_eq!(again.to_string(), printed);
            } else {
                prop_assert!(printed.chars().count() > MAX_CHARS, "{}", printed);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Query::parse(&text, NOW);
    }

    #[test]
    fn a_quoted_phrase_is_taken_as_it_is(text in "[^\"\\\\]{1,30}") {
        let (query, warnings) = Query::parse(&format!("\"{text}\""), NOW).unwrap();
        prop_assert!(warnings.is_empty());
        prop_assert_eq!(query.tree(), Some(&Node::Term(Term::Text(text))));
    }
}
