//! Trigrams of text: what the text filter knows of a block.
//!
//! A trigram is three neighbouring bytes of the lower-cased text (see [`super::case`]), all of them word bytes
//! (`a`–`z`, `0`–`9`, `_` and every byte from 0x80), not all of them hex digits: ids would fill the filter and their
//! fields have the id filter. Each byte is one of 63 codes (bytes from 0x80 share 26), so a trigram is 18 bits and a
//! block's set a bitmap of 32 KiB.

use super::case::push_lowercase;

const CODE_BITS: u32 = 6;
const MASK: u32 = (1 << (3 * CODE_BITS)) - 1;
const WORDS: usize = 1 << (3 * CODE_BITS - 6);

/// Codes 1–16 are the hex digits, 0 is no word byte. ASCII capitals have their lower case's code.
const CODES: [u8; 256] = {
    let mut codes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let b = (byte as u8).to_ascii_lowercase();
        codes[byte] = match b {
            b'0'..=b'9' => b - b'0' + 1,
            b'a'..=b'z' => b - b'a' + 11,
            b'_' => 37,
            0x80.. => 38 + (b - 0x80) % 26,
            _ => 0,
        };
        byte += 1;
    }
    codes
};
const LAST_HEX_CODE: u32 = 16;

/// The distinct trigrams of the texts added since the last [`TrigramSet::drain`].
#[derive(Debug)]
pub struct TrigramSet {
    seen: Box<[u64]>,
    lowered: Vec<u8>,
}

impl Default for TrigramSet {
    fn default() -> Self {
        Self { seen: vec![0; WORDS].into_boxed_slice(), lowered: Vec::new() }
    }
}

impl TrigramSet {
    /// Adds the trigrams of `text`, in lower case.
    pub fn add(&mut self, text: &[u8]) {
        if text.is_ascii() {
            mark(text, &mut self.seen);
        } else {
            self.lowered.clear();
            push_lowercase(text, &mut self.lowered);
            mark(&self.lowered, &mut self.seen);
        }
    }

    /// Takes the set's tokens, each once and in a fixed order, and leaves it empty.
    pub fn drain(&mut self, tokens: &mut Vec<u64>) {
        for (word, bits) in (0_u32..).zip(&mut self.seen) {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let trigram = word << 6 | left.trailing_zeros();
                left &= left - 1;
                if is_kept(trigram) {
                    tokens.push(token(trigram));
                }
            }
        }
    }
}

/// Marks every window of three codes; what is no trigram is told apart when the set is drained.
fn mark(text: &[u8], seen: &mut [u64]) {
    let mut codes = 0_u64;
    for &byte in text {
        // Older codes are shifted out at the top; cutting them off here would be one more step to wait for.
        codes = codes << CODE_BITS | u64::from(CODES[usize::from(byte)]);
        let trigram = codes & u64::from(MASK);
        seen[(trigram >> 6) as usize] |= 1 << (trigram & 63);
    }
}

/// Tokens of the trigrams that any text containing `needle`, in any case, has. Each once; none if `needle` has no
/// word of three bytes that is more than hex digits.
#[must_use]
pub fn query_trigrams(needle: &str) -> Vec<u64> {
    let mut lowered = Vec::new();
    push_lowercase(needle.as_bytes(), &mut lowered);
    let codes: Vec<u32> = lowered.iter().map(|&byte| u32::from(CODES[usize::from(byte)])).collect();
    let join = |codes: &[u32]| codes.iter().fold(0, |sum, code| sum << CODE_BITS | code);
    let mut tokens: Vec<u64> =
        codes.windows(3).map(join).filter(|&trigram| is_kept(trigram)).map(token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

fn is_kept(trigram: u32) -> bool {
    let codes =
        [trigram >> (2 * CODE_BITS), trigram >> CODE_BITS, trigram].map(|code| code & ((1 << CODE_BITS) - 1));
    codes.iter().all(|&code| code != 0) && codes.iter().any(|&code| code > LAST_HEX_CODE)
}

/// 64 well mixed bits (the finalizer of splitmix64). Stored filters depend on it.
const fn token(trigram: u32) -> u64 {
    let mut mixed = (trigram as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set_of(text: &str) -> Vec<u64> {
        let mut set = TrigramSet::default();
        set.add(text.as_bytes());
        let mut tokens = Vec::new();
        set.drain(&mut tokens);
        tokens
    }

    #[test]
    fn a_set_is_empty_again_after_it_was_drained() {
        let mut set = TrigramSet::default();
        set.add(b"timeout");
        let mut tokens = Vec::new();
        set.drain(&mut tokens);
        assert_eq!(tokens.len(), 5);
        tokens.clear();
        set.drain(&mut tokens);
        assert!(tokens.is_empty());
    }

    #[test]
    fn trigrams_stay_within_words_and_leave_out_hex() {
        assert!(query_trigrams("a-xy 12 z").is_empty());
        assert!(query_trigrams("deadbeef 123456").is_empty());
        assert_eq!(query_trigrams("DeadLock"), query_trigrams("deadlock"));
        assert_eq!(query_trigrams("deadlock").len(), 4, "adl, dlo, loc, ock");
    }

    #[test]
    fn texts_do_not_join_across_two_adds() {
        let mut set = TrigramSet::default();
        set.add(b"xy");
        set.add(b"z");
        let mut tokens = Vec::new();
        set.drain(&mut tokens);
        assert!(tokens.is_empty());
    }

    proptest! {
        #[test]
        fn a_text_has_the_trigrams_of_every_part_of_it(
            text in "[a-zA-Z0-9_ÄéΣ日\u{212A}\u{130}\u{1E9E} .\"-]{0,24}",
            from in 0..24_usize,
            length in 0..24_usize,
            upper in any::<bool>(),
        ) {
            let part: String = text.chars().skip(from).take(length).collect();
            // Upper case may lose what lower case can't restore (ß), so only ASCII is raised.
            let part = if upper { part.to_ascii_uppercase() } else { part };
            let set = set_of(&text);
            prop_assert!(query_trigrams(&part).iter().all(|token| set.contains(token)));
        }
    }
}
