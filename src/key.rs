//! API keys and what is derived from `HMAC_SECRET`: pure arithmetic, no storage, no clock.
//!
//! A key is a prefix that names its kind and base32 of `random ‖ project id ‖ key number ‖ tag`; the tag is made with
//! `HMAC_SECRET`, so a key is checked with the database away. Who is revoked is known by [`KeyDirectory`] alone.
//! The signing secret of a key is derived from the key's SHA-256, so nothing that signs is ever stored.
//! Nothing here prints a secret.

mod directory;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;
use crate::event::base32;
use crate::timestamp::Timestamp;

pub use directory::{KeyDirectory, KeyStatus};

/// Characters of a key that may be shown after its creation: its prefix and 20 of its 128 random bits.
pub const HINT_CHARS: usize = 8;

const RANDOM_BYTES: usize = 16;
const BODY_BYTES: usize = RANDOM_BYTES + 8 + 4;
const TAG_BYTES: usize = 8;
const RAW_BYTES: usize = BODY_BYTES + TAG_BYTES;
const PREFIX_CHARS: usize = 4;
const TEXT_CHARS: usize = PREFIX_CHARS + (RAW_BYTES * 8).div_ceil(5);

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Signs batches; never reads.
    Server,
    /// Reads its project's logs; never sends.
    Read,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Server, Self::Read];

    /// The name in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Read => "read",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The first characters of a key of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Server => "tkl_",
            Self::Read => "tkr_",
        }
    }
}

/// A key's characters; they are shown once, at creation, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The characters, for the one reply that shows them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the database holds in its place.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The first [`HINT_CHARS`] characters, to tell keys apart in a list.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.0[..HINT_CHARS]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[api key]")
    }
}

/// What signs a batch: 64 lower-case hex digits, whose characters are the MAC key as given.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// The characters, for the one reply that shows them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// HMAC-SHA256 over the parts one after another.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        MacKey::new(self.0.as_bytes()).mac(parts)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[signing secret]")
    }
}

/// A key for HMAC-SHA256.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// From a secret of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(keyed(secret))
    }

    /// HMAC-SHA256 over the parts one after another.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        parts.iter().fold(self.0.clone(), Mac::chain_update).finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[mac key]")
    }
}

/// Which of the two secrets made a key's tag, and so makes its signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Current,
    Previous,
}

/// A key whose tag is right: it was made by this service and not altered. It may be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedKey {
    /// The project it belongs to.
    pub project_id: i64,
    /// Its number within the project, from 1 in order of creation.
    pub key_number: u32,
    /// What it may do.
    pub kind: KeyKind,
    /// SHA-256 of its characters.
    pub sha256: [u8; 32],
    slot: Slot,
}

/// A key as stored: everything but the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number, as the API and pages show it.
    pub id: i64,
    /// The project it belongs to.
    pub project_id: i64,
    /// Its number within the project, from 1 in order of creation.
    pub number: u32,
    /// What it may do.
    pub kind: KeyKind,
    /// SHA-256 of its characters, unique.
    pub sha256: [u8; 32],
    /// For people, at most 200 characters.
    pub note: String,
    /// Its first [`HINT_CHARS`] characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// `HMAC_SECRET` and, during a change of it, `HMAC_SECRET_PREVIOUS`.
#[derive(Clone)]
pub struct KeyRing {
    current: MacKey,
    previous: Option<MacKey>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key ring]")
    }
}

impl KeyRing {
    /// From the two settings.
    #[must_use]
    pub fn new(current: &Secret, previous: Option<&Secret>) -> Self {
        let of = |secret: &Secret| MacKey::new(secret.expose().as_bytes());
        Self { current: of(current), previous: previous.map(of) }
    }

    /// A key made for one purpose, named by `label`; another label gives an unrelated key.
    #[must_use]
    pub fn derive(&self, label: &str, data: &[u8]) -> [u8; 32] {
        self.current.mac(&[label.as_bytes(), data])
    }

    /// What [`KeyRing::derive`] gave before `HMAC_SECRET` was changed, while the previous one is set.
    #[must_use]
    pub fn derive_previous(&self, label: &str, data: &[u8]) -> Option<[u8; 32]> {
        self.previous.as_ref().map(|previous| previous.mac(&[label.as_bytes(), data]))
    }

    /// Tells whether a database was filled under the same `HMAC_SECRET`, without giving it away.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        fingerprint_of(&self.current)
    }

    /// The same of `HMAC_SECRET_PREVIOUS`: a database that has this one is to be given the current one.
    #[must_use]
    pub fn previous_fingerprint(&self) -> Option<[u8; 16]> {
        self.previous.as_ref().map(fingerprint_of)
    }

    /// Makes a key with 128 fresh random bits.
    #[must_use]
    pub fn mint(&self, kind: KeyKind, project_id: i64, key_number: u32) -> ApiKey {
        let mut raw = [0_u8; RAW_BYTES];
        raw[..RANDOM_BYTES].copy_from_slice(&random::<RANDOM_BYTES>());
        raw[RANDOM_BYTES..RANDOM_BYTES + 8].copy_from_slice(&project_id.to_be_bytes());
        raw[RANDOM_BYTES + 8..BODY_BYTES].copy_from_slice(&key_number.to_be_bytes());
        let tag = tag_of(&self.current, kind, &raw[..BODY_BYTES]);
        raw[BODY_BYTES..].copy_from_slice(&tag);
        ApiKey(format!("{}{}", kind.prefix(), base32().encode(&raw)))
    }

    /// Reads a key and checks its tag. `None` for anything this service didn't make.
    #[must_use]
    pub fn check(&self, text: &str) -> Option<VerifiedKey> {
        let (key, genuine) = self.examine(text);
        genuine.then_some(key)
    }

    /// The same at a cost that doesn't depend on what is wrong with the key; without `true` the key means nothing.
    pub(crate) fn examine(&self, text: &str) -> (VerifiedKey, bool) {
        let read = read_text(text);
        let well_formed = read.is_some();
        let (kind, raw) = read.unwrap_or((KeyKind::Server, [0; RAW_BYTES]));
        let (body, tag) = raw.split_at(BODY_BYTES);
        let is_current = tag_of(&self.current, kind, body).ct_eq(tag);
        let is_previous =
            self.previous.as_ref().map_or(0.into(), |secret| tag_of(secret, kind, body).ct_eq(tag));
        let project_id = i64::from_be_bytes(array(&body[RANDOM_BYTES..RANDOM_BYTES + 8]));
        let key = VerifiedKey {
            project_id,
            key_number: u32::from_be_bytes(array(&body[RANDOM_BYTES + 8..])),
            kind,
            sha256: Sha256::digest(if well_formed { text.as_bytes() } else { &[b'0'; TEXT_CHARS] }).into(),
            slot: if bool::from(is_previous) { Slot::Previous } else { Slot::Current },
        };
        (key, well_formed && project_id > 0 && bool::from(is_current | is_previous))
    }

    /// The secret a key's owner signs with; made with the secret that made the key.
    #[must_use]
    pub fn signing_secret(&self, key: &VerifiedKey) -> SigningSecret {
        let secret = match (key.slot, &self.previous) {
            (Slot::Previous, Some(previous)) => previous,
            _ => &self.current,
        };
        let bytes = secret.mac(&[b"tekno-signing-v1", &key.sha256]);
        SigningSecret(data_encoding::HEXLOWER.encode(&bytes))
    }
}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

fn fingerprint_of(secret: &MacKey) -> [u8; 16] {
    array(&secret.mac(&[b"tekno-fingerprint-v1"])[..16])
}

/// The kind is under the tag, so that a read key can't be turned into a server key by its prefix.
fn tag_of(secret: &MacKey, kind: KeyKind, body: &[u8]) -> [u8; TAG_BYTES] {
    array(&secret.mac(&[b"tekno-key-v1", kind.prefix().as_bytes(), body])[..TAG_BYTES])
}

fn read_text(text: &str) -> Option<(KeyKind, [u8; RAW_BYTES])> {
    if text.len() != TEXT_CHARS {
        return None;
    }
    let kind = KeyKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
    // Strict: lower case only, and the two bits left over in the last character must be zero, so that a key has
    // exactly one spelling.
    let raw = base32().decode(&text.as_bytes()[PREFIX_CHARS..]).ok()?;
    Some((kind, raw.try_into().ok()?))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

#[cfg(test)]
mod tests;
