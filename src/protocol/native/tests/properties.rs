use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

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
        assert!(
            !event.message.is_empty()
                && event.message.len() <= MESSAGE_BYTES + SECRET_SLACK
                && event.ts <= NOW
        );
        assert!(!event.message.contains('\0'));
        if let Some(json) = &event.ctx {
            let value: Value = serde_json::from_str(json.get()).unwrap();
            assert!(depth_of(&value) <= 32 && json.get().len() <= CTX_BYTES, "{}", json.get());
            assert!(!json.get().contains(['\n', '\r']), "one line");
            let escapes = json.get().replace("\\\\", "");
            assert!(!escapes.contains("\\ud") && !escapes.contains("\\u0000"), "{}", json.get());
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
        // An empty text counts as absent, as `null` does.
        prop_assume!(kept != json!("") && url != json!("") && !url.is_null());
        let body = json!([{"message": "m", "ctx": kept}, {"message": "m", "ctx": {"a": kept}, "url": url}]).to_string();
        let batch = parse(&body, &rules(250)).unwrap();
        for event in &batch.events {
            let expected = if event.index == 0 { kept.clone() } else { json!({"a": kept, "url": url}) };
            prop_assert_eq!(ctx(event).to_string(), expected.to_string().replace("\\u0000", "\u{FFFD}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_ctx_around_its_bound_stays_valid_and_within_it(
        entries in prop::collection::vec(
            (prop::sample::select(vec!["x", "é", "\\u0001", "\\ud800", "\\\"", "\\n", "\u{1}"]), 1_usize..9000, 0_u8..3),
            1..14,
        ),
        outside in any::<bool>(),
    ) {
        let mut fields = String::new();
        for (number, (piece, times, shape)) in entries.iter().enumerate() {
            let text = piece.repeat(*times);
            match shape {
                0 => write!(fields, r#","k{number}":"{text}""#),
                1 => write!(fields, r#","k{number}":["{text}",{{"a":"{text}"}}]"#),
                _ => write!(fields, r#","{text}":1"#),
            }
            .unwrap();
        }
        let body = if outside {
            format!(r#"{{"message":"m","ctx":[1]{fields}}}"#)
        } else {
            format!(r#"{{"message":"m","ctx":{{"first":1{fields}}}}}"#)
        };
        let batch = parse(&body, &rules(250)).unwrap();
        check(&batch);
        let event = &batch.events[0];
        let kept = ctx(event);
        prop_assert!(kept["first"] == 1 || kept["ctx"] == json!([1]));
        prop_assert!(event.truncated || kept.as_object().unwrap().len() >= entries.iter().filter(|entry| entry.2 < 2).count());
    }
}
