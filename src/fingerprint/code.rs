//! Which words are codes of errors.

/// Letters, perhaps a dash, three to five digits: `E1234`, `ORA-00942`, `TS2304`.
pub(super) fn is_named_code(word: &[u8]) -> bool {
    let letters = word.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let digits = word[letters..].strip_prefix(b"-").unwrap_or(&word[letters..]);
    (1..=6).contains(&letters) && (3..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// A code as Windows prints it: `0x80070005`. Longer ones are addresses.
pub(super) fn is_hex_code(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"0x").unwrap_or_default();
    (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit)
}

/// A code of Windows wherever it stands: a failed `HRESULT` of a usual facility, or an `NTSTATUS`.
fn is_system_code(word: &[u8]) -> bool {
    const STARTS: [&str; 8] = ["8000", "8001", "8002", "8004", "8007", "8013", "8024", "c000"];
    let Some(digits) = word.strip_prefix(b"0x").filter(|digits| digits.len() == 8) else { return false };
    digits.iter().all(u8::is_ascii_hexdigit)
        && STARTS.iter().any(|start| start.as_bytes().eq_ignore_ascii_case(&digits[..4]))
}

/// A code wherever it stands: `E1234`, or a named code before a colon or closing bracket. `E1120 22:10:36.9` is how
/// Kubernetes begins a line: a level and a date.
pub(super) fn is_code(word: &[u8], rest: &[u8]) -> bool {
    let is_date = matches!(rest, [b' ', b'0'..=b'2', b'0'..=b'9', b':', ..]);
    if is_system_code(word) {
        return true;
    }
    is_named_code(word)
        && !is_date
        && ((word[0] == b'E' && word[1].is_ascii_digit()) || matches!(rest.first(), Some(b':' | b']' | b')')))
}

/// An error's name as systems and Node have them: `ECONNREFUSED`, `ERR_INVALID_ARG_TYPE`.
pub(super) fn is_error_name(word: &[u8]) -> bool {
    const STARTS: [&str; 27] = [
        "ACCES",
        "ADDR",
        "AGAIN",
        "AI_",
        "BADF",
        "BUSY",
        "CONN",
        "EXIST",
        "HOST",
        "INVAL",
        "IO",
        "ISDIR",
        "MFILE",
        "NAMETOOLONG",
        "NET",
        "NOENT",
        "NOMEM",
        "NOSPC",
        "NOTCONN",
        "NOTDIR",
        "NOTEMPTY",
        "NOTFOUND",
        "PERM",
        "PIPE",
        "PROTO",
        "ROFS",
        "TIMEDOUT",
    ];
    let Some(rest) = word.strip_prefix(b"E").filter(|_| word.len() > 2) else { return false };
    let capital = word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    capital && (rest.starts_with(b"RR_") || STARTS.iter().any(|start| rest.starts_with(start.as_bytes())))
}
