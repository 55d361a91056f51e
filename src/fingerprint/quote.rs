//! Quotes, brackets and equals signs of a message: what they hold varies, unless something says that it tells.

use super::context::Context;
use super::template::{Slot, Writer, steps};
use super::word;
use super::{host, value};

/// Longest quoted string that is taken for one, in bytes.
const MAX_QUOTED_BYTES: usize = 512;

impl Writer<'_> {
    /// A quoted string is one mask between its quotes, but a JSON key is a word.
    pub(super) fn quote(&mut self, quote: u8) {
        let bytes = self.text.as_bytes();
        let inside = self.at + 1;
        let apostrophe =
            self.at > 0 && bytes[self.at - 1].is_ascii_alphanumeric() && !is_prefixed(&bytes[..self.at]);
        let limit = bytes.len().min(inside + MAX_QUOTED_BYTES);
        let closing = if quote == b'`' { b'\'' } else { quote };
        let end = memchr::memchr2(quote, closing, &bytes[inside..limit]).map(|length| inside + length);
        self.at = inside;
        steps::take(end.unwrap_or(limit).saturating_sub(inside));
        let Some(end) = end.filter(|_| !apostrophe) else { return };
        let content = &bytes[inside..end];
        let word = content.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
        let tells = self.slot == Slot::Result && word;
        if tells
            || word::is_telling_value(&bytes[..inside - 1])
            || word::is_request_line(content, &bytes[end + 1..])
        {
            // What is inside is a text of its own; its end is no beginning.
            self.closing = end;
            return;
        }
        let is_key = word
            && quote == b'"'
            && bytes.get(end + 1) == Some(&b':')
            && value::is_key_place(&bytes[..inside - 1]);
        if is_key {
            self.context = self.context.after(content);
            self.at = end + 1;
        } else {
            // With its quotes: some print them around the same value, some don't.
            self.at = inside - 1;
            self.mask(end + 1);
        }
    }

    /// Of an object as Ruby shows it, `#<Order:0x0000 id: 17>`, the class stays.
    pub(super) fn object(&mut self) {
        let bytes = self.text.as_bytes();
        let end = value::bracketed_end(bytes, self.at);
        self.at += 1;
        let Some(end) = end else { return };
        let colon = |at: &usize| bytes[*at] == b':' && bytes[at + 1] != b':' && bytes[at - 1] != b':';
        let class = (self.at..end - 1).find(|at| bytes[*at].is_ascii_whitespace() || colon(at));
        self.at = class.unwrap_or(self.at);
        if class.is_some() {
            self.mask(end - 1);
        }
    }

    /// Empty brackets that stand alone are as if something were in them: `()` after a function's name is not.
    pub(super) fn open(&mut self, bracket: u8) {
        let bytes = self.text.as_bytes();
        if bracket == b'['
            && let Some(end) = host::bracketed_end(bytes, self.at)
        {
            return self.mask(end);
        }
        let alone = self.at > 0 && matches!(bytes[self.at - 1], b' ' | b':' | b'=');
        let empty = matches!(bytes[self.at..], [b'(', b')', ..] | [b'[', b']', ..] | [b'{', b'}', ..]);
        let has_name = match bracket {
            b'[' => self.slot == Slot::Name,
            _ => {
                self.slot == Slot::Process
                    && self.masked.checked_add(self.at - self.copied) == Some(self.out.len() + 1)
            }
        };
        let named = (has_name && alone).then(|| word::bracketed_name(&bytes[self.at..])).flatten();
        let listed = (bracket == b'[' && alone).then(|| value::list_end(bytes, self.at)).flatten();
        let within = (bracket == b'{' && (self.at > 0 || word::has_message(bytes)))
            .then(|| value::context_end(bytes, self.at))
            .flatten();
        self.at += 1;
        if let Some(length) = named {
            self.mask(self.at + length);
        } else if let Some(end) = within {
            self.mask(end - 1);
        } else if let Some(end) = listed {
            self.mask(end);
        } else if alone && empty {
            self.mask(self.at);
        }
    }

    /// After `key=` everything up to the next blank or closing mark is a value.
    pub(super) fn equals(&mut self) {
        let bytes = self.text.as_bytes();
        let after_key = self.at > 0
            && matches!(bytes[self.at - 1], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
        self.at += 1;
        if !after_key || matches!(bytes.get(self.at), Some(b'=' | b'>' | b'"' | b'\'')) {
            return;
        }
        let end = value::end(bytes, self.at);
        let value = &bytes[self.at..end];
        if self.context.keeps(value, &bytes[end..]) {
            self.note_code(self.at, end);
            self.at = end;
        } else if value.iter().all(u8::is_ascii_alphabetic) && word::is_telling_value(&bytes[..self.at]) {
            self.at = end;
        } else {
            self.mask(end);
        }
        self.context = Context::None;
    }
}

/// `b'…'` and `u'…'` of Python, `N'…'` of SQL.
fn is_prefixed(before: &[u8]) -> bool {
    match before {
        [b'b' | b'u' | b'r' | b'f' | b'N'] => true,
        [.., one, b'b' | b'u' | b'r' | b'f' | b'N'] => !one.is_ascii_alphanumeric() && *one != b'_',
        _ => false,
    }
}
