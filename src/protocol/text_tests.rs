use proptest::prelude::*;

use super::*;

fn string(json: &str) -> Value<'_> {
    Scanner::new(json).value().unwrap()
}

fn tidy(json: &str) -> String {
    let mut out = String::new();
    write_tidy(json, &mut out);
    out
}

#[test]
fn text_is_borrowed_unless_something_must_be_done_to_it() {
    let room = Room::Bytes(100);
    assert!(matches!(text_of(&string("\"plain é\""), room).text, Cow::Borrowed("plain é")));
    assert_eq!(text_of(&string(r#""a\"\\\/\b\f\n\r\té""#), room).text, "a\"\\/\u{8}\u{C}\n\r\té");
    assert_eq!(text_of(&string(r#""\u00e9\ud83d\uDE00\u0041""#), room).text, "é😀A");
}

#[test]
fn lone_surrogates_and_nul_become_the_replacement_character() {
    for json in [r#""\ud800""#, r#""\udc00""#, r#""\u0000""#, "\"\0\""] {
        assert_eq!(decode(&string(json)), "\u{FFFD}", "{json}");
    }
    assert_eq!(decode(&string(r#""\ud800\ud83d\ude00\ude00x""#)), "\u{FFFD}😀\u{FFFD}x");
    assert_eq!(decode(&string(r#""\ud800\n""#)), "\u{FFFD}\n");
}

#[test]
fn a_cut_never_splits_a_character_whether_escaped_or_not() {
    for json in [r#""aé😀b""#, r#""a\u00e9\ud83d\ude00b""#] {
        let kept = |room| {
            let cut = text_of(&string(json), room);
            (cut.text.into_owned(), cut.cut)
        };
        let whole = "aé😀b".to_owned();
        assert_eq!(kept(Room::Bytes(0)), (String::new(), true));
        assert_eq!(kept(Room::Bytes(2)), ("a".to_owned(), true));
        assert_eq!(kept(Room::Bytes(6)), ("aé".to_owned(), true));
        assert_eq!(kept(Room::Bytes(7)), ("aé😀".to_owned(), true));
        assert_eq!(kept(Room::Bytes(8)), (whole.clone(), false));
        assert_eq!(kept(Room::Chars(3)), ("aé😀".to_owned(), true));
        assert_eq!(kept(Room::Chars(4)), (whole, false));
    }
}

#[test]
fn tidy_json_has_the_fewest_escapes_and_no_line_breaks() {
    assert_eq!(tidy("[1,\n\t2 , true,null]"), "[1,2 , true,null]");
    assert_eq!(
        tidy(r#"{"\u00e9\/":"\u0022\u005c\u000a\u001f\ud800"}"#),
        "{\"é/\":\"\\\"\\\\\\n\\u001f\u{FFFD}\"}"
    );
    assert_eq!(tidy("[\"a\u{1}\n\",\"\\n\\u0041\"]"), "[\"a\\u0001\\n\",\"\\nA\"]");
    assert_eq!(tidy("[1e999,NaN,-1,1e5,-Infinity]"), r#"["1e999","NaN",-1,1e5,"-Infinity"]"#);
}

proptest! {
    #[test]
    fn text_written_and_decoded_is_the_same_but_for_nul(text in "[\\PC\\x00-\\x1f\"\\\\]{0,40}") {
        let mut json = String::new();
        write_string(&text, &mut json);
        let expected = text.replace('\0', "\u{FFFD}");
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), &*expected);
        prop_assert_eq!(&*decode(&string(&json)), &*expected);
        prop_assert_eq!(tidy(&json), json);
    }

    #[test]
    fn any_escapes_are_decoded_as_serde_does_and_tidied_to_the_same(
        parts in prop::collection::vec(prop_oneof![
            "[a-zé😀]{0,9}".prop_map(String::from),
            (1_u32..0x11_0000).prop_filter_map("a character", char::from_u32).prop_map(|character| {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units).iter();
                units.map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
            }),
            prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\b"]).prop_map(String::from),
        ], 0..12),
        most in 0_usize..30,
    ) {
        let json = format!("\"{}\"", parts.concat());
        let theirs: String = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&*decode(&string(&json)), &*theirs);
        prop_assert_eq!(serde_json::from_str::<String>(&tidy(&json)).unwrap(), &*theirs);
        let cut = text_of(&string(&json), Room::Bytes(most));
        prop_assert_eq!(&*cut.text, &theirs[..theirs.floor_char_boundary(most)]);
        prop_assert_eq!(cut.cut, theirs.len() > most);
        let cut = text_of(&string(&json), Room::Chars(most));
        prop_assert_eq!(cut.text.into_owned(), theirs.chars().take(most).collect::<String>());
        prop_assert_eq!(cut.cut, theirs.chars().count() > most);
    }
}
