//! Strings, numbers and words: the values without brackets.

use super::{Kind, ScanError, Scanner, Traits};

/// Number text from this length on may be too large for a double even without an exponent.
const LONG_NUMBER: usize = 300;

impl Scanner<'_> {
    /// Whatever is here but an array or object.
    pub(super) fn scalar(&mut self) -> Result<(Kind, Traits), ScanError> {
        let rest = &self.text.as_bytes()[self.at..];
        let odd = Traits { escaped: false, untidy: true };
        let (word, kind, traits) = match rest.first() {
            Some(b'"') => return Ok((Kind::String, self.string()?)),
            Some(b'-') if rest.starts_with(b"-Infinity") => ("-Infinity", Kind::Number, odd),
            Some(b'-' | b'0'..=b'9') => return Ok((Kind::Number, self.number()?)),
            Some(b't') => ("true", Kind::Bool, Traits::default()),
            Some(b'f') => ("false", Kind::Bool, Traits::default()),
            Some(b'n') => ("null", Kind::Null, Traits::default()),
            Some(b'N') => ("NaN", Kind::Number, odd),
            Some(b'I') => ("Infinity", Kind::Number, odd),
            _ => return Err(self.expected("a value")),
        };
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok((kind, traits))
    }

    /// A string, from its opening quote to behind its closing quote.
    pub(super) fn string(&mut self) -> Result<Traits, ScanError> {
        let bytes = self.text.as_bytes();
        let mut traits = Traits::default();
        self.at += 1;
        loop {
            self.at = next_special(bytes, self.at);
            match bytes.get(self.at) {
                None => return Err(self.expected("a closing quote")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(traits);
                }
                Some(b'\\') => {
                    traits.escaped = true;
                    traits.untidy |= self.escape()?;
                }
                Some(_) => {
                    traits.untidy = true;
                    self.at += 1;
                }
            }
        }
    }

    /// An escape inside a string; true when it should be stored as the character it stands for.
    fn escape(&mut self) -> Result<bool, ScanError> {
        let bytes = self.text.as_bytes();
        let (length, untidy) = match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => (2, false),
            Some(b'/') => (2, true),
            Some(b'u') => (6, true),
            _ => return Err(self.expected("an escape JSON knows")),
        };
        let digits = bytes.get(self.at + 2..self.at + length);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(self.expected("four hex digits after \\u"));
        }
        self.at += length;
        Ok(untidy)
    }

    fn number(&mut self) -> Result<Traits, ScanError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        let doubtful = exponent || text.len() > LONG_NUMBER;
        let untidy = doubtful && !text.parse::<f64>().is_ok_and(f64::is_finite);
        Ok(Traits { escaped: false, untidy })
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => Err(self.expected("a digit")),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }
}

/// The first quote, backslash or control character from `at` on, or the end; eight bytes at a time.
pub(in crate::protocol) fn next_special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    const fn zero_bytes(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero_bytes(word ^ (ONES * 0x22));
        let backslash = zero_bytes(word ^ (ONES * 0x5C));
        // The lowest high bit is exact; those above it may be borrowed from it.
        let found = (control | quote | backslash) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}
