//! One pass over bytes that finds the few places where a secret could begin.
//!
//! Every rule has a tell-tale of four bytes (letters in any case); a bit table over hashed four-byte windows
//! tells in about one cycle a byte that none is near. Long digit runs are found by eight bytes in a row that
//! are all digits or punctuation. What is found is only suspected: the rules decide.

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

/// Set in every byte to fold the case of letters. Other bytes fold together too, which only adds suspects.
const FOLD: u64 = 0x2020_2020_2020_2020;
/// With this mask, `FOLD` remains exactly for bytes 0x20 to 0x3f: space, digits, ASCII punctuation before `@`.
const UPPER_BITS: u64 = 0xe0e0_e0e0_e0e0_e0e0;

/// Tell-tales with all four bytes known, in lower case.
const TELL_TALES: [(&[u8; 4], Kind); 42] = [
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
    (b"npm_", Kind::Prefix),
    (b"aiza", Kind::Prefix),
    (b"whse", Kind::Prefix),
    (b"shpa", Kind::Prefix),
    (b"\\u00", Kind::Escape),
    (b":\\/\\", Kind::Escape),
];

/// A bit for each 16-bit hash of a tell-tale; about one window in 500 of clean text meets one.
static TABLE: [u64; 1024] = table();

const fn hash(window: u32) -> usize {
    (window.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

const fn folded(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
}

const fn table() -> [u64; 1024] {
    let mut bits = [0_u64; 1024];
    let mut index = 0;
    while index < TELL_TALES.len() {
        let place = hash(folded(*TELL_TALES[index].0));
        bits[place >> 6] |= 1 << (place & 63);
        index += 1;
    }
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            // A JWT's header begins `{"` and a letter, which is `eyJ` and a letter or digit in base64.
            let jwt = hash(folded([b'e', b'y', b'j', byte]));
            bits[jwt >> 6] |= 1 << (jwt & 63);
            let url = hash(folded([byte, b':', b'/', b'/']));
            bits[url >> 6] |= 1 << (url & 63);
        }
        byte += 1;
    }
    bits
}

fn maybe(window: u32) -> u64 {
    let place = hash(window);
    TABLE[place >> 6] >> (place & 63)
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

fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at..];
    if let Some(word) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0_u8; 8];
    word[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(word)
}

#[expect(clippy::cast_possible_truncation, reason = "a window is the low four bytes")]
const fn window(word: u64, index: u32) -> u32 {
    (word >> (8 * index)) as u32
}

/// The first suspect at `from` or later. After a [`Kind::Digits`] go on four bytes later, after others one.
pub(super) fn next(bytes: &[u8], from: usize) -> Option<Suspect> {
    let mut at = from;
    while at < bytes.len() {
        let word = load(bytes, at);
        let low = word | FOLD;
        let met =
            maybe(window(low, 0)) | maybe(window(low, 1)) | maybe(window(low, 2)) | maybe(window(low, 3));
        if met & 1 == 1 {
            let found = (0..4_u32).find_map(|index| Some((index, kind_of(window(low, index))?)));
            if let Some((index, kind)) = found {
                return Some(Suspect { at: at + index as usize, kind });
            }
        }
        if word & UPPER_BITS == FOLD {
            return Some(Suspect { at, kind: Kind::Digits });
        }
        at += 4;
    }
    None
}
