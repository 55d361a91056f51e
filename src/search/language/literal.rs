//! What a text must contain for a regular expression to match it.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::block::case::lowercase;

/// Most ways of writing one letter that are taken for the letter.
const MAX_FORMS: usize = 4;

/// Texts that the lower case of every match contains, each of at least two bytes; perhaps none.
pub(super) fn required_literals(pattern: &str, any_case: bool) -> Vec<String> {
    let Ok(hir) = ParserBuilder::new().case_insensitive(any_case).build().parse(pattern) else {
        return Vec::new();
    };
    let mut found = Literals::default();
    found.add(&hir);
    found.end();
    found.list
}

#[derive(Default)]
struct Literals {
    list: Vec<String>,
    current: String,
}

impl Literals {
    /// Adds what follows. It calls itself as deep as the expression is nested, which its compiler has bounded.
    fn add(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.current.push_str(&lowercase(text)),
                Err(_) => self.end(),
            },
            HirKind::Class(class) => match letter(class) {
                Some(letter) => self.current.push_str(&letter),
                None => self.end(),
            },
            HirKind::Repetition(repetition) => {
                self.end();
                if repetition.min > 0 {
                    self.add(&repetition.sub);
                    self.end();
                }
            }
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.add(part)),
            HirKind::Alternation(_) => self.end(),
        }
    }

    fn end(&mut self) {
        let literal = std::mem::take(&mut self.current);
        if literal.len() >= 2 {
            self.list.push(literal);
        }
    }
}

/// The one lower case of all chars of a class.
fn letter(class: &Class) -> Option<String> {
    let Class::Unicode(class) = class else { return None };
    let mut chars = class.iter().flat_map(|range| range.start()..=range.end());
    let lower = lowercase(&chars.next()?.to_string());
    for (number, ch) in chars.enumerate() {
        if number + 1 >= MAX_FORMS || lowercase(&ch.to_string()) != lower {
            return None;
        }
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::language::tree::Pattern;

    #[test]
    fn literals_are_what_every_match_contains() {
        for (pattern, any_case, literals) in [
            ("timeout after \\d+ ms", false, &["timeout after ", " ms"][..]),
            ("Time(Out)+x", false, &["time", "out"]),
            ("a|bc", false, &[]),
            ("(ab|cd)ef", false, &["ef"]),
            ("ab?cd", false, &["cd"]),
            ("^ab\\bcd$", false, &["abcd"]),
            ("Kilo", true, &["kilo"]),
            ("best", true, &["be"]),
            ("(?i)tom", false, &["tom"]),
            ("[", false, &[]),
        ] {
            assert_eq!(required_literals(pattern, any_case), literals, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_match_contains_the_literals(pattern in "[abkK.?+(|)ſß]{1,8}", any_case in any::<bool>(), text in "[abkKAB\u{212A}sSſß]{0,12}") {
            if let Ok(compiled) = Pattern::new(&pattern, any_case)
                && compiled.regex().is_match(&text)
            {
                for literal in required_literals(&pattern, any_case) {
                    prop_assert!(lowercase(&text).contains(&literal), "{}", literal);
                }
            }
        }
    }
}
