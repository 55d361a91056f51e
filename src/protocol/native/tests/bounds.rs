use super::*;

#[test]
fn what_is_too_long_is_cut_between_characters_and_marked() {
    let long = "é".repeat(500_000);
    for (field, bytes) in
        [("source", 512), ("env", 512), ("user_id", 512), ("release", 512), ("stack", 32 * 1024)]
    {
        let body = format!(r#"[{{"message":"m","{field}":"{long}"}},{{"message":"n"}}]"#);
        let mut batch = batch(&body);
        batch.events.iter_mut().for_each(cut_to_size);
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
        let mut event = one(&body);
        cut_to_size(&mut event);
        assert_eq!((event.message.len(), event.truncated), (MESSAGE_BYTES - 1, true));
    }
    let body = format!(r#"{{"message":"{}"}}"#, "m".repeat(MESSAGE_BYTES));
    let mut whole = one(&body);
    cut_to_size(&mut whole);
    assert!(!whole.truncated, "exactly the bound is whole");
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
    assert_eq!(one(event_body).ctx.unwrap().get(), r#"{"a":[1, 2]}"#, "a stored event is one line");
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
