//! Requests to addresses that people set: webhooks, mail servers, our own public address.
//!
//! A URL is checked, its name resolved once, every address of the answer checked, and one of exactly these connected to;
//! so a name that resolves to something else a moment later changes nothing. Redirects are answers like any other and
//! are not followed. Nothing here reads proxy variables. `OUTBOUND_ALLOW_PRIVATE=true` opens private addresses and
//! plain HTTP.

mod address;
mod http;
mod stream;
mod target;
mod tls;

#[cfg(test)]
mod forms_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

pub use address::is_public;
pub use http::{Answer, Request};
pub use stream::OutboundStream;
pub use target::{HostName, Scheme, Target};

use crate::config::OutboundConfig;

/// Longest a request may take, from the lookup of the name to the last byte of the answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer's body that are read; the rest is left.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Requests and mail connections at once; further ones wait within their own time.
const MAX_AT_ONCE: usize = 16;
/// Longest wait for one address of several.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboundError {
    /// The address is one that is not reached; the same again will be refused again.
    Refused(String),
    /// No such name, no connection, or no trust in who answered.
    Unreachable(String),
    /// It took longer than allowed.
    TimedOut(Duration),
    /// What came back is not what the protocol says.
    Broken(String),
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Unreachable(why) | Self::Broken(why) => f.write_str(why),
            Self::TimedOut(after) => write!(f, "no answer in {} ms", after.as_millis()),
        }
    }
}

impl std::error::Error for OutboundError {}

/// Whose word an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's with access to the pages: the guard applies.
    Guarded,
    /// The operator's own environment (`PUBLIC_URL`, `SMTP_URL`): private addresses are fine.
    Operator,
}

/// Answers a name with addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The way out. Clones share it.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    allow_private: bool,
    tls: TlsConnector,
    lookup: Lookup,
    timeout: Duration,
    turns: Semaphore,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[outbound]")
    }
}

impl Outbound {
    /// By the settings; names are resolved by the system.
    ///
    /// # Errors
    /// A sentence when `OUTBOUND_TLS_CA` can't be read.
    pub fn new(config: &OutboundConfig) -> Result<Self, String> {
        Self::with_lookup(config, Arc::new(|name| Box::pin(system_lookup(name))), REQUEST_TIMEOUT)
    }

    /// The same with another answerer of names and another bound on time.
    ///
    /// # Errors
    /// As [`Outbound::new`].
    pub fn with_lookup(config: &OutboundConfig, lookup: Lookup, timeout: Duration) -> Result<Self, String> {
        let tls = TlsConnector::from(tls::client_config(config.tls_ca.as_deref())?);
        let allow_private = config.allow_private;
        Ok(Self(Arc::new(Inner { allow_private, tls, lookup, timeout, turns: Semaphore::new(MAX_AT_ONCE) })))
    }

    /// Whether private addresses and plain HTTP are open.
    #[must_use]
    pub fn allows_private(&self) -> bool {
        self.0.allow_private
    }

    /// Sends one request. Any status is an answer, redirects included.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn send(&self, request: Request<'_>, trust: Trust) -> Result<Answer, OutboundError> {
        let timeout = self.0.timeout;
        let sent = async {
            if trust == Trust::Guarded {
                request.target.check(self.0.allow_private)?;
            }
            let _turn = self.turn().await?;
            let stream = self.connect_to(&request.target.host, request.target.port, trust).await?;
            let stream = match request.target.scheme {
                Scheme::Http => OutboundStream::plain(stream),
                Scheme::Https => self.encrypt(OutboundStream::plain(stream), &request.target.host).await?,
            };
            http::exchange(stream, request).await
        };
        tokio::time::timeout(timeout, sent).await.map_err(|_| OutboundError::TimedOut(timeout))?
    }

    /// Connects for a protocol of the caller's own, who bounds the time of all of it.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn connect(
        &self,
        host: &HostName,
        port: u16,
        trust: Trust,
    ) -> Result<OutboundStream, OutboundError> {
        let _turn = self.turn().await?;
        self.connect_to(host, port, trust).await.map(OutboundStream::plain)
    }

    /// Starts TLS on a connection and checks that it is `host` at the other end.
    ///
    /// # Errors
    /// [`OutboundError::Unreachable`] when it isn't, or can't be told.
    pub async fn encrypt(
        &self,
        stream: OutboundStream,
        host: &HostName,
    ) -> Result<OutboundStream, OutboundError> {
        let tcp = stream.into_tcp()?;
        let name = match host {
            HostName::Address(address) => ServerName::from(*address),
            HostName::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| OutboundError::Refused("the host is no name a certificate could have".into()))?,
        };
        let encrypted = self.0.tls.connect(name, tcp).await;
        let encrypted = encrypted.map_err(|error| OutboundError::Unreachable(format!("TLS: {error}")))?;
        Ok(OutboundStream::encrypted(encrypted))
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, OutboundError> {
        let turn = self.0.turns.acquire().await;
        turn.map_err(|_| OutboundError::Unreachable("the service is stopping".to_owned()))
    }

    async fn connect_to(&self, host: &HostName, port: u16, trust: Trust) -> Result<TcpStream, OutboundError> {
        let addresses = self.checked_addresses(host, trust).await?;
        let mut last = "it has no address".to_owned();
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((address, port))).await {
                Ok(Ok(stream)) => {
                    // Small messages both ways; failing to say so only costs time.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no connection in {} ms", CONNECT_TIMEOUT.as_millis()),
            }
        }
        Err(OutboundError::Unreachable(format!("{host} port {port}: {last}")))
    }

    /// The addresses of a host, when all of them may be reached. The name is resolved here and nowhere else.
    async fn checked_addresses(&self, host: &HostName, trust: Trust) -> Result<Vec<IpAddr>, OutboundError> {
        let mut addresses = match host {
            HostName::Address(address) => vec![*address],
            HostName::Name(name) => (self.0.lookup)(name.clone())
                .await
                .map_err(|error| OutboundError::Unreachable(format!("{host} can't be resolved: {error}")))?,
        };
        let guarded = trust == Trust::Guarded && !self.0.allow_private;
        // One bad address among good ones is a name to distrust, not one to pick from.
        if guarded && !addresses.iter().all(|address| is_public(*address)) {
            return Err(OutboundError::Refused(format!("{host} is or resolves to {PRIVATE}")));
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }
}

/// What the guard says of an address it refuses.
const PRIVATE: &str = "a private, local or reserved address, which is not reached (OUTBOUND_ALLOW_PRIVATE=true opens \
                       private networks)";

async fn system_lookup(name: String) -> std::io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}
