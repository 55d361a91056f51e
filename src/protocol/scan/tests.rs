use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn scan(text: &str) -> Result<Value<'_>, ScanError> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

#[test]
fn a_value_comes_with_its_slice_kind_and_depth() {
    for (text, kind, depth) in [
        (" \"a\\\"b\" ", Kind::String, 0),
        ("-0.5e+3", Kind::Number, 0),
        ("true", Kind::Bool, 0),
        ("null", Kind::Null, 0),
        ("[]", Kind::Array, 1),
        ("{ }", Kind::Object, 1),
        ("[{}, [[1]], {\"a\": [2]}]", Kind::Array, 3),
        ("{\"a\":{\"b\":{}},\"c\":0}", Kind::Object, 3),
    ] {
        let value = scan(text).unwrap();
        assert_eq!((value.raw, value.kind, value.depth), (text.trim(), kind, depth));
    }
}

#[test]
fn depth_is_exact_to_64_and_bottomless_beyond() {
    for depth in [1, 2, 63, 64, 65, 100, 50_000] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(scan(&text).unwrap().depth as usize, depth.min(65));
    }
    // Siblings after the deep part are still part of the value, brackets in strings are not counted.
    let text = format!("{}\"]]\\\"]\"{},1]", "[".repeat(70), "]".repeat(69));
    assert_eq!(scan(&text).unwrap().raw, text);
}

#[test]
fn what_must_be_written_anew_is_told_apart_from_what_need_not() {
    for (text, escaped, untidy) in [
        (r#"["plain é", 1.5, {"a": null}]"#, false, false),
        (r#"["\n\t\"\\"]"#, true, false),
        (r#"["\u00e9"]"#, true, true),
        (r#"{"\u00e9":1}"#, true, true),
        (r#"["a\/b"]"#, true, true),
        ("[\"a\tb\"]", false, true),
        ("[1,\n2]", false, true),
        ("{\"a\"\n:1}", false, true),
        ("{\"a\":1\t}", false, true),
        ("[1e308]", false, false),
        ("[1e309]", false, true),
        ("[NaN]", false, true),
        ("-Infinity", false, true),
    ] {
        assert_eq!(scan(text).unwrap().traits, Traits { escaped, untidy }, "{text}");
    }
    assert!(scan(&"9".repeat(400)).unwrap().traits.untidy, "an integer no double can hold");
    assert!(!scan(&"9".repeat(300)).unwrap().traits.untidy);
}

#[test]
fn what_is_not_json_is_an_error() {
    for text in [
        "",
        "tru",
        "nul",
        "Inf",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[}",
        "{]",
        "[1]]",
        "1 2",
        "'a'",
        "[\"a\":1]",
        "{\"a\",1}",
        "\u{A0}1",
    ] {
        assert!(scan(text).is_err(), "{text}");
    }
}

#[test]
fn specials_are_found_at_every_offset() {
    for special in [b'"', b'\\', 0, 0x1F] {
        for at in 0..40 {
            let mut bytes = [b'a', 0xFF, 0x7F, b' ', b'!', 0x80, b'#', b'['].repeat(5);
            assert_eq!(next_special(&bytes, 0), 40);
            bytes[at] = special;
            bytes[39] = b'"';
            assert_eq!(next_special(&bytes, 0), at);
            assert_eq!(next_special(&bytes, at.saturating_sub(3)), at);
        }
    }
}

fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\", "\\n", "\\u00e9", "\\ud800", "null", "true", "0",
        "-", "1", ".", "e", "E+", "1e5", "{\"a\":", "[1,", " ", "\n", "é", "/",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn json_is_what_serde_takes_for_json(text in tokens()) {
        // Two differences are meant: control characters inside strings, and NaN with the infinities.
        prop_assume!(!text.contains('\n'));
        let theirs = serde_json::from_str::<&RawValue>(&text);
        prop_assert_eq!(scan(&text).map(|value| value.raw).ok(), theirs.map(RawValue::get).ok());
    }

    #[test]
    fn any_text_is_scanned_without_a_panic(text in "\\PC{0,60}", more in "[\\[\\]{}\",:0-9\\\\u \n]{0,60}") {
        for text in [&text, &more] {
            if let Ok(value) = scan(text) {
                prop_assert!(text.contains(value.raw));
            }
        }
    }
}
