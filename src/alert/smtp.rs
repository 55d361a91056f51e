//! The conversation with a mail server. The connection is ours (checked addresses, one set of trusted authorities),
//! the protocol on it the library's.
//!
//! STARTTLS is done here, before the library sees the connection, so that nothing can be said in the clear by mistake
//! and nothing that was sent in the clear is taken for something said under TLS.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::smtp_url::{MailServer, MailTls};
use crate::outbound::{Outbound, OutboundError, OutboundStream, Trust};

/// Longest all of it may take.
pub(super) const MAIL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest we wait for a server to say goodbye.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// Most bytes of one reply before TLS.
const MAX_REPLY_BYTES: usize = 16 * 1024;

/// Why a mail was not taken.
#[derive(Debug)]
pub(super) enum MailError {
    /// The server said so, for good or for now.
    Answered {
        /// The reply's code.
        code: u16,
        /// What else it said.
        text: String,
    },
    /// It didn't come to that.
    Connection(OutboundError),
}

impl From<OutboundError> for MailError {
    fn from(error: OutboundError) -> Self {
        Self::Connection(error)
    }
}

impl From<lettre::transport::smtp::Error> for MailError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        match error.status() {
            Some(code) => Self::Answered { code: code.into(), text: error.to_string() },
            None => Self::Connection(OutboundError::Broken(format!("mail: {error}"))),
        }
    }
}

impl AsyncTokioStream for OutboundStream {
    fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        self.peer_address()
    }
}

/// Hands one mail over; gives the code and text of the server's last reply.
pub(super) async fn send(
    outbound: &Outbound,
    server: &MailServer,
    trust: Trust,
    hello: &str,
    envelope: &Envelope,
    mail: &[u8],
) -> Result<(u16, String), MailError> {
    let sent = async {
        let stream = open(outbound, server, trust, hello).await?;
        let hello = ClientId::Domain(hello.to_owned());
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?;
        if let Some((user, password)) = &server.credentials {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        let response = connection.send(envelope, mail).await?;
        // It has the mail; whether it says goodbye changes nothing.
        let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await;
        let text: Vec<&str> = response.message().collect();
        Ok((response.code().into(), text.join(" ")))
    };
    let timed_out = |_| MailError::Connection(OutboundError::TimedOut(MAIL_TIMEOUT));
    tokio::time::timeout(MAIL_TIMEOUT, sent).await.map_err(timed_out)?
}

/// A connection with the protection asked for, on which the server's greeting is to be read next.
async fn open(
    outbound: &Outbound,
    server: &MailServer,
    trust: Trust,
    hello: &str,
) -> Result<OutboundStream, OutboundError> {
    let mut stream = outbound.connect(&server.host, server.port, trust).await?;
    match server.tls {
        MailTls::None => Ok(stream),
        MailTls::Implicit => outbound.encrypt(stream, &server.host).await,
        MailTls::Required => {
            let greeting = read_reply(&mut stream, 220).await?;
            let extensions = ask(&mut stream, &format!("EHLO {hello}\r\n"), 250).await?;
            let offers = String::from_utf8_lossy(&extensions)
                .lines()
                .any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS")));
            if !offers {
                let why = "the mail server doesn't offer STARTTLS, and nothing is sent in the clear";
                return Err(OutboundError::Broken(why.to_owned()));
            }
            ask(&mut stream, "STARTTLS\r\n", 220).await?;
            let encrypted = outbound.encrypt(stream, &server.host).await?;
            // A server greets once; the library expects to be greeted.
            Ok(encrypted.replaying(greeting))
        }
    }
}

async fn ask(stream: &mut OutboundStream, command: &str, expected: u16) -> Result<Vec<u8>, OutboundError> {
    let lost = |error: std::io::Error| OutboundError::Unreachable(format!("mail: {error}"));
    stream.write_all(command.as_bytes()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    read_reply(stream, expected).await
}

/// Reads one reply, all of its lines and nothing behind them.
async fn read_reply(stream: &mut OutboundStream, expected: u16) -> Result<Vec<u8>, OutboundError> {
    let broken = |why: &str| OutboundError::Broken(format!("the mail server {why}"));
    let mut reply = Vec::new();
    loop {
        match reply_end(&reply) {
            Some(end) if end == reply.len() => break,
            Some(_) => return Err(broken("said more than it was asked")),
            None if reply.len() > MAX_REPLY_BYTES => return Err(broken("doesn't come to an end")),
            None => {}
        }
        match stream.read_buf(&mut reply).await {
            Ok(0) => return Err(broken("hung up")),
            Ok(_) => {}
            Err(error) => return Err(OutboundError::Unreachable(format!("mail: {error}"))),
        }
    }
    if reply.starts_with(expected.to_string().as_bytes()) {
        return Ok(reply);
    }
    let said: String =
        String::from_utf8_lossy(&reply).chars().filter(|c| !c.is_control()).take(200).collect();
    Err(broken(&format!("said {said:?} instead of {expected}")))
}

/// Where the first complete reply ends: behind a line whose fourth character is no hyphen.
fn reply_end(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[start..start + length];
        start += length + 1;
        if line.get(3) != Some(&b'-') {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_with_its_last_line() {
        assert_eq!(reply_end(b"220 ready\r\n"), Some(11));
        assert_eq!(reply_end(b"250-a\r\n250-b\r\n250 c\r\n"), Some(21));
        assert_eq!(reply_end(b"250-a\r\n250-b\r\n"), None);
        assert_eq!(reply_end(b"250 a\r\nextra"), Some(7));
        assert_eq!(reply_end(b""), None);
    }
}
