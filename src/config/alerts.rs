//! The settings about what goes out: channels for alerts, and what may be reached.

use std::path::PathBuf;

use super::reader::Reader;
use super::secret::Secret;
use super::setting::{
    ALERT_EMAIL_FROM, ALERT_EMAIL_TO, ALERT_WEBHOOK_SECRET, ALERT_WEBHOOK_URL, DISCORD_WEBHOOK_URL,
    MAIL_API_KEY, MAIL_API_URL, OUTBOUND_ALLOW_PRIVATE, OUTBOUND_TLS_CA, PAGERDUTY_ROUTING_KEY,
    PAGERDUTY_URL, SLACK_WEBHOOK_URL, SMTP_URL, Setting,
};
use crate::alert::directory::{environment_settings, mail_defaults};
use crate::alert::{Channel, ChannelKind};

/// What may be reached, and whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundConfig {
    /// `OUTBOUND_ALLOW_PRIVATE`.
    pub allow_private: bool,
    /// `OUTBOUND_TLS_CA`.
    pub tls_ca: Option<PathBuf>,
}

/// Channels that work without anybody setting them up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertConfig {
    /// `DISCORD_WEBHOOK_URL`.
    pub discord_webhook_url: Option<Secret>,
    /// `SLACK_WEBHOOK_URL`.
    pub slack_webhook_url: Option<Secret>,
    /// `PAGERDUTY_ROUTING_KEY`.
    pub pagerduty_routing_key: Option<Secret>,
    /// `PAGERDUTY_URL`.
    pub pagerduty_url: Option<String>,
    /// `ALERT_WEBHOOK_URL`.
    pub webhook_url: Option<Secret>,
    /// `ALERT_WEBHOOK_SECRET`.
    pub webhook_secret: Option<Secret>,
    /// `SMTP_URL`.
    pub smtp_url: Option<Secret>,
    /// `ALERT_EMAIL_TO`.
    pub email_to: Vec<String>,
    /// `ALERT_EMAIL_FROM`.
    pub email_from: Option<String>,
    /// `MAIL_API_KEY`.
    pub mail_api_key: Option<Secret>,
    /// `MAIL_API_URL`.
    pub mail_api_url: Option<String>,
}

/// `OUTBOUND_…`.
pub(super) fn outbound(reader: &mut Reader<'_>) -> OutboundConfig {
    let allow_private = reader.word(&OUTBOUND_ALLOW_PRIVATE) == Some("true");
    let tls_ca = reader.text(&OUTBOUND_TLS_CA).map(|found| PathBuf::from(found.text));
    OutboundConfig { allow_private, tls_ca }
}

/// The channels. What is wrong with one is a problem of its variable; what the guard would refuse is said at the start.
pub(super) fn alerts(
    reader: &mut Reader<'_>,
    outbound: &OutboundConfig,
    public_url: Option<&str>,
) -> AlertConfig {
    let mut secret = |setting: &Setting| reader.text(setting).map(|found| Secret::new(found.text));
    let mut config = AlertConfig {
        discord_webhook_url: secret(&DISCORD_WEBHOOK_URL),
        slack_webhook_url: secret(&SLACK_WEBHOOK_URL),
        pagerduty_routing_key: secret(&PAGERDUTY_ROUTING_KEY),
        webhook_url: secret(&ALERT_WEBHOOK_URL),
        webhook_secret: secret(&ALERT_WEBHOOK_SECRET),
        smtp_url: secret(&SMTP_URL),
        mail_api_key: secret(&MAIL_API_KEY),
        ..AlertConfig::default()
    };
    let mut text = |setting: &Setting| reader.text(setting).map(|found| found.text.to_owned());
    config.pagerduty_url = text(&PAGERDUTY_URL);
    config.mail_api_url = text(&MAIL_API_URL);
    config.email_from = text(&ALERT_EMAIL_FROM);
    let to = text(&ALERT_EMAIL_TO).unwrap_or_default();
    config.email_to = to.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
    refuse_what_is_wrong(reader, &config, outbound, public_url);
    note_what_is_missing(reader, &config);
    config
}

fn refuse_what_is_wrong(
    reader: &mut Reader<'_>,
    config: &AlertConfig,
    outbound: &OutboundConfig,
    public_url: Option<&str>,
) {
    if let Some(Err(why)) = config.smtp_url.as_ref().map(|url| crate::alert::MailServer::parse(url.expose()))
    {
        reader.problem(SMTP_URL.name, why, format!("set it to {}", SMTP_URL.accepts));
        return;
    }
    let defaults = mail_defaults(config, public_url);
    for (kind, settings) in environment_settings(config) {
        match Channel::build(kind, &settings, &defaults) {
            Err(problem) => {
                let setting = setting_of(kind, problem.field);
                let remedy = format!("set it to {}", setting.accepts);
                reader.problem(setting.name, problem.why, remedy);
            }
            Ok(channel) => {
                if let Err(problem) = channel.check(outbound.allow_private) {
                    let name = setting_of(kind, problem.field).name;
                    reader.note(format!("{name} {}: nothing will be sent there", problem.why));
                }
            }
        }
    }
}

/// Halves of a channel: harmless, and most likely not what was meant.
fn note_what_is_missing(reader: &mut Reader<'_>, config: &AlertConfig) {
    let by_mail = config.smtp_url.is_some() || config.mail_api_key.is_some();
    if config.email_to.is_empty() && by_mail {
        reader.note("SMTP_URL or MAIL_API_KEY is set, but not ALERT_EMAIL_TO: no alerts go by mail");
    }
    if !config.email_to.is_empty() && !by_mail {
        reader.note("ALERT_EMAIL_TO is set, but neither SMTP_URL nor MAIL_API_KEY: no alerts go by mail");
    }
    if config.smtp_url.is_some() && config.mail_api_key.is_some() {
        reader.note("SMTP_URL and MAIL_API_KEY are both set: mail goes by the API");
    }
    if config.smtp_url.as_ref().is_some_and(|url| url.expose().contains("tls=n")) {
        reader.note("SMTP_URL says tls=none: mail and its password travel in the clear");
    }
}

fn setting_of(kind: ChannelKind, field: &str) -> Setting {
    match (kind, field) {
        (ChannelKind::Discord, _) => DISCORD_WEBHOOK_URL,
        (ChannelKind::Slack, _) => SLACK_WEBHOOK_URL,
        (ChannelKind::PagerDuty, "url") => PAGERDUTY_URL,
        (ChannelKind::PagerDuty, _) => PAGERDUTY_ROUTING_KEY,
        (ChannelKind::Webhook, "secret") => ALERT_WEBHOOK_SECRET,
        (ChannelKind::Webhook, _) => ALERT_WEBHOOK_URL,
        (_, "to") => ALERT_EMAIL_TO,
        (_, "from") => ALERT_EMAIL_FROM,
        (ChannelKind::Email, _) => SMTP_URL,
        (ChannelKind::MailApi, "url") => MAIL_API_URL,
        (ChannelKind::MailApi, _) => MAIL_API_KEY,
    }
}
