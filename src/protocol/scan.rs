//! Walks JSON text once, without recursion and without building anything.
//!
//! A value comes back as the slice it occupies, with its kind, its nesting and whether it is tidy: fit to be stored
//! as it is. Strict as RFC 8259, but for what real clients send: control characters inside strings and the words
//! `NaN`, `Infinity` and `-Infinity` (Python's default) are let through as untidy. Depth costs nothing: beyond 64
//! levels only brackets are counted, so that one bottomless value can be refused alone.

mod scalar;
#[cfg(test)]
mod tests;

pub(super) use self::scalar::next_special;
use crate::error::ApiError;

/// Levels of nesting that are checked bracket by bracket, and the deepest [`Value::depth`] but one.
const CHECKED_DEPTH: u32 = 64;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `"…"`
    String,
    /// A number, `NaN` or an infinity.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// `{…}`
    Object,
    /// `[…]`
    Array,
}

/// What is known about the text inside a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// A string in it has an escape, so its text is not its raw slice.
    pub escaped: bool,
    /// It must be written anew before it is stored: it has a `\u` or `\/` escape (text is stored and searched as
    /// it reads), a control character in a string, a line break between tokens, or a number no double can hold.
    pub untidy: bool,
}

impl Traits {
    fn add(&mut self, other: Self) {
        self.escaped |= other.escaped;
        self.untidy |= other.untidy;
    }
}

/// A JSON value as found in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The slice of the text it occupies, quotes and brackets included.
    pub raw: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Levels of arrays and objects: 0 for a scalar, 1 for `[]`, exact up to 64, else 65.
    pub depth: u32,
    /// What is inside.
    pub traits: Traits,
}

impl<'a> Value<'a> {
    /// What is between the quotes of a string.
    #[must_use]
    pub fn inner(&self) -> &'a str {
        self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default()
    }
}

/// Where the text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// Byte offset.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl ScanError {
    /// As a refusal of the whole body, with line and column (in characters, from 1).
    #[must_use]
    pub fn in_text(self, text: &str) -> ApiError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let found = if self.at >= text.len() { ", but the body ends" } else { "" };
        ApiError::InvalidJson(format!("line {line}, column {column}: expected {}{found}", self.expected))
    }
}

/// A position in JSON text that moves from value to value.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// A line break or tab was skipped between tokens since the last value began.
    broken: bool,
}

impl<'a> Scanner<'a> {
    /// At the first byte that is not space.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self::starting_at(text, 0)
    }

    /// At the first byte from `at` on that is not space.
    #[must_use]
    pub fn starting_at(text: &'a str, at: usize) -> Self {
        let mut scanner = Self { text, at, broken: false };
        scanner.skip_space();
        scanner
    }

    /// The byte offset in the text.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The byte here; `None` at the end.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps into an array or object; false when it is empty, and then it is passed.
    ///
    /// # Errors
    /// When `open` is not here.
    pub fn enter(&mut self, open: u8, close: u8) -> Result<bool, ScanError> {
        if self.peek() != Some(open) {
            return Err(self.expected("an array or object"));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After an entry: true when another follows, false when the array or object ended here.
    ///
    /// # Errors
    /// When neither a comma nor `close` is here.
    pub fn another(&mut self, close: u8) -> Result<bool, ScanError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if close == b'}' => Err(self.expected("',' or '}'")),
            _ => Err(self.expected("',' or ']'")),
        }
    }

    /// An object's key and the colon behind it.
    ///
    /// # Errors
    /// When there is no string or no colon.
    pub fn key(&mut self) -> Result<Value<'a>, ScanError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let start = self.at;
        let traits = self.string()?;
        let raw = &self.text[start..self.at];
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("':'"));
        }
        self.at += 1;
        self.skip_space();
        Ok(Value { raw, kind: Kind::String, depth: 0, traits })
    }

    /// Any value, whatever its depth.
    ///
    /// # Errors
    /// When what is here is not JSON.
    pub fn value(&mut self) -> Result<Value<'a>, ScanError> {
        let start = self.at;
        let (kind, depth, traits) = match self.peek() {
            Some(b'{') => self.nested().map(|(depth, traits)| (Kind::Object, depth, traits))?,
            Some(b'[') => self.nested().map(|(depth, traits)| (Kind::Array, depth, traits))?,
            _ => self.scalar().map(|(kind, traits)| (kind, 0, traits))?,
        };
        Ok(Value { raw: &self.text[start..self.at], kind, depth, traits })
    }

    /// Nothing but space may be left.
    ///
    /// # Errors
    /// When something is.
    pub fn end(&mut self) -> Result<(), ScanError> {
        self.skip_space();
        if self.at < self.text.len() {
            Err(self.expected("nothing more after the JSON value"))
        } else {
            Ok(())
        }
    }

    fn expected(&self, expected: &'static str) -> ScanError {
        ScanError { at: self.at, expected }
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\n' | b'\r' | b'\t')) = self.peek() {
            self.broken |= byte != b' ';
            self.at += 1;
        }
    }

    /// An array or object, by a stack of bits instead of recursion.
    fn nested(&mut self) -> Result<(u32, Traits), ScanError> {
        // The lowest bit is the innermost level: 1 for an object.
        let (mut levels, mut depth, mut deepest) = (0_u64, 0_u32, 0_u32);
        let mut traits = Traits::default();
        self.broken = false;
        loop {
            // A value is due here.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == CHECKED_DEPTH {
                        self.skip_bottomless(depth)?;
                        return Ok((CHECKED_DEPTH + 1, traits));
                    }
                    let object = open == b'{';
                    deepest = deepest.max(depth + 1);
                    if self.enter(open, closing(object))? {
                        depth += 1;
                        levels = levels << 1 | u64::from(object);
                        if object {
                            traits.add(self.key()?.traits);
                        }
                        continue;
                    }
                }
                _ => traits.add(self.scalar()?.1),
            }
            // A value has ended here, and maybe what it was in.
            loop {
                if depth == 0 {
                    traits.untidy |= self.broken;
                    return Ok((deepest, traits));
                }
                let object = levels & 1 == 1;
                if self.another(closing(object))? {
                    if object {
                        traits.add(self.key()?.traits);
                    }
                    break;
                }
                depth -= 1;
                levels >>= 1;
            }
        }
    }

    /// Passes what is too deep to be kept: brackets are counted, strings respected, nothing else is looked at.
    fn skip_bottomless(&mut self, outer_depth: u32) -> Result<(), ScanError> {
        let mut depth = outer_depth;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(self.expected("a closing bracket"))
    }
}

const fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}
