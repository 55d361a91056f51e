//! What the words before a number say about it: that a status or code follows.

use super::code;

/// What the words before let a number mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Nothing: a number varies.
    None,
    /// An HTTP method came: a path and a status follow.
    Method,
    /// A status may follow.
    Status,
    /// A code of any kind may follow.
    Code,
}

impl Context {
    /// The context after a word without digits.
    pub(super) fn after(self, word: &[u8]) -> Self {
        let Some(first) = word.first().filter(|_| word.len() <= 16) else { return Self::None };
        let is = |list: &[&str]| list.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(word));
        match first | 0x20 {
            b'a' if is(&["answered"]) => Self::Status,
            b'c' | b'e' if is(&["code", "errno", "error", "err", "exit"]) => Self::Code,
            b'g' if is(&["got"]) && word != b"GOT" => Self::Status,
            b'h' if is(&["http", "https"]) => Self::Status,
            b'r' if is(&[
                "response",
                "returned",
                "returns",
                "return",
                "responded",
                "received",
                "replied",
            ]) =>
            {
                Self::Status
            }
            b's' if is(&["status", "statuscode", "sent"]) => Self::Status,
            b's' if is(&["sqlstate"]) => Self::Code,
            b'h' if is(&["hresult"]) => Self::Code,
            b'd' | b'g' | b'h' | b'o' | b'p' if METHODS.iter().any(|method| method.as_bytes() == word) => {
                Self::Method
            }
            _ if ends_with_code(word) => Self::Code,
            _ if self == Self::None => self,
            b'a' | b'f' | b'i' | b'o' | b't' | b'w'
                if is(&["with", "is", "was", "of", "a", "an", "to", "from"]) =>
            {
                self
            }
            // An arrow or dash.
            _ if !first.is_ascii_alphanumeric() => self,
            _ => Self::None,
        }
    }

    /// The context after a word with digits, `kept` when it was the status or code.
    pub(super) const fn after_number(self, kept: bool) -> Self {
        match self {
            Self::Method if !kept => self,
            _ => Self::None,
        }
    }

    /// True when this word is a status or code here, so that it stays. `rest` is what follows it.
    pub(super) fn keeps(self, word: &[u8], rest: &[u8]) -> bool {
        // `error #418`
        let digits = word.strip_prefix(b"-").or_else(|| word.strip_prefix(b"#")).unwrap_or(word);
        let number = !digits.is_empty() && digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit);
        let sqlstate =
            word.len() == 5 && word.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        match self {
            Self::Code => number || sqlstate || code::is_named_code(word) || code::is_hex_code(word),
            Self::Status => is_status(word) && !counts_something(rest),
            Self::Method => is_status(word),
            Self::None => is_status(word) && word[0] >= b'4' && is_reason(rest),
        }
    }
}

pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
fn ends_with_code(word: &[u8]) -> bool {
    let tail = |ending: &[u8]| {
        word.len() > ending.len() && word[word.len() - ending.len()..].eq_ignore_ascii_case(ending)
    };
    word.last().is_some_and(|last| matches!(last | 0x20, b'e' | b's')) && (tail(b"code") || tail(b"status"))
}

/// An HTTP status: 100 to 599.
pub(super) fn is_status(word: &[u8]) -> bool {
    word.len() == 3 && matches!(word[0], b'1'..=b'5') && word.iter().all(u8::is_ascii_digit)
}

/// A word in lower case follows that is none a status is followed by: `returned 200 rows`.
fn counts_something(rest: &[u8]) -> bool {
    const AFTER: [&str; 18] = [
        "after", "and", "at", "but", "by", "during", "error", "expected", "for", "from", "in", "instead",
        "on", "response", "to", "when", "while", "with",
    ];
    let Some(next) = rest.strip_prefix(b" ") else { return rest.first().is_some_and(|byte| *byte == b'%') };
    let word = &next[..next.iter().take_while(|byte| byte.is_ascii_lowercase()).count()];
    // `status=404 path=…`
    if next.get(word.len()) == Some(&b'=') {
        return false;
    }
    !word.is_empty() && !AFTER.iter().any(|after| after.as_bytes() == word)
}

/// A reason phrase follows, as in `502 Bad Gateway`; `512 MiB` and `404 Orders` have none.
fn is_reason(rest: &[u8]) -> bool {
    const FIRST: [&str; 32] = [
        "Bad",
        "Bandwidth",
        "Client",
        "Conflict",
        "Content",
        "Expectation",
        "Failed",
        "Forbidden",
        "Gateway",
        "Gone",
        "HTTP",
        "I'm",
        "Insufficient",
        "Internal",
        "Length",
        "Locked",
        "Loop",
        "Method",
        "Misdirected",
        "Network",
        "Not",
        "Payload",
        "Payment",
        "Precondition",
        "Proxy",
        "Range",
        "Request",
        "Service",
        "Too",
        "Unauthorized",
        "Unprocessable",
        "Unsupported",
    ];
    let Some(rest) = rest.strip_prefix(b" ") else { return false };
    FIRST.iter().any(|first| rest.starts_with(first.as_bytes()))
}
