//! Secrets: a type that doesn't print, and the rules for what may serve as one.
//!
//! A secret is refused when it is short, a placeholder, one piece repeated, or the same as another. The
//! problem tells its shape, never its text.

use std::fmt;
use std::path::Path;

use super::problem::Problem;
use super::reader::Reader;
use super::secret_file::KeptSecrets;
use super::setting::{ADMIN_TOKEN, HMAC_SECRET, HMAC_SECRET_PREVIOUS, METRICS_TOKEN, Setting};

/// Shortest secret, in characters.
pub const MIN_SECRET_CHARS: usize = 32;

/// Fewest different characters; 32 random hexadecimal digits have about 14.
const MIN_DIFFERENT_CHARS: usize = 8;

/// How to make one.
const MAKE_ONE: &str = "make one with: openssl rand -hex 32";

/// Longest piece whose repetition makes a secret weak, in bytes.
const MAX_REPEATED_BYTES: usize = 8;

/// Pieces of the texts that templates and guides show, compared with a secret's letters and digits in lower case.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "yoursecret",
    "yourhmac",
    "youradmin",
    "yourtoken",
    "yourkey",
    "secrethere",
    "tokenhere",
    "keyhere",
    "supersecret",
    "generatea",
    "opensslrand",
    "randomstring",
];

/// A secret that doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret's characters.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The characters, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// Its variable was set.
    Environment,
    /// `DATA_DIR/secrets`, made at the first start of the embedded default.
    DataDir,
    /// Nothing is stored yet: `check-config` before the first start.
    NotYetMade,
}

/// Every secret setting but the database password.
pub(super) struct Secrets {
    pub(super) hmac_secret: Secret,
    pub(super) hmac_secret_previous: Option<Secret>,
    pub(super) admin_token: Secret,
    pub(super) metrics_token: Option<Secret>,
    pub(super) hmac_secret_origin: SecretOrigin,
    pub(super) admin_token_origin: SecretOrigin,
}

/// Reads the secrets. `kept` is asked, with the embedded database only, when `HMAC_SECRET` or `ADMIN_TOKEN` is
/// unset.
pub(super) fn read(
    reader: &mut Reader<'_>,
    embedded: bool,
    data_dir: &Path,
    kept: &dyn Fn(&Path) -> Result<KeptSecrets, Problem>,
) -> Secrets {
    let hmac_secret = given(reader, &HMAC_SECRET, false);
    let hmac_secret_previous = given(reader, &HMAC_SECRET_PREVIOUS, false);
    let admin_token = given(reader, &ADMIN_TOKEN, true);
    let metrics_token = given(reader, &METRICS_TOKEN, true);

    let mut from_file = None;
    if hmac_secret.is_none() || admin_token.is_none() {
        if embedded {
            from_file = kept(data_dir).map_err(|problem| reader.push(problem)).ok();
        } else {
            note_missing(reader, &HMAC_SECRET);
            note_missing(reader, &ADMIN_TOKEN);
        }
    }
    let origin = from_file.as_ref().map_or(SecretOrigin::Environment, |kept| kept.origin);
    let origin_of = |given: &Option<Secret>| if given.is_some() { SecretOrigin::Environment } else { origin };
    let (hmac_secret_origin, admin_token_origin) = (origin_of(&hmac_secret), origin_of(&admin_token));

    // Where there is none a problem was noted above, so the empty ones are never used.
    let kept = from_file.unwrap_or_else(KeptSecrets::none);
    kept.notes.into_iter().for_each(|note| reader.note(note));
    let secrets = Secrets {
        hmac_secret: hmac_secret.unwrap_or(kept.hmac_secret),
        hmac_secret_previous,
        admin_token: admin_token.unwrap_or(kept.admin_token),
        metrics_token,
        hmac_secret_origin,
        admin_token_origin,
    };
    refuse_equal(reader, &secrets);
    secrets
}

/// A secret from its variable, `None` when unset; a weak one is noted and handed on. A token travels in a
/// header, so it must be visible ASCII.
fn given(reader: &mut Reader<'_>, setting: &Setting, token: bool) -> Option<Secret> {
    let text = reader.raw(setting)?.text;
    if let Some(shape) = weakness(text) {
        reader.problem(setting.name, shape, MAKE_ONE);
    } else if token && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        reader.problem(setting.name, "has a blank or a character outside ASCII", MAKE_ONE);
    }
    Some(Secret::new(text))
}

fn note_missing(reader: &mut Reader<'_>, setting: &Setting) {
    if !reader.is_set(setting) {
        reader.problem(setting.name, "is not set, and a server database requires it", MAKE_ONE);
    }
}

/// What makes a text unfit as a secret, continuing its variable's name.
pub(super) fn weakness(text: &str) -> Option<String> {
    let count = text.chars().count();
    if text.trim().len() != text.len() {
        return Some("begins or ends with a blank".to_owned());
    }
    if is_placeholder(text) {
        return Some("is or contains a placeholder".to_owned());
    }
    if is_one_piece_repeated(text) {
        return Some("is the same piece repeated".to_owned());
    }
    if count < MIN_SECRET_CHARS {
        return Some(format!("has {count} of at least {MIN_SECRET_CHARS} characters"));
    }
    let different: std::collections::BTreeSet<char> = text.chars().collect();
    (different.len() < MIN_DIFFERENT_CHARS)
        .then(|| format!("has only {} different characters", different.len()))
}

fn is_placeholder(text: &str) -> bool {
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    PLACEHOLDERS.iter().any(|known| plain.contains(known))
}

/// True when the text is one short piece over and over, the last one perhaps cut; also one character repeated.
fn is_one_piece_repeated(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=MAX_REPEATED_BYTES.min(bytes.len() / 2))
        .any(|period| bytes[period..] == bytes[..bytes.len() - period])
}

/// Two purposes must not share a secret: who reads one would hold the other. The previous HMAC secret may equal
/// the present one (that is only a warning).
fn refuse_equal(reader: &mut Reader<'_>, secrets: &Secrets) {
    let named = [
        (HMAC_SECRET.name, Some(&secrets.hmac_secret)),
        (HMAC_SECRET_PREVIOUS.name, secrets.hmac_secret_previous.as_ref()),
        (ADMIN_TOKEN.name, Some(&secrets.admin_token)),
        (METRICS_TOKEN.name, secrets.metrics_token.as_ref()),
    ];
    for (position, (name, secret)) in named.iter().enumerate().skip(2) {
        let Some(secret) = secret.filter(|secret| !secret.expose().is_empty()) else { continue };
        let twin = named[..position].iter().find(|(_, other)| *other == Some(secret));
        if let Some((twin, _)) = twin {
            reader.problem(name, format!("is the same as {twin}"), format!("give each its own; {MAKE_ONE}"));
        }
    }
}
