//! Seals channel settings for the database: ChaCha20-Poly1305 under a key derived from `HMAC_SECRET`.
//!
//! A sealed text is one version byte, twelve random bytes, the ciphertext and its tag. Which channel it belongs to is
//! under the tag too, so one row's secret can't be moved into another.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::key::KeyRing;

const VERSION: u8 = 1;
const LABEL: &str = "tekno-channel-seal-v1";

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    current: LessSafeKey,
    previous: Option<LessSafeKey>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealer]")
    }
}

/// What was in a sealed text.
#[derive(PartialEq, Eq)]
pub struct Opened {
    /// The text.
    pub text: Vec<u8>,
    /// It was sealed under `HMAC_SECRET_PREVIOUS` and should be sealed anew.
    pub is_old: bool,
}

impl Sealer {
    /// With keys derived from the present and the previous `HMAC_SECRET`.
    #[must_use]
    pub fn new(ring: &KeyRing) -> Self {
        Self {
            current: key(&ring.derive(LABEL, &[])),
            previous: ring.derive_previous(LABEL, &[]).as_ref().map(key),
        }
    }

    /// Seals a text for `owner`.
    #[must_use]
    pub fn seal(&self, owner: &str, text: &[u8]) -> Vec<u8> {
        let nonce = crate::key::random::<NONCE_LEN>();
        let mut body = text.to_vec();
        self.current
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut body)
            .expect("a text of a few kilobytes can always be sealed");
        [&[VERSION][..], &nonce, &body].concat()
    }

    /// Opens what was sealed for `owner`; `None` for anything else.
    #[must_use]
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Option<Opened> {
        let (version, rest) = sealed.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        let open = |key: &LessSafeKey| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut body = body.to_vec();
            let text = key.open_in_place(nonce, Aad::from(owner), &mut body).ok()?;
            Some(text.to_vec())
        };
        let opened = |text, is_old| Opened { text, is_old };
        open(&self.current)
            .map(|text| opened(text, false))
            .or_else(|| self.previous.as_ref().and_then(open).map(|text| opened(text, true)))
    }
}

fn key(bytes: &[u8; 32]) -> LessSafeKey {
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("the key has the length of this cipher's keys");
    LessSafeKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn sealer(current: &str, previous: Option<&str>) -> Sealer {
        Sealer::new(&KeyRing::new(&Secret::new(current), previous.map(Secret::new).as_ref()))
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_unaltered_only() {
        let one = sealer("first secret", None);
        let sealed = one.seal("7:discord", b"https://discord.com/api/webhooks/1/token");
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        let opened = one.open("7:discord", &sealed).unwrap();
        assert_eq!(
            (opened.text.as_slice(), opened.is_old),
            (&b"https://discord.com/api/webhooks/1/token"[..], false)
        );
        assert!(one.open("8:discord", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(one.open("7:discord", &altered).is_none(), "byte {at}");
            assert!(one.open("7:discord", &sealed[..at]).is_none(), "cut at {at}");
        }
        assert_ne!(sealed, one.seal("7:discord", b"https://discord.com/api/webhooks/1/token"));
    }

    #[test]
    fn a_changed_secret_opens_what_the_previous_one_sealed_while_it_is_set() {
        let sealed = sealer("first secret", None).seal("7", b"text");
        let both = sealer("second secret", Some("first secret"));
        assert!(both.open("7", &sealed).is_some_and(|opened| opened.is_old && opened.text == b"text"));
        assert!(sealer("second secret", None).open("7", &sealed).is_none());
    }
}
