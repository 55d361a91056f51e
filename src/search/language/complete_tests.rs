use proptest::prelude::*;

use super::*;
use crate::search::language::field::Column;

/// What is being typed where `|` is.
fn at(text: &str) -> (Place, String, String) {
    let cursor = text.find('|').unwrap();
    let text = text.replace('|', "");
    let Completion { place, typed, replaces } = completion(&text, cursor);
    (place, typed, text[replaces].to_owned())
}

fn value(column: Column) -> Place {
    Place::Value(Field::Column(column))
}

#[test]
fn the_place_and_what_is_typed_are_told() {
    let path = || Place::Value(Field::Path("a.b".to_owned()));
    for (text, place, typed, replaced) in [
        ("|", Place::Term, "", ""),
        ("lev|", Place::Term, "lev", "lev"),
        ("a lev|el b", Place::Term, "lev", "level"),
        ("a -lev|", Place::Term, "lev", "lev"),
        ("OR|", Place::Term, "OR", "OR"),
        ("level:|", value(Column::Level), "", ""),
        ("level:er|", value(Column::Level), "er", "er"),
        ("level:er|ror x", value(Column::Level), "er", "error"),
        ("level:>=wa|", value(Column::Level), "wa", "wa"),
        ("level:>=|", value(Column::Level), "", ""),
        ("level:(error OR fa|)", value(Column::Level), "fa", "fa"),
        ("level:(error OR |", value(Column::Level), "", ""),
        ("level:(error) fa|", Place::Term, "fa", "fa"),
        ("ctx.a.b:(x (y|", path(), "y", "y"),
        ("message:\"pay fa|", value(Column::Message), "pay fa", "\"pay fa"),
        ("message:\"pay fa|iled\" b", value(Column::Message), "pay fa", "\"pay failed\""),
        ("\"pay fa|", Place::Term, "pay fa", "\"pay fa"),
        ("has:us|", Place::Name, "us", "us"),
        ("has:|", Place::Name, "", ""),
        ("lev|el:error", Place::Term, "lev", "level"),
        ("level:error |", Place::Term, "", ""),
    ] {
        assert_eq!(at(text), (place, typed.to_owned(), replaced.to_owned()), "{text}");
    }
}

proptest! {
    #[test]
    fn every_cursor_has_an_answer_within_the_text(text in "[-() \"*/<>=:aiä]{0,20}|.{0,20}", cursor in 0..40_usize) {
        let found = completion(&text, cursor);
        prop_assert!(text.get(found.replaces.clone()).is_some());
        prop_assert!(found.replaces.start <= cursor.min(text.len()));
    }
}
