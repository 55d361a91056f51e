//! What an admin may say about a channel.

use serde_json::Value;

use crate::alert::channel::make_secret;
use crate::alert::{ChannelKind, ChannelRecord, ChannelSettings, Channels, FieldProblem};
use crate::error::ApiError;
use crate::http::json::Fields;
use crate::outbound::Outbound;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 128;
/// Longest text of a setting, in characters.
const MAX_SETTING_CHARS: usize = 2_048;
/// Most recipients looked at; the channel has a bound of its own.
const MAX_RECIPIENTS: usize = 100;

/// A channel to be made.
#[derive(Debug)]
pub struct NewChannel {
    /// The project it is for; `None` is every project.
    pub project_id: Option<i64>,
    /// Its kind.
    pub kind: ChannelKind,
    /// For people.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Its settings.
    pub settings: ChannelSettings,
}

impl NewChannel {
    /// Gives a webhook without a secret one, and says which.
    pub fn make_secret(&mut self) -> Option<String> {
        if self.kind != ChannelKind::Webhook || self.settings.secret.is_some() {
            return None;
        }
        let secret = make_secret();
        self.settings.secret = Some(secret.clone());
        Some(secret)
    }
}

/// A channel with changes made to it.
#[derive(Debug)]
pub struct ChannelChange {
    /// As it is to be.
    pub record: ChannelRecord,
    /// Whether a project was named.
    pub names_project: bool,
}

/// Reads the body of a creation.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn new_channel(mut fields: Fields) -> Result<NewChannel, ApiError> {
    let kind = fields.text("kind", 1..=16)?.ok_or_else(|| fields.wrong("kind", "is missing"))?;
    let kind = ChannelKind::from_name(&kind).ok_or_else(|| {
        let names = ChannelKind::ALL.map(ChannelKind::name).join(", ");
        fields.wrong("kind", &format!("must be one of {names}"))
    })?;
    let mut new = NewChannel {
        project_id: fields.whole("project_id", 1..=u32::MAX)?.map(i64::from),
        kind,
        name: fields.text("name", 1..=MAX_NAME_CHARS)?.unwrap_or_else(|| kind.name().to_owned()),
        enabled: fields.flag("enabled")?.unwrap_or(true),
        settings: ChannelSettings::default(),
    };
    settings(&mut fields, kind, &mut new.settings)?;
    fields.finish()?;
    Ok(new)
}

/// Reads the body of a change: what isn't there stays; `null` takes a setting away, and makes a project's channel one
/// of every project.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn channel_change(mut fields: Fields, mut record: ChannelRecord) -> Result<ChannelChange, ApiError> {
    let names_project = fields.has("project_id");
    let project_id = fields.whole("project_id", 1..=u32::MAX)?.map(i64::from);
    if names_project {
        record.project_id = project_id;
    }
    if let Some(kind) = fields.text("kind", 1..=16)?
        && kind != record.kind.name()
    {
        return Err(fields.wrong("kind", "can't be changed: make another channel"));
    }
    if let Some(name) = fields.text("name", 1..=MAX_NAME_CHARS)? {
        record.name = name;
    }
    record.enabled = fields.flag("enabled")?.unwrap_or(record.enabled);
    settings(&mut fields, record.kind, &mut record.settings)?;
    fields.finish()?;
    Ok(ChannelChange { record, names_project })
}

fn settings(fields: &mut Fields, kind: ChannelKind, settings: &mut ChannelSettings) -> Result<(), ApiError> {
    for name in kind.fields() {
        if !fields.has(name) {
            continue;
        }
        if *name == "to" {
            settings.to = recipients(fields)?;
            continue;
        }
        let value = fields.text(name, 1..=MAX_SETTING_CHARS)?;
        let place = match *name {
            "url" => &mut settings.url,
            "thread_id" => &mut settings.thread_id,
            "secret" => &mut settings.secret,
            "routing_key" => &mut settings.routing_key,
            "api_key" => &mut settings.api_key,
            "smtp_url" => &mut settings.smtp_url,
            _ => &mut settings.from,
        };
        *place = value;
    }
    Ok(())
}

fn recipients(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let given = fields.array("to")?.unwrap_or_default();
    let wrong = |fields: &Fields| fields.wrong("to", "must be a list of mail addresses");
    if given.len() > MAX_RECIPIENTS {
        return Err(wrong(fields));
    }
    let texts: Option<Vec<String>> = given.iter().map(|one| Value::as_str(one).map(str::to_owned)).collect();
    texts.ok_or_else(|| wrong(fields))
}

/// Whether the settings make a channel, and one that may be reached.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn check(
    channels: &Channels,
    outbound: &Outbound,
    kind: ChannelKind,
    settings: &ChannelSettings,
) -> Result<(), ApiError> {
    let refused =
        |problem: FieldProblem| ApiError::InvalidField(format!("{}: {}.", problem.field, problem.why));
    let channel = channels.build(kind, settings).map_err(refused)?;
    channel.check(outbound.allows_private()).map_err(refused)
}
