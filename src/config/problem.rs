//! What is wrong with the settings: every problem at once, each with a remedy.
//!
//! A problem describes the shape of a value; secrets, passwords and anything that may hold one are not shown.

use std::fmt;

/// Longest piece of a value that is quoted, in characters.
const QUOTED_CHARS: usize = 40;

/// One setting that can't be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the variable.
    pub variable: &'static str,
    /// What it looks like, continuing the name: `is "abc"`, `has 12 characters`.
    pub shape: String,
    /// What to do.
    pub remedy: String,
}

/// All that is wrong, at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order the settings are read.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}\n    {}", self.variable, self.shape, self.remedy)
    }
}

impl fmt::Display for ConfigError {
    /// A headline, then two lines a problem, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "The settings have a problem:")?,
            count => write!(f, "The settings have {count} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A value that is no secret, quoted and cut; not shown when an `@` hints that it holds a password.
pub(super) fn quoted(value: &str) -> String {
    if value.contains('@') {
        return "a text with an @ (not shown)".to_owned();
    }
    match value.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}
