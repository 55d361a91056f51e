//! A message's template: the message with what varies from event to event masked as `*`.
//!
//! One pass over the bytes, no allocation beside the output buffer, no state between messages. Numbers, ids,
//! addresses, paths, quoted strings, times and `key=value` values are masked, runs of masks become one. Statuses
//! and error codes stay, so that a 404 and a 500 are two templates.

use super::word::{self, Context};
use super::{code, entity, host, value};

/// Longest template in bytes: what follows tells little and may be a whole document.
const MAX_TEMPLATE_BYTES: usize = 400;
/// Longest quoted string that is taken for one, in bytes.
const MAX_QUOTED_BYTES: usize = 512;
/// Codes of a text that are told apart.
const MAX_CODES: usize = 4;
/// What a masked part becomes.
const MASK: char = '*';

/// Appends the template of `message` to `out`.
pub(super) fn write(message: &str, out: &mut String) {
    Writer::new(message, out).run();
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
const SEPARATOR: u8 = 1;
const DIGIT: u8 = 2;
const SLASH: u8 = 4;
const AT_SIGN: u8 = 8;
const DOT: u8 = 16;

static CLASS: [u8; 256] = classes();

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

/// Whether two bytes are of scripts that are written without blanks between them: `用户4821登录` is three words.
const fn changes_script(one: u8, other: u8) -> bool {
    // From U+3000 on; bytes that continue a character are of what began it.
    (one < 0x80 && other >= 0xe3) || (one >= 0x80 && other.is_ascii_digit())
}

/// A word after which a name may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    None,
    User,
    For,
    /// What has names: `container`, `topic`.
    Name,
    /// A process, whose name may follow its number in brackets.
    Process,
    /// A host that was looked up.
    Host,
}

struct Writer<'a> {
    text: &'a str,
    /// What is before has been decided.
    at: usize,
    /// What is before has been written or left out; from here to `at` the text is to be copied.
    copied: usize,
    out: &'a mut String,
    /// Where this template begins in `out`.
    start: usize,
    /// Length of `out` after the last mask.
    masked: usize,
    context: Context,
    slot: Slot,
    /// Length of `out` after the last value of a `key=value`.
    paired: usize,
    /// Length of `out` after the last masked number.
    counted: usize,
    /// Where the quotes end that the text is in, if what is in them is not masked.
    closing: usize,
    /// Where codes stand in the text, the first [`MAX_CODES`].
    codes: Vec<(usize, usize)>,
}

impl<'a> Writer<'a> {
    fn new(text: &'a str, out: &'a mut String) -> Self {
        let start = out.len();
        let (context, slot) = (Context::None, Slot::None);
        let never = usize::MAX;
        let (masked, paired, counted, closing) = (never, never, never, never);
        Self { text, at: 0, copied: 0, out, start, masked, context, slot, paired, counted, closing, codes: Vec::new() }
    }

    fn note_code(&mut self, from: usize, to: usize) {
        if self.codes.len() < MAX_CODES {
            self.codes.push((from, to));
        }
    }

    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).copied() {
            if self.out.len() - self.start + self.at - self.copied >= MAX_TEMPLATE_BYTES {
                break;
            }
            match byte {
                b' ' if bytes.get(self.at + 1).is_some_and(|next| !next.is_ascii_whitespace()) => {
                    self.at += 1;
                }
                b'"' | b'\'' if self.at == self.closing => self.at += 1,
                b'"' | b'\'' | b'`' => self.quote(byte),
                b'=' => self.equals(),
                b'<' | b'>' if self.compares(bytes) => self.leave_out(self.at + 1),
                b'(' | b'[' | b'{' => self.open(byte),
                b':' if bytes.get(self.at + 1) == Some(&b':') && !self.after_word(bytes) => self.colons(bytes),
                _ if byte.is_ascii_whitespace() => self.blanks(),
                _ if CLASS[usize::from(byte)] & SEPARATOR != 0 => self.at += 1,
                0xc2 | 0xe2 | 0xe3 if let Some(end) = value::quoted_end(self.text, self.at) => self.mask(end),
                _ => self.atom(),
            }
        }
        self.flush();
        let kept = self.out[self.start..].trim_end().len();
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
    fn leave_out(&mut self, end: usize) {
        self.flush();
        self.at = end;
        self.copied = end;
    }

    /// Any blanks are one space; none at the beginning.
    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.leave_out(self.at + length);
        if self.out.len() > self.start {
            let masked = self.masked == self.out.len();
            self.out.push(' ');
            self.masked = if masked { self.out.len() } else { self.masked };
        }
    }

    /// Writes a mask for the text up to `end`, or lets the last one stand for it too when nothing but
    /// punctuation is between them.
    fn mask(&mut self, end: usize) {
        let between = &self.text.as_bytes()[self.copied..self.at];
        let joins =
            |byte: &u8| matches!(byte, b' ' | b',' | b':' | b';' | b'/' | b'-' | b'.' | b'|' | b'+' | b'#');
        if self.masked == self.out.len() && between.iter().all(joins) {
            self.copied = end;
            self.at = end;
            return;
        }
        self.leave_out(end);
        self.out.push(MASK);
        self.masked = self.out.len();
    }

    /// A quoted string is one mask between its quotes, but a JSON key is a word.
    fn quote(&mut self, quote: u8) {
        let bytes = self.text.as_bytes();
        let inside = self.at + 1;
        let apostrophe = self.at > 0 && bytes[self.at - 1].is_ascii_alphanumeric();
        let limit = bytes.len().min(inside + MAX_QUOTED_BYTES);
        let closing = if quote == b'`' { b'\'' } else { quote };
        let end = memchr::memchr2(quote, closing, &bytes[inside..limit]).map(|length| inside + length);
        self.at = inside;
        let Some(end) = end.filter(|_| !apostrophe) else { return };
        let content = &bytes[inside..end];
        if word::is_telling_value(&bytes[..inside - 1]) || word::is_request_line(content, &bytes[end + 1..]) {
            // What is inside is a text of its own; its end is no beginning.
            self.closing = end;
            return;
        }
        if let Some(method) = word::request_method(content) {
            self.at = inside + method;
            self.mask(end);
            self.at = end + 1;
            return;
        }
        let word = content.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
        if word && bytes.get(end + 1) == Some(&b':') && quote == b'"' {
            self.context = self.context.after(content);
            self.at = end + 1;
        } else {
            // With its quotes: some print them around the same value, some don't.
            self.at = inside - 1;
            self.mask_value(end + 1);
        }
    }

    /// Empty brackets that stand alone are as if something were in them: `()` after a function's name is not.
    fn open(&mut self, bracket: u8) {
        let bytes = self.text.as_bytes();
        if bracket == b'[' && let Some(end) = host::bracketed_end(bytes, self.at) {
            return self.mask(end);
        }
        let alone = self.at > 0 && matches!(bytes[self.at - 1], b' ' | b':' | b'=');
        let empty = matches!(bytes[self.at..], [b'(', b')', ..] | [b'[', b']', ..] | [b'{', b'}', ..]);
        let has_name = match bracket {
            b'[' => self.slot == Slot::Name,
            _ => self.slot == Slot::Process && self.masked.checked_add(self.at - self.copied) == Some(self.out.len() + 1),
        };
        let named = (has_name && alone).then(|| word::bracketed_name(&bytes[self.at..])).flatten();
        let within = (bracket == b'{' && (self.at > 0 || word::has_message(bytes)))
            .then(|| value::context_end(bytes, self.at))
            .flatten();
        self.at += 1;
        if let Some(length) = named {
            self.mask(self.at + length);
        } else if let Some(end) = within {
            self.mask(end - 1);
        } else if alone && empty {
            self.mask(self.at);
        }
    }

    /// After `key=` everything up to the next blank or closing mark is a value.
    fn equals(&mut self) {
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
            self.mask_value(end);
        }
        self.context = Context::None;
    }

    /// Masks a value. Of a list of `key=value` only the first key stays: which follow depends on what was at hand.
    fn mask_value(&mut self, end: usize) {
        let bytes = self.text.as_bytes();
        let between = &bytes[self.copied..self.at];
        if let Some(key) = between.strip_suffix(b"=") {
            if self.paired == self.out.len() && word::is_next_key(key) {
                self.copied = end;
                self.at = end;
                return;
            }
            self.mask(end);
            self.paired = self.out.len();
            return;
        }
        self.mask(end);
    }

    fn atom(&mut self) {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (mut end, mut seen) = (start, 0);
        while let Some(byte) = bytes.get(end) {
            let class = CLASS[usize::from(*byte)];
            if class & SEPARATOR != 0 || (end > start && changes_script(bytes[end - 1], *byte)) {
                break;
            }
            seen |= class;
            end += 1;
        }
        if bytes.get(end) == Some(&b':') {
            if bytes[end..].starts_with(b"://") {
                let end = word::url_end(bytes, start);
                return if self.context == Context::Method { self.segments(end) } else { self.mask(end) };
            }
            if let Some(end) = host::colon_hex_end(bytes, start) {
                return self.mask(end);
            }
            if end == start + 1 && bytes.get(end + 1) == Some(&b'\\') {
                return self.path(word::file_path_end(bytes, end + 1));
            }
        }
        // A sentence's full stop is no part of what it ends.
        let mut stop = end;
        while stop > start + 1 && matches!(bytes[stop - 1], b'.' | b'!' | b'?') {
            stop -= 1;
        }
        let slot = std::mem::replace(&mut self.slot, Slot::None);
        if seen == 0 || (seen == DOT && stop < end) {
            self.plain(stop, slot);
        } else {
            self.decide(stop, seen, slot);
        }
        self.at = self.at.max(end);
    }

    /// A word of letters.
    fn plain(&mut self, end: usize, slot: Slot) {
        let bytes = self.text.as_bytes();
        let (atom, rest) = (&bytes[self.at..end], &bytes[end..]);
        let account = match slot {
            Slot::None => false,
            Slot::Name | Slot::Process => entity::is_name(atom) || entity::is_named(atom, rest),
            Slot::Host => true,
            Slot::User => word::is_account(atom, rest),
            Slot::For => matches!(rest, [b' ', b'f', b'r', b'o', b'm', b' ', b'0'..=b'9', ..]),
        };
        if account && slot == Slot::Name {
            return self.mask(entity::end(bytes, end));
        }
        // `BAYES_99,HTML_MESSAGE,RDNS_NONE`: of a list as long as it happens to be.
        let in_list = self.masked == self.out.len() && &bytes[self.copied..self.at] == b",";
        if account || in_list || word::is_date_name(atom, rest) || host::names_address(rest) {
            return self.mask(end);
        }
        let after_mask = self.masked == self.out.len() && &bytes[self.copied..self.at] == b" ";
        if after_mask && word::is_unit(atom) {
            self.at = self.copied;
            return self.leave_out(end);
        }
        if after_mask && self.counted == self.out.len() && word::is_plural(atom, rest) {
            // `1 migrations` is written as often as `1 migration`.
            self.at = end - 1;
            return self.leave_out(end);
        }
        if word::has_token(atom, rest) {
            self.at = end + 1;
            return self.mask(end + 2);
        }
        self.slot = match atom {
            b"user" | b"User" | b"USER" => Slot::User,
            b"for" => Slot::For,
            b"process" | b"Process" => Slot::Process,
            b"ENOTFOUND" | b"EAI_AGAIN" => Slot::Host,
            _ if entity::is_noun(atom) => Slot::Name,
            _ => Slot::None,
        };
        self.context = self.context.after(atom);
        if code::is_error_name(atom) {
            self.note_code(self.at, end);
        }
        self.at = end;
    }

    /// A word with digits, slashes, dots or an at sign in it.
    fn decide(&mut self, end: usize, seen: u8, slot: Slot) {
        let bytes = self.text.as_bytes();
        let (atom, rest) = (&bytes[self.at..end], &bytes[end..]);
        if seen & SLASH != 0 && word::is_path(atom) {
            return self.path(word::path_end(bytes, self.at, end));
        }
        // The root alone.
        if atom == b"/" && self.at > 0 && bytes[self.at - 1] == b' ' && matches!(rest.first(), None | Some(b' ')) {
            return self.mask(end);
        }
        if (seen & AT_SIGN != 0 && host::is_email(atom)) || (seen & DOT != 0 && host::is_host(atom, rest)) {
            return self.mask(end);
        }
        if seen & DIGIT == 0 {
            return self.plain(end, slot);
        }
        let is_code = self.context.keeps(atom, rest) || code::is_code(atom, rest);
        let keep = is_code || (seen & DOT != 0 && word::is_source_file(atom));
        if is_code {
            self.note_code(self.at, end);
        }
        self.context = self.context.after_number(is_code);
        if keep {
            self.at = end;
            return;
        }
        self.mask(end);
        self.counted = self.out.len();
        if slot == Slot::Process {
            self.slot = slot;
        }
    }

    /// A path of a request keeps the segments that don't vary; of another only a source file's name stays.
    fn path(&mut self, end: usize) {
        let bytes = self.text.as_bytes();
        if self.context == Context::Method {
            return self.segments(word::url_end(bytes, self.at));
        }
        match word::source_file(&bytes[self.at..end]) {
            Some(name) => {
                self.leave_out(self.at + name);
                self.at = end;
            }
            None => self.mask(end),
        }
    }

    /// A URL, or a path of one: segments that vary are masked, the query is left out.
    fn segments(&mut self, end: usize) {
        let bytes = self.text.as_bytes();
        let path_end =
            self.at + bytes[self.at..end].iter().take_while(|byte| !matches!(byte, b'?' | b'#')).count();
        while self.at < path_end {
            let length = bytes[self.at..path_end].iter().take_while(|byte| **byte != b'/').count();
            let segment_end = self.at + length;
            if word::is_variable_segment(&bytes[self.at..segment_end]) {
                self.mask(segment_end);
            }
            self.at = (segment_end + 1).min(path_end);
        }
        self.leave_out(end);
    }
}
