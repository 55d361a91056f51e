//! Lower case, char by char: what "in any case" means in filters and searches.
//!
//! Each `char` is mapped by itself (`char::to_lowercase`), so the lower case of a text is the concatenation of the
//! lower cases of its parts. Filters and substring tests depend on that; rules that look at a word's end (the Greek
//! final sigma) would break it.

use memchr::memmem;

/// Appends the lower case of `bytes` to `out`. Bytes that are not UTF-8 are copied.
///
/// Answers whether every char kept its length, so that offsets in `out` are offsets in `bytes`.
pub fn push_lowercase(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.is_ascii() {
        push_ascii_lowercase(bytes, out);
        return true;
    }
    let mut aligned = true;
    for chunk in bytes.utf8_chunks() {
        aligned &= push_text_lowercase(chunk.valid(), out);
        out.extend_from_slice(chunk.invalid());
    }
    aligned
}

/// Appends `bytes` with `A`–`Z` in lower case and everything else as it is.
pub fn push_ascii_lowercase(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(bytes);
    out[start..].make_ascii_lowercase();
}

/// Appends the lower case of `bytes` as far as a needle of ASCII alone can tell, which is fast for any text.
///
/// Answers as [`push_lowercase`] does. Two chars beyond ASCII have ASCII in their lower case: U+0130 and U+212A.
pub fn push_lowercase_for_ascii(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let has = |ch: &str| memmem::find(bytes, ch.as_bytes()).is_some();
    if !bytes.is_ascii() && (has("\u{130}") || has("\u{212A}")) {
        return push_lowercase(bytes, out);
    }
    push_ascii_lowercase(bytes, out);
    true
}

/// The lower case of `text`.
#[must_use]
pub fn lowercase(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn push_text_lowercase(text: &str, out: &mut Vec<u8>) -> bool {
    let mut aligned = true;
    for ch in text.chars() {
        if ch.is_ascii() {
            out.push(ch.to_ascii_lowercase() as u8);
            continue;
        }
        let before = out.len();
        for lower in ch.to_lowercase() {
            out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
        }
        aligned &= out.len() - before == ch.len_utf8();
    }
    aligned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kelvin_sign_becomes_k_and_moves_what_follows() {
        let mut out = Vec::new();
        assert!(!push_lowercase("5 \u{212A}X".as_bytes(), &mut out));
        assert_eq!(out, b"5 kx");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_copied() {
        let mut out = Vec::new();
        assert!(push_lowercase(b"A\xFFB\xC3\x84", &mut out));
        assert_eq!(out, b"a\xFFb\xC3\xA4");
    }

    #[test]
    fn two_chars_beyond_ascii_have_ascii_in_their_lower_case() {
        let found: String =
            ('\u{80}'..=char::MAX).filter(|ch| ch.to_lowercase().any(|ch| ch.is_ascii())).collect();
        assert_eq!(found, "\u{130}\u{212A}");
    }

    proptest! {
        #[test]
        fn both_forms_agree_and_alignment_is_told_truly(text in any::<String>()) {
            let mut out = Vec::new();
            let aligned = push_lowercase(text.as_bytes(), &mut out);
            prop_assert_eq!(lowercase(&text).into_bytes(), out);
            let same = text.chars().all(|ch| ch.to_lowercase().map(char::len_utf8).sum::<usize>() == ch.len_utf8());
            prop_assert_eq!(aligned, same);
        }
    }
}
