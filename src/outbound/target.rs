//! A web address taken apart, strictly: what two readers could understand in two ways is refused.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use super::{OutboundError, PRIVATE};

/// Longest address, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// TLS with the certificate checked.
    Https,
}

/// A host, after every spelling of an address has become that address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// An address.
    Address(IpAddr),
    /// A name in ASCII (IDNA), lower case.
    Name(String),
}

impl HostName {
    /// From a parsed URL's host.
    #[must_use]
    pub fn of(host: &Host<&str>) -> Self {
        match *host {
            Host::Ipv4(address) => Self::Address(address.into()),
            Host::Ipv6(address) => Self::Address(address.into()),
            Host::Domain(name) => Self::Name(name.to_owned()),
        }
    }

    /// Whether it is, as far as can be told without asking anybody, nothing of the open internet.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match self {
            Self::Address(address) => !is_public(*address),
            Self::Name(name) => {
                let name = name.trim_end_matches('.');
                // A name without a dot is one of the machine's own network.
                name == "localhost" || name.ends_with(".localhost") || !name.contains('.')
            }
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where a request goes. The path and the query may hold a secret, so it doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// The host.
    pub host: HostName,
    /// TCP port, not 0.
    pub port: u16,
    /// Path and query, starting with `/`.
    pub path: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[target at {}]", self.host)
    }
}

impl Target {
    /// Reads `http://` and `https://` addresses. Whether the address may be reached is [`Target::check`]'s to say.
    ///
    /// # Errors
    /// What is wrong, continuing "the address …"; nothing of it is quoted.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_URL_BYTES {
            return Err("is longer than 2048 bytes");
        }
        // The URL standard drops some of these in silence and reads a backslash as a slash.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("has a blank, a control character or a backslash");
        }
        let (scheme, rest) = text.split_once("://").ok_or("doesn't begin with https://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err("doesn't begin with https://"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        if authority.is_empty() {
            return Err("has no host");
        }
        if authority.contains('@') {
            return Err("has a user or password");
        }
        let url = Url::parse(text).map_err(|_| "can't be read as a URL")?;
        let host = HostName::of(&url.host().ok_or("has no host")?);
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("has port 0")?;
        let path =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Ok(Self { scheme, host, port, path })
    }

    /// Whether the guard lets it pass as far as can be told from its text; what a name resolves to is looked at when
    /// it is resolved.
    ///
    /// # Errors
    /// [`OutboundError::Refused`].
    pub fn check(&self, allow_private: bool) -> Result<(), OutboundError> {
        if allow_private {
            return Ok(());
        }
        if self.scheme != Scheme::Https {
            return Err(OutboundError::Refused("only https:// is sent to".to_owned()));
        }
        if self.host.is_private() {
            return Err(OutboundError::Refused(format!("the host is {PRIVATE}")));
        }
        Ok(())
    }

    /// Scheme, host and a port that is not the scheme's own: what may be shown.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// Host and a port that is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.scheme == Scheme::Https { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The same with another query parameter behind the others; both parts must be plain ASCII.
    #[must_use]
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        Self { path: format!("{}{joint}{name}={value}", self.path), ..self.clone() }
    }
}
