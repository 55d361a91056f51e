//! Which keys promise a secret value.
//!
//! A key is cut into words at everything that is no letter or digit, at camelCase humps and between letters
//! and digits; it is secret-like when one word, or several words run together, is a word of the list.
//! So `access_token`, `X-Api-Key`, `userPassword` and `APIKEY` are, `author` and `tokenizer` are not.

/// Secret-like words, lower case, without separators.
const WORDS: [&str; 34] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "apikey",
    "apikeys",
    "auth",
    "oauth",
    "authorization",
    "credential",
    "credentials",
    "token",
    "bearer",
    "privatekey",
    "cookie",
    "cookies",
    "session",
    "csrf",
    "xsrf",
    // Forms whose humps were lost on the way, as in header names.
    "accesstoken",
    "authtoken",
    "csrftoken",
    "xsrftoken",
    "idtoken",
    "refreshtoken",
    "sessiontoken",
    "sessionid",
    "sessid",
    "phpsessid",
    "jsessionid",
    "clientsecret",
    "secretkey",
];

/// True when the key's value is to be taken out. `extra` is in lower case without separators.
pub(super) fn is_secret(key: &str, extra: &[String]) -> bool {
    let mut words = Words { rest: key.as_bytes() };
    while !words.rest.is_empty() {
        let from_here = words.clone();
        let Some(word) = words.next() else { break };
        let first = word[0].to_ascii_lowercase();
        let listed =
            WORDS.iter().any(|target| target.as_bytes()[0] == first && from_here.spell(target.as_bytes()));
        if listed || extra.iter().any(|target| from_here.spell(target.as_bytes())) {
            return true;
        }
    }
    false
}

/// A project's extra key as [`is_secret`] compares it: lower case, letters and digits only.
pub(super) fn plain(key: &str) -> String {
    key.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a key, in order.
#[derive(Clone)]
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    /// True when the next words run together are exactly `target`.
    fn spell(&self, target: &[u8]) -> bool {
        let mut left = target;
        for word in self.clone() {
            let Some((head, tail)) = left.split_at_checked(word.len()) else { return false };
            if !head.eq_ignore_ascii_case(word) {
                return false;
            }
            if tail.is_empty() {
                return true;
            }
            left = tail;
        }
        false
    }
}

/// Bytes above ASCII count as lower-case letters, so that words of other scripts stay whole.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|byte| is_word(*byte));
        let Some(start) = start else {
            self.rest = &[];
            return None;
        };
        let text = &self.rest[start..];
        let mut end = 1;
        while end < text.len() && !ends_between(text, end) {
            end += 1;
        }
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

/// True when a word ends before `text[at]`, which follows a word byte.
fn ends_between(text: &[u8], at: usize) -> bool {
    let (before, here) = (text[at - 1], text[at]);
    if !is_word(here) || before.is_ascii_digit() != here.is_ascii_digit() {
        return true;
    }
    let hump = here.is_ascii_uppercase();
    let next_is_lower = text.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    hump && (!before.is_ascii_uppercase() || next_is_lower)
}

#[cfg(test)]
mod tests {
    use super::{is_secret, plain};

    #[test]
    fn a_secret_word_is_found_in_every_spelling() {
        for key in [
            "password",
            "PASSWORD",
            "passWord",
            "pass_word",
            "access_token",
            "X-Api-Key",
            "userPassword",
            "set-cookie",
            "sessionId",
            "APIKey",
            "apiKEY",
            "APIkey",
            "api.key",
            "PRIVATE-KEY",
            "privateKey",
            "csrfToken",
            "oauth2",
            "OAuthState",
            "Authorization",
            "http.authorization",
            "client_secret",
            "token2",
            "XSRF-TOKEN",
            "refreshtoken",
            "aws_secret_access_key",
            "DB_PASSWORD",
            "Proxy-Authorization",
            "my cookie",
            "credentials",
        ] {
            assert!(is_secret(key, &[]), "{key}");
        }
    }

    #[test]
    fn a_word_that_only_contains_one_is_kept() {
        for key in [
            "author",
            "authority",
            "authored_by",
            "tokenizer",
            "max_tokens",
            "passenger",
            "secretary",
            "passed",
            "compass",
            "monkey",
            "key",
            "apiary",
            "obsession",
            "cookiecutter",
            "sessions_total",
            "authenticated",
            "bearers",
            "",
            "-",
            "_",
            "keypad",
            "capital",
        ] {
            assert!(!is_secret(key, &[]), "{key}");
        }
    }

    #[test]
    fn an_extra_key_is_found_in_every_spelling() {
        let extra = [plain("Customer_Ref"), plain("ssn")];
        for key in ["customerRef", "CUSTOMER-REF", "old_customer_ref", "customerref", "SSN", "user.ssn"] {
            assert!(is_secret(key, &extra), "{key}");
        }
        for key in ["customer", "customer_refund", "lessn", "ref"] {
            assert!(!is_secret(key, &extra), "{key}");
        }
    }
}
