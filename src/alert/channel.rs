//! A channel: its kind, its settings as a person gives them, and what is ready to deliver.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::ChannelAnswer;
use super::email::{MAX_RECIPIENTS, MailAddresses, mailbox};
use super::smtp_url::MailServer;
use super::{AlertMessage, discord, email, mail_api, pagerduty, slack, webhook};
use crate::outbound::{Outbound, OutboundError, Target, Trust};
use crate::timestamp::Timestamp;

pub use super::webhook::make_secret;

/// Longest key of a provider, in characters.
const MAX_KEY_CHARS: usize = 256;

/// Where a channel leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// A Discord webhook.
    Discord,
    /// A Slack incoming webhook.
    Slack,
    /// `PagerDuty`, Events API v2.
    PagerDuty,
    /// A webhook signed by Standard Webhooks.
    Webhook,
    /// Mail by SMTP.
    Email,
    /// Mail by HTTPS.
    MailApi,
}

impl ChannelKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Discord, Self::Slack, Self::PagerDuty, Self::Webhook, Self::Email, Self::MailApi];

    /// The name in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::MailApi => "mail_api",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The settings a channel of this kind has.
    #[must_use]
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Discord => &["url", "thread_id"],
            Self::Slack => &["url"],
            Self::PagerDuty => &["routing_key", "url"],
            Self::Webhook => &["url", "secret"],
            Self::Email => &["to", "from", "smtp_url"],
            Self::MailApi => &["to", "from", "api_key", "url"],
        }
    }
}

/// A channel's settings as given, most of them secret: it doesn't print, and is sealed before it is stored.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelSettings {
    /// Where requests go; `PagerDuty` and the mail API have one of their own.
    pub url: Option<String>,
    /// Discord: the thread to post in, digits.
    pub thread_id: Option<String>,
    /// Webhook: what it is signed with, `whsec_…`.
    pub secret: Option<String>,
    /// `PagerDuty`.
    pub routing_key: Option<String>,
    /// Mail API.
    pub api_key: Option<String>,
    /// Mail: the server, else the one of `SMTP_URL`.
    pub smtp_url: Option<String>,
    /// Mail: the sender, else the one of `ALERT_EMAIL_FROM`.
    pub from: Option<String>,
    /// Mail: the recipients.
    pub to: Vec<String>,
}

impl std::fmt::Debug for ChannelSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[channel settings]")
    }
}

/// What is wrong with a setting of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, continuing the field's name; nothing of a secret.
    pub why: String,
}

fn problem(field: &'static str, why: impl Into<String>) -> FieldProblem {
    FieldProblem { field, why: why.into() }
}

/// What channels of mail take from the environment.
#[derive(Clone, Debug, Default)]
pub struct MailDefaults {
    /// The server of `SMTP_URL`.
    pub server: Option<MailServer>,
    /// `ALERT_EMAIL_FROM`.
    pub from: Option<String>,
    /// The host of `PUBLIC_URL`, for a sender where none is given.
    pub host: Option<String>,
}

/// A channel ready to deliver.
#[derive(Clone, Debug, PartialEq)]
pub enum Channel {
    /// See [`ChannelKind::Discord`], and so on.
    Discord {
        /// The webhook.
        target: Target,
        /// Digits.
        thread_id: Option<String>,
    },
    /// Slack.
    Slack {
        /// The webhook.
        target: Target,
    },
    /// `PagerDuty`.
    PagerDuty {
        /// The Events API.
        target: Target,
        /// The integration's key.
        routing_key: Hidden<String>,
    },
    /// A signed webhook.
    Webhook {
        /// The receiver.
        target: Target,
        /// What it is signed with.
        secret: Hidden<Vec<u8>>,
    },
    /// Mail by SMTP.
    Email {
        /// The server.
        server: MailServer,
        /// Whose word the server's address is.
        trust: Trust,
        /// Sender and recipients.
        addresses: MailAddresses,
    },
    /// Mail by HTTPS.
    MailApi {
        /// The API.
        target: Target,
        /// Its key.
        api_key: Hidden<String>,
        /// Sender and recipients.
        addresses: MailAddresses,
    },
}

/// A value that doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden<T>(pub T);

impl<T> std::fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Channel {
    /// Reads settings. What a kind doesn't have is passed over.
    ///
    /// # Errors
    /// The first field that is missing or wrong.
    pub fn build(
        kind: ChannelKind,
        settings: &ChannelSettings,
        defaults: &MailDefaults,
    ) -> Result<Self, FieldProblem> {
        Ok(match kind {
            ChannelKind::Discord => {
                Self::Discord { target: target(settings.url.as_deref())?, thread_id: thread_id(settings)? }
            }
            ChannelKind::Slack => Self::Slack { target: target(settings.url.as_deref())? },
            ChannelKind::PagerDuty => Self::PagerDuty {
                target: target(Some(settings.url.as_deref().unwrap_or(pagerduty::EVENTS_URL)))?,
                routing_key: Hidden(key("routing_key", settings.routing_key.as_deref())?),
            },
            ChannelKind::Webhook => {
                let secret = settings.secret.as_deref().ok_or_else(|| problem("secret", "is missing"))?;
                let wrong = || problem("secret", "must be whsec_ and 24 to 64 bytes in base64");
                let secret = Hidden(webhook::secret_bytes(secret).ok_or_else(wrong)?);
                Self::Webhook { target: target(settings.url.as_deref())?, secret }
            }
            ChannelKind::Email => {
                let (server, trust) = mail_server(settings, defaults)?;
                let addresses = addresses(settings, defaults, Some(&server))?;
                Self::Email { server, trust, addresses }
            }
            ChannelKind::MailApi => Self::MailApi {
                target: target(Some(settings.url.as_deref().unwrap_or(mail_api::MAILS_URL)))?,
                api_key: Hidden(key("api_key", settings.api_key.as_deref())?),
                addresses: addresses(settings, defaults, None)?,
            },
        })
    }

    /// Where it leads, for those who may see it: without path, user, password or key.
    #[must_use]
    pub fn destination(&self) -> String {
        match self {
            Self::Discord { target, .. }
            | Self::Slack { target }
            | Self::PagerDuty { target, .. }
            | Self::Webhook { target, .. }
            | Self::MailApi { target, .. } => target.origin(),
            Self::Email { server, .. } => server.shown(),
        }
    }

    /// Whether the guard lets it pass, as far as can be told without resolving names.
    ///
    /// # Errors
    /// The field whose address is refused.
    pub fn check(&self, allow_private: bool) -> Result<(), FieldProblem> {
        match self {
            Self::Discord { target, .. }
            | Self::Slack { target }
            | Self::PagerDuty { target, .. }
            | Self::Webhook { target, .. }
            | Self::MailApi { target, .. } => {
                target.check(allow_private).map_err(|error| problem("url", format!("is refused: {error}")))
            }
            Self::Email { server, trust: Trust::Guarded, .. }
                if !allow_private && server.host.is_private() =>
            {
                let error = OutboundError::Refused("the host is a private or local address".to_owned());
                Err(problem("smtp_url", format!("is refused: {error}")))
            }
            Self::Email { .. } => Ok(()),
        }
    }

    /// Delivers a message, in at most some ten seconds.
    pub async fn deliver(
        &self,
        outbound: &Outbound,
        message: &AlertMessage,
        now: Timestamp,
    ) -> ChannelAnswer {
        match self {
            Self::Discord { target, thread_id } => {
                discord::deliver(outbound, target, thread_id.as_deref(), message).await
            }
            Self::Slack { target } => slack::deliver(outbound, target, message).await,
            Self::PagerDuty { target, routing_key } => {
                pagerduty::deliver(outbound, target, &routing_key.0, message).await
            }
            Self::Webhook { target, secret } => {
                webhook::deliver(outbound, target, &secret.0, message, now).await
            }
            Self::Email { server, trust, addresses } => {
                email::deliver(outbound, server, *trust, addresses, message).await
            }
            Self::MailApi { target, api_key, addresses } => {
                mail_api::deliver(outbound, target, &api_key.0, addresses, message).await
            }
        }
    }
}

impl ChannelSettings {
    /// The settings as the API shows them: addresses without their path, keys as whether they are set.
    #[must_use]
    pub fn masked(&self, kind: ChannelKind) -> Value {
        let origin = |url: &Option<String>| {
            url.as_deref().map(|url| match Target::parse(url) {
                Ok(target) => format!("{}/…", target.origin()),
                Err(_) => "(hidden)".to_owned(),
            })
        };
        let set = |secret: &Option<String>| secret.as_ref().map(|_| "(hidden)");
        let server = self.smtp_url.as_deref().map(|url| {
            MailServer::parse(url).map_or_else(|_| "(hidden)".to_owned(), |server| server.shown())
        });
        let mut shown = serde_json::Map::new();
        for field in kind.fields() {
            let value = match *field {
                "url" => json!(origin(&self.url)),
                "thread_id" => json!(self.thread_id),
                "secret" => json!(set(&self.secret)),
                "routing_key" => json!(set(&self.routing_key)),
                "api_key" => json!(set(&self.api_key)),
                "smtp_url" => json!(server),
                "from" => json!(self.from),
                _ => json!(self.to),
            };
            shown.insert((*field).to_owned(), value);
        }
        Value::Object(shown)
    }
}

fn target(url: Option<&str>) -> Result<Target, FieldProblem> {
    let url = url.ok_or_else(|| problem("url", "is missing"))?;
    Target::parse(url).map_err(|why| problem("url", why))
}

fn thread_id(settings: &ChannelSettings) -> Result<Option<String>, FieldProblem> {
    let Some(thread) = &settings.thread_id else { return Ok(None) };
    let digits = (1..=20).contains(&thread.len()) && thread.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(Some(thread.clone())) } else { Err(problem("thread_id", "must be 1 to 20 digits")) }
}

fn key(field: &'static str, key: Option<&str>) -> Result<String, FieldProblem> {
    let key = key.ok_or_else(|| problem(field, "is missing"))?;
    let plain = (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = || problem(field, format!("must be 1 to {MAX_KEY_CHARS} visible ASCII characters"));
    plain.then(|| key.to_owned()).ok_or_else(wrong)
}

fn mail_server(
    settings: &ChannelSettings,
    defaults: &MailDefaults,
) -> Result<(MailServer, Trust), FieldProblem> {
    if let Some(url) = &settings.smtp_url {
        let server = MailServer::parse(url).map_err(|why| problem("smtp_url", why))?;
        return Ok((server, Trust::Guarded));
    }
    let missing = || problem("smtp_url", "is missing, and SMTP_URL is not set");
    Ok((defaults.server.clone().ok_or_else(missing)?, Trust::Operator))
}

fn addresses(
    settings: &ChannelSettings,
    defaults: &MailDefaults,
    server: Option<&MailServer>,
) -> Result<MailAddresses, FieldProblem> {
    let wrong = || problem("to", format!("must be 1 to {MAX_RECIPIENTS} mail addresses"));
    let to: Option<Vec<_>> = settings.to.iter().map(|to| mailbox(to)).collect();
    let to = to.filter(|to| (1..=MAX_RECIPIENTS).contains(&to.len())).ok_or_else(wrong)?;
    let given = settings.from.as_deref().or(defaults.from.as_deref());
    let from = match (given, server) {
        (Some(from), _) => mailbox(from),
        (None, Some(server)) => sender_for(server, defaults),
        (None, None) => return Err(problem("from", "is missing, and ALERT_EMAIL_FROM is not set")),
    };
    let from = from.ok_or_else(|| problem("from", "must be a mail address, or a name and one in <>"))?;
    Ok(MailAddresses { from, to })
}

/// A sender where none is given: who signs in to the server, else somebody at our public host.
fn sender_for(server: &MailServer, defaults: &MailDefaults) -> Option<lettre::message::Mailbox> {
    let user = server.credentials.as_ref().and_then(|(user, _)| mailbox(user));
    let host = || defaults.host.as_deref().and_then(|host| mailbox(&format!("tekno-logger@{host}")));
    user.or_else(host).or_else(|| mailbox("tekno-logger@localhost"))
}
