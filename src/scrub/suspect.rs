//! One pass over bytes that finds the few places where a secret could begin.
//!
//! Every rule has a tell-tale of four bytes (letters in any case). Every other window of three bytes is looked up
//! in a small perfect hash table of the halves of all tell-tales, and only near a hit is the text read closely.
//! Long digit runs are found by eight bytes that are all digits or punctuation. What is found is only
//! suspected: the rules decide.

/// Which rule should look at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A secret-like word may begin here.
    Word,
    /// `Bearer` may begin here, or a secret-like word.
    Bearer,
    /// `Basic` may begin here.
    Basic,
    /// A JWT may begin here.
    Jwt,
    /// The last dash before `BEGIN`.
    Pem,
    /// The last byte of a URL's scheme.
    Url,
    /// A well-known token prefix may begin here.
    Prefix,
    /// A long number may be near.
    Digits,
    /// A JSON escape that can hide a tell-tale; means nothing outside raw JSON.
    Escape,
}

/// A place to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    /// Where the tell-tale begins.
    pub at: usize,
    /// What it looks like.
    pub kind: Kind,
}

impl Suspect {
    /// Where to go on: the windows that begin in the first bytes of a long number have been read.
    pub(super) const fn after(self) -> usize {
        self.at + if matches!(self.kind, Kind::Digits) { STEP - 1 } else { 1 }
    }
}

/// Set in every byte to fold the case of letters. Other bytes fold together too, which only adds suspects.
const FOLD: u64 = 0x2020_2020_2020_2020;
/// With this mask, `FOLD` remains exactly for bytes 0x20 to 0x3f: space, digits, ASCII punctuation before `@`.
const UPPER_BITS: u64 = 0xe0e0_e0e0_e0e0_e0e0;

/// Tell-tales with all four bytes known, in lower case.
const TELL_TALES: [(&[u8; 4], Kind); 43] = [
    (b"pass", Kind::Word),
    (b"secr", Kind::Word),
    (b"apik", Kind::Word),
    (b"api_", Kind::Word),
    (b"api-", Kind::Word),
    (b"api ", Kind::Word),
    (b"auth", Kind::Word),
    (b"cred", Kind::Word),
    (b"toke", Kind::Word),
    (b"priv", Kind::Word),
    (b"cook", Kind::Word),
    (b"sess", Kind::Word),
    (b"csrf", Kind::Word),
    (b"xsrf", Kind::Word),
    (b"bear", Kind::Bearer),
    (b"basi", Kind::Basic),
    (b"-beg", Kind::Pem),
    (b"sk_l", Kind::Prefix),
    (b"sk_t", Kind::Prefix),
    (b"rk_l", Kind::Prefix),
    (b"ghp_", Kind::Prefix),
    (b"gho_", Kind::Prefix),
    (b"ghu_", Kind::Prefix),
    (b"ghs_", Kind::Prefix),
    (b"ghr_", Kind::Prefix),
    (b"gith", Kind::Prefix),
    (b"xoxa", Kind::Prefix),
    (b"xoxb", Kind::Prefix),
    (b"xoxe", Kind::Prefix),
    (b"xoxp", Kind::Prefix),
    (b"xoxr", Kind::Prefix),
    (b"xoxs", Kind::Prefix),
    (b"akia", Kind::Prefix),
    (b"asia", Kind::Prefix),
    (b"glpa", Kind::Prefix),
    (b"tkl_", Kind::Prefix),
    (b"tkr_", Kind::Prefix),
    (b"npm_", Kind::Prefix),
    (b"aiza", Kind::Prefix),
    (b"whse", Kind::Prefix),
    (b"shpa", Kind::Prefix),
    (b"\\u00", Kind::Escape),
    (b":\\/\\", Kind::Escape),
];

/// The first and last three bytes of each tell-tale, as [`scatter`] gives them, at the place of that; else zero.
static TABLE: [u32; 2048] = table();

/// One to one for the low three bytes of a window; the fourth is multiplied away. The multiplier was searched for:
/// no two table entries meet, which `put` makes sure of.
const fn scatter(window: u32) -> u32 {
    window.wrapping_mul(0x93bd_0500)
}

const fn place(scattered: u32) -> usize {
    (scattered >> 21) as usize
}

const fn folded(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
}

const fn put(table: &mut [u32; 2048], tell_tale: [u8; 4]) {
    let window = folded(tell_tale);
    let halves = [scatter(window), scatter(window >> 8)];
    let mut index = 0;
    while index < 2 {
        let here = &mut table[place(halves[index])];
        assert!(*here == 0 || *here == halves[index], "two tell-tales meet: search for another multiplier");
        *here = halves[index];
        index += 1;
    }
}

const fn table() -> [u32; 2048] {
    let mut table = [0_u32; 2048];
    let mut index = 0;
    while index < TELL_TALES.len() {
        put(&mut table, *TELL_TALES[index].0);
        index += 1;
    }
    let mut byte = b'0';
    while byte <= b'z' {
        if byte.is_ascii_digit() || byte.is_ascii_lowercase() {
            // A JWT's header begins `{"` and a letter, which is `eyJ` and a letter or digit in base64.
            put(&mut table, [b'e', b'y', b'j', byte]);
            put(&mut table, [byte, b':', b'/', b'/']);
        }
        byte += 1;
    }
    table
}

fn is_half(window: u32) -> bool {
    let scattered = scatter(window);
    TABLE[place(scattered)] == scattered
}

fn kind_of(window: u32) -> Option<Kind> {
    let bytes = window.to_le_bytes();
    if &bytes[..3] == b"eyj" {
        return Some(Kind::Jwt);
    }
    if &bytes[1..] == b"://" {
        return Some(Kind::Url);
    }
    TELL_TALES.iter().find(|(tell_tale, _)| folded(**tell_tale) == window).map(|(_, kind)| *kind)
}

/// Eight bytes from `at`, or zero when there are fewer.
fn load(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// True when most of eight bytes are digits and the rest punctuation, as anywhere in a card number.
const fn is_number(word: u64) -> bool {
    let low = word & 0x1f1f_1f1f_1f1f_1f1f;
    let over_nine = low + 0x0606_0606_0606_0606;
    let digits = (low >> 4) & !(over_nine >> 5) & 0x0101_0101_0101_0101;
    word & UPPER_BITS == FOLD && digits.count_ones() >= 6
}

/// True when one of the windows at 0, 2 and 4 may be half of a tell-tale.
#[expect(clippy::cast_possible_truncation, reason = "a window is the low four bytes")]
fn has_half(word: u64) -> bool {
    let low = word | FOLD;
    is_half(low as u32) || is_half((low >> 16) as u32) || is_half((low >> 32) as u32)
}

/// Bytes the scan goes on by: a load of eight has three whole windows of three at even places.
const STEP: usize = 6;

/// The first suspect at `from` or later. After it, go on at [`Suspect::after`].
pub(super) fn next(bytes: &[u8], from: usize) -> Option<Suspect> {
    let mut rest = bytes.get(from..)?;
    while let Some(eight) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let at = bytes.len() - rest.len();
        if has_half(word)
            && let Some(found) = tell_tale(bytes, from, at)
        {
            return Some(found);
        }
        if word & UPPER_BITS == FOLD && is_long_number(bytes, at) {
            return Some(Suspect { at, kind: Kind::Digits });
        }
        rest = &rest[STEP..];
    }
    // Fewer than eight bytes are left: the last eight have them all, with those before they may be half of.
    if bytes.last_chunk::<8>().is_some_and(|eight| !has_half(u64::from_le_bytes(*eight))) {
        return None;
    }
    let last = bytes.len() - rest.len();
    tell_tale(bytes, from, last).or_else(|| tell_tale(bytes, from, last + STEP))
}

/// What begins in the [`STEP`] bytes from the one before `at`, but not before `from`.
#[inline(never)]
fn tell_tale(bytes: &[u8], from: usize, at: usize) -> Option<Suspect> {
    for start in from.max(at.saturating_sub(1))..at + STEP - 1 {
        let window = folded(*bytes.get(start..)?.first_chunk::<4>()?);
        if let Some(kind) = kind_of(window) {
            return Some(Suspect { at: start, kind });
        }
    }
    None
}

/// Wherever thirteen digits begin, a load of the scan and a neighbour of it lie among them.
#[inline(never)]
fn is_long_number(bytes: &[u8], at: usize) -> bool {
    is_number(load(bytes, at)) && (is_number(load(bytes, at + 1)) || is_number(load(bytes, at.max(1) - 1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Kind, TELL_TALES, next};

    #[test]
    fn a_tell_tale_is_met_wherever_it_stands_and_in_any_case() {
        for (tell_tale, kind) in TELL_TALES {
            for before in 0..20 {
                for after in 0..20 {
                    let mut text = vec![b'~'; before];
                    text.extend(tell_tale.to_ascii_uppercase());
                    text.extend(vec![b'~'; after]);
                    let found = next(&text, 0).expect("it is there");
                    assert_eq!((found.at, found.kind), (before, kind));
                    assert!(next(&text, before + 1).is_none());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_long_number_is_met_wherever_it_stands(before in "[a-z. ]{0,20}", digits in "[0-9]{13,19}", after in "[a-z. ]{0,20}") {
            let text = format!("{before}{digits}{after}");
            let mut from = 0;
            let mut met = false;
            while let Some(suspect) = next(text.as_bytes(), from) {
                met |= suspect.kind == Kind::Digits;
                from = suspect.after();
            }
            prop_assert!(met);
        }

        #[test]
        fn a_card_in_groups_is_met_wherever_it_stands(before in "[a-z. ]{0,20}", digits in "[0-9]{4}", separator in "[ -]") {
            for groups in [&[4, 4, 4, 4][..], &[4, 6, 5], &[4, 6, 4], &[4, 4, 5]] {
                let number = groups.iter().map(|length| digits.repeat(2)[..*length].to_owned()).collect::<Vec<_>>().join(&separator);
                let text = format!("{before}{number}");
                let mut from = 0;
                let mut met = false;
                while let Some(suspect) = next(text.as_bytes(), from) {
                    met |= suspect.kind == Kind::Digits;
                    from = suspect.after();
                }
                prop_assert!(met, "{}", text);
            }
        }
    }
}
