//! A message as a mail: text and HTML, and headers by which the mails about one thing form a thread.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::AlertMessage;
use super::answer::{ChannelAnswer, Verdict};
use super::smtp::{self, MailError};
use super::smtp_url::MailServer;
use super::text::{cut, escape_html, facts, headline, one_line, plain, title, without_controls};
use crate::outbound::{Outbound, OutboundError, Trust};

/// Most recipients of a channel.
pub(super) const MAX_RECIPIENTS: usize = 20;
/// Longest address, in characters.
const MAX_ADDRESS_CHARS: usize = 254;
/// Longest `Name <address>`, in characters.
const MAX_MAILBOX_CHARS: usize = 320;
/// Characters of a sample.
const MAX_SAMPLE: usize = 8_192;
/// Characters of a subject.
const MAX_SUBJECT: usize = 200;

/// Who writes to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAddresses {
    /// The sender.
    pub from: Mailbox,
    /// The recipients, at least one.
    pub to: Vec<Mailbox>,
}

/// Reads `name@host` or `Name <name@host>`; an address of letters beyond ASCII would need what servers lack.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    let plain = !text.contains(char::is_control) && text.chars().count() <= MAX_MAILBOX_CHARS;
    let mailbox: Mailbox = plain.then(|| text.parse().ok())??;
    let address: &str = mailbox.email.as_ref();
    let sound = address.is_ascii() && address.chars().count() <= MAX_ADDRESS_CHARS;
    (sound && !address.contains(char::is_whitespace)).then_some(mailbox)
}

/// A mail's parts.
pub(super) struct Mail {
    /// The same for each mail about the same thing.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML without links to anything but the page.
    pub html: String,
    /// This mail's `Message-ID`; a repetition has the same.
    pub message_id: String,
    /// What all mails of the thread refer to.
    pub references: String,
}

impl Mail {
    /// Puts a message into words.
    pub fn about(message: &AlertMessage, addresses: &MailAddresses) -> Self {
        let domain = addresses.from.email.domain();
        Self {
            subject: cut(&format!("[{}] {}", one_line(&message.project), title(message)), MAX_SUBJECT),
            text: plain(message, MAX_SAMPLE),
            html: html(message),
            message_id: format!("<{}@{domain}>", message.id),
            references: format!("<{}@{domain}>", message.thread()),
        }
    }
}

fn html(message: &AlertMessage) -> String {
    let mut rows = String::new();
    for (name, value) in facts(message) {
        let value = escape_html(&value);
        rows.push_str(&["<tr><th align=\"left\">", name, "</th><td>", &value, "</td></tr>\n"].concat());
    }
    let sample = message.sample.as_deref().map_or(String::new(), |sample| {
        let sample = escape_html(&cut(&without_controls(sample), MAX_SAMPLE));
        ["<pre style=\"white-space:pre-wrap\">", &sample, "</pre>\n"].concat()
    });
    let link = message.link.as_deref().map_or(String::new(), |link| {
        let link = escape_html(link);
        ["<p><a href=\"", &link, "\">", &link, "</a></p>\n"].concat()
    });
    let mute = message
        .mute
        .as_deref()
        .map_or(String::new(), |mute| ["<p>", &escape_html(&one_line(mute)), "</p>\n"].concat());
    [
        "<!doctype html>\n<html><body style=\"font-family:sans-serif\">\n<h2>",
        &escape_html(&headline(message)),
        "</h2>\n<table cellpadding=\"4\">\n",
        &rows,
        "</table>\n",
        &sample,
        &link,
        &mute,
        "<p><small>Message ",
        &message.id.to_string(),
        "</small></p>\n</body></html>\n",
    ]
    .concat()
}

/// Hands the mail to a server.
pub(super) async fn deliver(
    outbound: &Outbound,
    server: &MailServer,
    trust: Trust,
    addresses: &MailAddresses,
    message: &AlertMessage,
) -> ChannelAnswer {
    let mail = match build(message, addresses) {
        Ok(mail) => mail,
        Err(error) => {
            return ChannelAnswer::new(Verdict::Dead, format!("the mail can't be written: {error}"));
        }
    };
    let hello = addresses.from.email.domain();
    let sent = smtp::send(outbound, server, trust, hello, mail.envelope(), &mail.formatted()).await;
    match sent {
        Ok((code, text)) => ChannelAnswer {
            status: Some(code),
            said: text,
            ..ChannelAnswer::new(Verdict::Delivered, "the mail server took it")
        },
        Err(MailError::Answered { code, text }) => {
            let (verdict, detail) = match code {
                500..=599 => (Verdict::Dead, "the mail server refused it"),
                _ => (Verdict::Retry, "the mail server doesn't take it now"),
            };
            ChannelAnswer {
                status: Some(code),
                said: without_controls(&text),
                ..ChannelAnswer::new(verdict, detail)
            }
        }
        Err(MailError::Connection(OutboundError::Refused(why))) => ChannelAnswer::new(Verdict::Dead, why),
        Err(MailError::Connection(error)) => ChannelAnswer::new(Verdict::Retry, error.to_string()),
    }
}

fn build(message: &AlertMessage, addresses: &MailAddresses) -> Result<Message, lettre::error::Error> {
    let mail = Mail::about(message, addresses);
    let at = u64::try_from(message.at.as_millis()).unwrap_or(0);
    let mut builder = Message::builder()
        .from(addresses.from.clone())
        .subject(mail.subject)
        .date(UNIX_EPOCH + Duration::from_millis(at))
        .message_id(Some(mail.message_id))
        .references(mail.references.clone())
        .in_reply_to(mail.references);
    for to in &addresses.to {
        builder = builder.to(to.clone());
    }
    let mut built = builder.multipart(MultiPart::alternative_plain_html(mail.text, mail.html))?;
    let headers = built.headers_mut();
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    headers.insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_carry_another_header_is_none() {
        for text in [
            "a@example.com\r\nBcc: b@example.com",
            "a@example.com\nb@example.com",
            "a@example.com, b@example.com",
            "a b@example.com",
            "a@",
            "@example.com",
            "a",
            "",
            "a@exa mple.com",
            "<a@example.com",
            "ä@example.com",
        ] {
            assert!(mailbox(text).is_none(), "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(MAX_ADDRESS_CHARS));
        assert!(mailbox(&long).is_none());
        assert_eq!(mailbox(" a@example.com ").unwrap().email.as_ref() as &str, "a@example.com");
        let named = mailbox("Ops Käse <ops+alerts@example.com>").unwrap();
        assert_eq!((named.name.as_deref(), named.email.domain()), (Some("Ops Käse"), "example.com"));
    }
}
