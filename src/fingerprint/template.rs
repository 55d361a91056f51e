//! A message's template: the message with what varies from event to event masked as `*`.
//!
//! One pass over the bytes, no allocation beside the output buffer, no state between messages. Numbers, ids,
//! addresses, paths, quoted strings, times and `key=value` values are masked, runs of masks become one. Statuses
//! and error codes stay, so that a 404 and a 500 are two templates.

use super::context::Context;
use super::word;
use super::{host, value};

/// Bytes of a message that are read.
const MAX_READ_BYTES: usize = 16 * 1024;
/// Longest template in bytes: what follows tells little and may be a whole document.
const MAX_TEMPLATE_BYTES: usize = 400;
/// Masks and cuts after which the rest is not read: in a list of a thousand values it would be more of the same.
const MAX_MOVES: usize = 1_000;
/// Codes of a text that are told apart.
const MAX_CODES: usize = 4;
/// What a masked part becomes.
const MASK: char = '*';

/// Stands between two lines in a text for people.
const LINE_MARK: &str = " · ";

/// Appends the template of `message` to `out`.
pub(super) fn write(message: &str, out: &mut String) {
    Writer::new(message, out).run();
}

/// Appends the template of `message` to `out` as people read it: every word that is kept is whole, and a mark shows where
/// a line ended.
pub(super) fn write_shown(message: &str, out: &mut String) {
    let mut writer = Writer::new(message, out);
    writer.shown = true;
    writer.run();
    let kept = out.trim_end_matches(LINE_MARK.trim_end()).trim_end().len();
    out.truncate(kept);
}

/// The statuses and codes a template of `text` keeps, and names of errors like `ECONNREFUSED`; `scratch` is written to.
pub(super) fn codes<'a>(text: &'a str, scratch: &mut String) -> Vec<&'a str> {
    scratch.clear();
    let mut writer = Writer::new(text, scratch);
    writer.run();
    let mut codes: Vec<&str> = Vec::new();
    for (from, to) in writer.codes {
        let code = &text[from..to];
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// Classes of bytes, as bits.
pub(super) const SEPARATOR: u8 = 1;
pub(super) const DIGIT: u8 = 2;
pub(super) const SLASH: u8 = 4;
pub(super) const AT_SIGN: u8 = 8;
pub(super) const DOT: u8 = 16;

pub(super) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b' '
            | b'\t'..=b'\r'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'<'..=b'>'
            | b','
            | b';'
            | b'"'
            | b'\''
            | b'`'
            | b'|'
            | b':' => SEPARATOR,
            b'0'..=b'9' => DIGIT,
            b'/' | b'\\' => SLASH,
            b'@' => AT_SIGN,
            b'.' => DOT,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

/// A word after which a name may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    None,
    User,
    For,
    /// What has names: `container`, `topic`.
    Name,
    /// A process, whose name may follow its number in brackets.
    Process,
    /// A host that was looked up.
    Host,
    /// How it ended, perhaps in quotes.
    Result,
    /// `from` or `to` of a change.
    State,
}

pub(super) struct Writer<'a> {
    pub(super) text: &'a str,
    /// What is before has been decided.
    pub(super) at: usize,
    /// What is before has been written or left out; from here to `at` the text is to be copied.
    pub(super) copied: usize,
    pub(super) out: &'a mut String,
    /// Where this template begins in `out`.
    pub(super) start: usize,
    /// Length of `out` after the last mask.
    pub(super) masked: usize,
    pub(super) context: Context,
    pub(super) slot: Slot,
    /// Something changed: between which states may follow.
    pub(super) changing: bool,
    /// Values beside what happened follow, of which only the first key counts.
    pub(super) beside: bool,
    /// Length of `out` after the last value of a `key=value`.
    pub(super) paired: usize,
    /// Length of `out` after the last masked number.
    pub(super) counted: usize,
    /// Where the quotes end that the text is in, if what is in them is not masked.
    pub(super) closing: usize,
    /// It is written for people, not to be hashed.
    pub(super) shown: bool,
    /// Masks and cuts so far: each may have looked some hundred bytes ahead.
    moves: usize,
    /// Where codes stand in the text, the first [`MAX_CODES`].
    pub(super) codes: Vec<(usize, usize)>,
}

impl<'a> Writer<'a> {
    fn new(text: &'a str, out: &'a mut String) -> Self {
        let text = &text[..text.floor_char_boundary(MAX_READ_BYTES)];
        let start = out.len();
        let (context, slot) = (Context::None, Slot::None);
        let never = usize::MAX;
        let (masked, paired, counted, closing) = (never, never, never, never);
        let beside = !text.starts_with('{') || word::has_message(text.as_bytes());
        Self {
            text,
            at: 0,
            copied: 0,
            out,
            start,
            masked,
            context,
            slot,
            changing: false,
            beside,
            paired,
            counted,
            closing,
            shown: false,
            moves: 0,
            codes: Vec::new(),
        }
    }

    pub(super) fn note_code(&mut self, from: usize, to: usize) {
        if self.codes.len() < MAX_CODES {
            self.codes.push((from, to));
        }
    }

    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).copied() {
            steps::take(1);
            let written = self.out.len() - self.start + self.at - self.copied;
            if written >= MAX_TEMPLATE_BYTES || self.moves >= MAX_MOVES {
                break;
            }
            match byte {
                b' ' if bytes.get(self.at + 1).is_some_and(|next| !next.is_ascii_whitespace()) => {
                    self.at += 1;
                }
                b'"' | b'\'' if self.at == self.closing => self.at += 1,
                b'"' | b'\'' | b'`' => self.quote(byte),
                b'=' => self.equals(),
                b'<' if self.at > 0 && bytes[self.at - 1] == b'#' => self.object(),
                b'<' | b'>' if self.compares(bytes) => self.leave_out(self.at + 1),
                b'(' | b'[' | b'{' => self.open(byte),
                b':' if bytes.get(self.at + 1) == Some(&b':') && !self.after_word(bytes) => {
                    self.colons(bytes);
                }
                _ if byte.is_ascii_whitespace() => self.blanks(),
                _ if CLASS[usize::from(byte)] & SEPARATOR != 0 => self.at += 1,
                0xc2 | 0xe2 | 0xe3 if let Some(end) = value::quoted_end(self.text, self.at) => self.mask(end),
                _ => self.atom(),
            }
        }
        self.flush();
        // A word without an end is no template either.
        let end = self.out.floor_char_boundary(self.start + 2 * MAX_TEMPLATE_BYTES);
        let kept = self.out[self.start..end].trim_end().len();
        self.out.truncate(self.start + kept);
    }

    /// `<1 ms` is as good as `3 ms`.
    fn compares(&self, bytes: &[u8]) -> bool {
        self.at > 0 && bytes[self.at - 1] == b' ' && bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit)
    }

    fn after_word(&self, bytes: &[u8]) -> bool {
        self.at > 0 && !matches!(bytes[self.at - 1], b' ' | b'\t' | b'(' | b'=' | b',' | b'"')
    }

    /// `::1` begins with its colons.
    fn colons(&mut self, bytes: &[u8]) {
        match host::colon_hex_end(bytes, self.at) {
            Some(end) => self.mask(end),
            None => self.at += 1,
        }
    }

    fn flush(&mut self) {
        self.out.push_str(&self.text[self.copied..self.at]);
        self.copied = self.at;
    }

    /// Leaves out the text from `at` to `end`.
    pub(super) fn leave_out(&mut self, end: usize) {
        self.moves += 1;
        self.flush();
        self.at = end;
        self.copied = end;
    }

    /// Any blanks are one space; none at the beginning.
    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let ends_line = self.shown && rest[..length].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        self.leave_out(self.at + length);
        if ends_line && self.out.len() > self.start && !self.out.ends_with(':') {
            // A value of the next line gets a mask of its own.
            self.out.push_str(LINE_MARK);
        } else if self.out.len() > self.start {
            let masked = self.masked == self.out.len();
            self.out.push(' ');
            self.masked = if masked { self.out.len() } else { self.masked };
        }
    }

    /// Writes a mask for the text up to `end`, or lets the last one stand for it too when nothing but
    /// punctuation is between them.
    pub(super) fn mask(&mut self, end: usize) {
        let between = &self.text.as_bytes()[self.copied..self.at];
        let joins =
            |byte: &u8| matches!(byte, b' ' | b',' | b':' | b';' | b'/' | b'-' | b'.' | b'|' | b'+' | b'#');
        if self.masked == self.out.len() && between.iter().all(joins) {
            self.moves += 1;
            self.copied = end;
            self.at = end;
            return;
        }
        // Of a list of keys with values only the first key stays: which follow depends on what was at hand.
        let is_pair = self.beside && word::is_pair(between);
        if is_pair && self.paired == self.out.len() && word::is_next_key(between) {
            self.moves += 1;
            self.copied = end;
            self.at = end;
            return;
        }
        self.leave_out(end);
        self.out.push(MASK);
        self.masked = self.out.len();
        if is_pair {
            self.paired = self.masked;
        }
    }
}

/// Steps of loops over bytes, counted in tests alone: how many are taken must not depend on what a text is made of.
pub(super) mod steps {
    #[cfg(test)]
    std::thread_local! {
        static TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    #[cfg(test)]
    pub(in crate::fingerprint) fn reset() {
        TAKEN.set(0);
    }

    #[cfg(test)]
    pub(in crate::fingerprint) fn taken() -> usize {
        TAKEN.get()
    }

    #[inline]
    pub(in crate::fingerprint) fn take(count: usize) {
        #[cfg(test)]
        TAKEN.set(TAKEN.get() + count);
        #[cfg(not(test))]
        let _ = count;
    }
}
