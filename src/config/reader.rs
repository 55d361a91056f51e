//! Takes settings out of the map of variables and gathers what is wrong instead of stopping at the first.
//!
//! A bad value is noted and its default handed on, so that reading continues; [`Reader::finish`] then refuses
//! the whole. An empty value counts as unset everywhere.

use std::collections::BTreeMap;

use super::problem::{ConfigError, Problem, quoted};
use super::setting::{Accepts, Setting};

/// A variable as it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    /// The name it stood under: the setting's own or its alias.
    pub(super) name: &'static str,
    /// Its text, not empty.
    pub(super) text: &'a str,
}

/// Reads settings and notes problems.
pub(super) struct Reader<'a> {
    variables: &'a BTreeMap<String, String>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(variables: &'a BTreeMap<String, String>) -> Self {
        Self { variables, problems: Vec::new(), notes: Vec::new() }
    }

    /// Notes a problem.
    pub(super) fn problem(
        &mut self,
        variable: &'static str,
        shape: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.push(Problem { variable, shape: shape.into(), remedy: remedy.into() });
    }

    /// Notes a problem made elsewhere.
    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Keeps a sentence for the warnings.
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// The sentences kept so far.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// True when the setting has a value, usable or not.
    pub(super) fn is_set(&self, setting: &Setting) -> bool {
        self.find(setting).is_some()
    }

    fn find(&self, setting: &Setting) -> Option<Found<'a>> {
        [Some(setting.name), setting.alias].into_iter().flatten().find_map(|name| {
            let text = self.variables.get(name)?;
            (!text.trim().is_empty()).then_some(Found { name, text })
        })
    }

    /// The text as given, `None` when unset or blank. Control characters and broken UTF-8 are noted.
    pub(super) fn raw(&mut self, setting: &Setting) -> Option<Found<'a>> {
        let found = self.find(setting)?;
        if found.text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            self.problem(
                found.name,
                "has a control character (perhaps a line break) or is not UTF-8",
                format!("set it to {}", setting.accepts),
            );
            return None;
        }
        Some(found)
    }

    /// The text without surrounding blanks, `None` when unset.
    pub(super) fn text(&mut self, setting: &Setting) -> Option<Found<'a>> {
        self.raw(setting).map(|found| Found { text: found.text.trim(), ..found })
    }

    /// A number within the setting's bounds, `None` when unset or noted as a problem.
    pub(super) fn optional_number<T: TryFrom<u64>>(&mut self, setting: &Setting) -> Option<T> {
        let found = self.text(setting)?;
        let number = bounded(setting, found.text).and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.refuse(setting, found);
        }
        number
    }

    /// A number within the setting's bounds, or its default.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, setting: &Setting) -> T {
        self.optional_number(setting).unwrap_or_else(|| {
            let default = bounded(setting, setting.default).and_then(|number| T::try_from(number).ok());
            default.expect("the list's defaults are within their own bounds")
        })
    }

    /// One of the setting's words in lower case, `None` when unset or noted as a problem.
    pub(super) fn word(&mut self, setting: &Setting) -> Option<&'static str> {
        let found = self.text(setting)?;
        let Accepts::OneOf(words) = setting.accepts else { return None };
        let word = words.iter().copied().find(|word| word.eq_ignore_ascii_case(found.text));
        if word.is_none() {
            self.refuse(setting, found);
        }
        word
    }

    /// Notes a value that is not what the setting accepts.
    pub(super) fn refuse(&mut self, setting: &Setting, found: Found<'_>) {
        let shape = format!("is {}", quoted(found.text));
        self.problem(found.name, shape, format!("set it to {}", setting.accepts));
    }

    /// The value, if nothing was noted.
    ///
    /// # Errors
    /// Everything that was noted.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(value) } else { Err(ConfigError { problems: self.problems }) }
    }
}

/// Digits only (no sign, no blanks) and within the bounds.
fn bounded(setting: &Setting, text: &str) -> Option<u64> {
    let Accepts::Number { min, max } = setting.accepts else { return None };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.then(|| text.parse().ok())??;
    (min..=max).contains(&number).then_some(number)
}
