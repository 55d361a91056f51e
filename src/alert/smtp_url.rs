//! `SMTP_URL` taken apart: `smtps://user:password@host:465`, or `smtp://…` with STARTTLS.
//!
//! A connection that may be plain is never a default: `smtp://` requires STARTTLS unless `?tls=none` says otherwise.

use std::fmt;

use url::Url;

use crate::config::{Secret, percent_decoded};
use crate::outbound::HostName;

/// Longest address, in bytes.
const MAX_URL_BYTES: usize = 2_048;
const SMTPS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
const SMTP_PORT: u16 = 25;

/// How mail travels to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS, or nothing is sent.
    Required,
    /// In the clear, as `?tls=none` asks.
    None,
}

/// A mail server and how to sign in to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MailServer {
    /// The host.
    pub host: HostName,
    /// TCP port.
    pub port: u16,
    /// Protection.
    pub tls: MailTls,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl MailServer {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong, continuing "the address …"; nothing of it is quoted.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_URL_BYTES {
            return Err("is longer than 2048 bytes");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("has a blank, a control character or a backslash");
        }
        let begins = "doesn't begin with smtps:// or smtp://";
        let (scheme, rest) = text.split_once("://").ok_or(begins)?;
        let implicit = match scheme.to_ascii_lowercase().as_str() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(begins),
        };
        // Read as a web address, in which every spelling of an IP address becomes that address.
        let url = Url::parse(&format!("http://{rest}"))
            .map_err(|_| "can't be read as a URL (percent-encode special characters in user and password)")?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err("has something behind the host: percent-encode / and # in user and password");
        }
        let tls = tls(&url, implicit)?;
        let default_port = match tls {
            MailTls::Implicit => SMTPS_PORT,
            MailTls::Required => SUBMISSION_PORT,
            MailTls::None => SMTP_PORT,
        };
        let port = url.port().unwrap_or(default_port);
        if port == 0 {
            return Err("has port 0");
        }
        let host = HostName::of(&url.host().ok_or("has no host")?);
        Ok(Self { host, port, tls, credentials: credentials(&url)? })
    }

    /// What may be shown: without user and password.
    #[must_use]
    pub fn shown(&self) -> String {
        let (scheme, tail) = match self.tls {
            MailTls::Implicit => ("smtps", ""),
            MailTls::Required => ("smtp", ""),
            MailTls::None => ("smtp", "?tls=none"),
        };
        format!("{scheme}://{}:{}{tail}", self.host, self.port)
    }
}

fn tls(url: &Url, implicit: bool) -> Result<MailTls, &'static str> {
    let mut tls = if implicit { MailTls::Implicit } else { MailTls::Required };
    for (name, value) in url.query_pairs() {
        match (&*name, &*value.to_ascii_lowercase()) {
            ("tls", "required") => {}
            ("tls", "none" | "off" | "disabled" | "plain") if !implicit => tls = MailTls::None,
            ("tls", _) => return Err("has a tls= other than required or (with smtp://) none"),
            _ => return Err("has an unknown parameter: tls is known"),
        }
    }
    Ok(tls)
}

fn credentials(url: &Url) -> Result<Option<(String, Secret)>, &'static str> {
    let decoded = |text: &str| {
        let text = percent_decoded(text).filter(|text| !text.contains(char::is_control));
        text.ok_or("has a user or password that is wrongly percent-encoded")
    };
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or(""))?);
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some((user, Secret::new(password)))),
        _ => Err("has a user without password, or the other way round"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_host_port_protection_and_who_signs_in() {
        let server = MailServer::parse("smtps://bob%40example.com:p%2Fw@mail.example.com").unwrap();
        assert_eq!((server.port, server.tls), (465, MailTls::Implicit));
        let (user, password) = server.credentials.clone().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("bob@example.com", "p/w"));
        assert_eq!(server.shown(), "smtps://mail.example.com:465");
        assert!(!format!("{server:?}").contains("bob"));
        let port = |text| MailServer::parse(text).map(|server| (server.port, server.tls));
        assert_eq!(port("smtp://mail.example.com"), Ok((587, MailTls::Required)));
        assert_eq!(port("smtp://mail.example.com:2525?tls=required"), Ok((2525, MailTls::Required)));
        assert_eq!(port("smtp://mail.example.com?tls=none"), Ok((25, MailTls::None)));
        assert_eq!(port("SMTP://mail.example.com/?tls=NONE"), Ok((25, MailTls::None)));
    }

    #[test]
    fn what_could_be_meant_otherwise_is_refused() {
        for text in [
            "",
            "mail.example.com",
            "http://mail.example.com",
            "smtp://",
            "smtp://mail.example.com?tls=maybe",
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://mail.example.com?tls=none",
            "smtp://mail.example.com?ssl=1",
            "smtp://bob@mail.example.com",
            "smtp://:pw@mail.example.com",
            "smtp://bob:p%ZZ@mail.example.com",
            "smtp://bob:p%0d%0a@mail.example.com",
            "smtp://mail.example.com/path",
            "smtp://mail.example.com:0",
            "smtp://mail.example.com:70000",
            "smtp://mail example.com",
            "smtp://mail.example.com\r\nRCPT",
        ] {
            assert!(MailServer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_spelled_out_address_becomes_that_address() {
        for text in ["smtp://0x7f000001", "smtp://2130706433", "smtp://127.1", "smtp://[::ffff:127.0.0.1]"] {
            assert!(MailServer::parse(text).unwrap().host.is_private(), "{text}");
        }
    }
}
