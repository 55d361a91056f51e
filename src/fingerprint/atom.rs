//! Words of a message: what of them stays, and what a word says about the next.

use super::context::Context;
use super::template::{AT_SIGN, CLASS, DIGIT, DOT, SEPARATOR, SLASH, Slot, Writer, steps};
use super::word;
use super::{code, entity, host};

/// Whether what begins at `at` is of another script than the character before, of two that are written without blanks
/// between them: `用户4821登录` is three words.
fn changes_script(bytes: &[u8], at: usize) -> bool {
    // From U+3000 on.
    const FIRST: u8 = 0xe3;
    let (last, next) = (bytes[at - 1], bytes[at]);
    if last < 0x80 {
        return next >= FIRST;
    }
    let lead = bytes[..at].iter().rev().take(4).find(|byte| **byte >= 0xc0);
    next.is_ascii_digit() && lead.is_some_and(|lead| *lead >= FIRST)
}

impl Writer<'_> {
    pub(super) fn atom(&mut self) {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (mut end, mut seen) = (start, 0);
        while let Some(byte) = bytes.get(end) {
            let class = CLASS[usize::from(*byte)];
            if class & SEPARATOR != 0 || (end > start && changes_script(bytes, end)) {
                break;
            }
            steps::take(1);
            seen |= class;
            end += 1;
        }
        if bytes.get(end) == Some(&b':') {
            if bytes[end..].starts_with(b"://") {
                let end = word::url_end(bytes, start);
                return if self.context == Context::Method { self.segments(end) } else { self.mask(end) };
            }
            if let Some(end) =
                host::colon_hex_end(bytes, start).or_else(|| entity::key_end(bytes, start, end))
            {
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
        if let Some(end) = self.name_end(end, slot) {
            return self.mask(end);
        }
        let after_mask = self.masked == self.out.len() && &bytes[self.copied..self.at] == b" ";
        if after_mask && rest.first() != Some(&b'=') && word::is_unit(atom) {
            self.at = self.copied;
            return self.leave_out(end);
        }
        if after_mask && self.counted == self.out.len() && word::is_plural(atom, rest) {
            // `1 migrations` is written as often as `1 migration`.
            self.at = if self.shown { end } else { end - 1 };
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
            b"result" => Slot::Result,
            b"from" | b"to" if self.changing => Slot::State,
            b"ENOTFOUND" | b"EAI_AGAIN" => Slot::Host,
            _ if entity::is_noun(atom) => Slot::Name,
            _ => Slot::None,
        };
        let goes_on = self.changing && slot != Slot::State && !word::ends_change(atom);
        self.changing = word::is_change(atom) || goes_on;
        self.context = self.context.after(atom);
        if code::is_error_name(atom) {
            self.note_code(self.at, end);
        }
        self.at = end;
    }

    /// Where a name ends, if the word up to `end` is one by what is before and after it.
    fn name_end(&self, end: usize, slot: Slot) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (atom, rest) = (&bytes[self.at..end], &bytes[end..]);
        let named = match slot {
            Slot::None | Slot::Result => false,
            Slot::Name | Slot::Process => entity::is_name(atom) || entity::is_named(atom, rest),
            Slot::Host => true,
            Slot::State => word::is_state(atom),
            Slot::User => word::is_account(atom, rest) || entity::is_name(atom),
            Slot::For => matches!(rest, [b' ', b'f', b'r', b'o', b'm', b' ', b'0'..=b'9', ..]),
        };
        if named {
            return Some(if slot == Slot::Name { entity::end(bytes, end) } else { end });
        }
        // `BAYES_99,HTML_MESSAGE,RDNS_NONE`: of a list as long as it happens to be.
        let in_list = self.masked == self.out.len()
            && &bytes[self.copied..self.at] == b","
            && rest.first() != Some(&b'=');
        let truth = word::is_truth(atom) && word::awaits_value(&bytes[..self.at], rest);
        let account = rest.starts_with(b"(uid=") || rest.starts_with(b" (UID ");
        (in_list || truth || account || word::is_date_name(atom, rest) || host::names_address(rest))
            .then_some(end)
    }

    /// A word with digits, slashes, dots or an at sign in it.
    fn decide(&mut self, end: usize, seen: u8, slot: Slot) {
        let bytes = self.text.as_bytes();
        let (atom, rest) = (&bytes[self.at..end], &bytes[end..]);
        if seen & SLASH != 0 && word::is_path(atom) {
            return self.path(word::path_end(bytes, self.at, end));
        }
        let apart = self.at > 0 && bytes[self.at - 1] == b' ' && matches!(rest.first(), None | Some(b' '));
        if seen & SLASH != 0 && word::is_rate(atom) {
            return self.mask(end);
        }
        let bracketed = self.at > 0 && bytes[self.at - 1] == b'[' && rest.first() == Some(&b']');
        if seen & SLASH != 0 && bracketed {
            return self.mask(end);
        }
        // The root alone.
        if atom == b"/" && apart {
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
