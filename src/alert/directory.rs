//! The channels there are: those of the environment, which nobody can change here, and those in the database.

use std::collections::BTreeSet;
use std::fmt;

use super::channel::{Channel, ChannelKind, ChannelSettings, FieldProblem, MailDefaults};
use super::seal::Sealer;
use crate::config::{AlertConfig, Config};
use crate::key::KeyRing;
use crate::store::{Store, StoreError, StoredChannel};
use crate::timestamp::Timestamp;

/// What the ids of the environment's channels begin with.
const ENVIRONMENT: &str = "env-";

/// Names a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelId {
    /// From the environment; there is at most one of each kind.
    Environment(ChannelKind),
    /// From the database.
    Stored(i64),
}

impl ChannelId {
    /// Reads the printed form; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = text.strip_prefix(ENVIRONMENT) {
            return ChannelKind::from_name(kind).map(Self::Environment);
        }
        let id: i64 = text.parse().ok()?;
        (id > 0 && id.to_string() == text).then_some(Self::Stored(id))
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(kind) => write!(f, "{ENVIRONMENT}{}", kind.name()),
            Self::Stored(id) => write!(f, "{id}"),
        }
    }
}

/// A channel and what is known of it.
#[derive(Clone, Debug)]
pub struct ChannelRecord {
    /// Its name here.
    pub id: ChannelId,
    /// The project it is for; `None` is every project.
    pub project_id: Option<i64>,
    /// Its kind.
    pub kind: ChannelKind,
    /// For people.
    pub name: String,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Why it was turned off, when that was not a person's doing.
    pub reason: String,
    /// Its settings; the default ones where they can't be opened.
    pub settings: ChannelSettings,
    /// Ready to deliver, or why not.
    pub channel: Result<Channel, String>,
    /// When it was made and last changed; `None` for the environment's.
    pub times: Option<(Timestamp, Timestamp)>,
}

/// All channels. Clones are of the same settings; the database's are read when they are asked for.
#[derive(Clone, Debug)]
pub struct Channels {
    environment: Vec<ChannelRecord>,
    defaults: MailDefaults,
    sealer: Sealer,
}

impl Channels {
    /// By the settings, which were checked when they were read.
    #[must_use]
    pub fn new(config: &Config, ring: &KeyRing) -> Self {
        let defaults = mail_defaults(&config.alerts, config.public_url.as_deref());
        let environment = environment_settings(&config.alerts)
            .into_iter()
            .map(|(kind, settings)| {
                let channel = Channel::build(kind, &settings, &defaults);
                ChannelRecord {
                    id: ChannelId::Environment(kind),
                    project_id: None,
                    kind,
                    name: "from the environment".to_owned(),
                    enabled: true,
                    reason: String::new(),
                    settings,
                    channel: channel.map_err(|problem| format!("{} {}", problem.field, problem.why)),
                    times: None,
                }
            })
            .collect();
        Self { environment, defaults, sealer: Sealer::new(ring) }
    }

    /// The channels of the environment.
    #[must_use]
    pub fn environment(&self) -> &[ChannelRecord] {
        &self.environment
    }

    /// Reads settings as a channel of the API.
    ///
    /// # Errors
    /// The first field that is missing or wrong.
    pub fn build(&self, kind: ChannelKind, settings: &ChannelSettings) -> Result<Channel, FieldProblem> {
        Channel::build(kind, settings, &self.defaults)
    }

    /// Settings as they are stored for a channel of this id.
    ///
    /// # Panics
    /// Never: settings are texts, which are always JSON.
    #[must_use]
    pub fn seal(&self, id: i64, kind: ChannelKind, settings: &ChannelSettings) -> Vec<u8> {
        let text = serde_json::to_vec(settings).expect("settings are texts, which are always JSON");
        self.sealer.seal(&owner(id, kind.name()), &text)
    }

    /// Every channel, the environment's first. Settings sealed under the previous `HMAC_SECRET` are sealed anew.
    ///
    /// # Errors
    /// What the database said.
    pub async fn load(&self, store: &Store) -> Result<Vec<ChannelRecord>, StoreError> {
        let mut all = self.environment.clone();
        for stored in store.alert_channels().await? {
            let (record, is_old) = self.open(&stored);
            if is_old {
                let sealed = self.seal(stored.id, record.kind, &record.settings);
                store.reseal_alert_channel(stored.id, &stored.sealed, &sealed).await?;
            }
            all.push(record);
        }
        Ok(all)
    }

    /// The channels that get an alert of a project: the `wanted` ones of those that are on and the project's or every
    /// project's, or all of them. A channel that was given to another project hears no more of this one, whatever
    /// rules still name it, but for the end (`ends`) of what it was told before. `stored` are those of the database that
    /// are on, and their projects, 0 for every project.
    pub(super) fn targets(
        &self,
        stored: &[(i64, i64)],
        project_id: i64,
        wanted: Option<&[ChannelId]>,
        ends: bool,
    ) -> Vec<ChannelId> {
        let is_ours = |of: i64| ends || of == 0 || of == project_id;
        let of_project = stored.iter().filter(|(_, of)| is_ours(*of)).map(|(id, _)| *id);
        let Some(wanted) = wanted else {
            let environment = self.environment.iter().map(|record| record.id);
            return environment.chain(of_project.map(ChannelId::Stored)).collect();
        };
        let of_project: BTreeSet<i64> = of_project.collect();
        let is_told = |id: &&ChannelId| match id {
            // One of the environment may be another instance's.
            ChannelId::Environment(_) => true,
            ChannelId::Stored(id) => of_project.contains(id),
        };
        wanted.iter().filter(is_told).copied().collect()
    }

    fn open(&self, stored: &StoredChannel) -> (ChannelRecord, bool) {
        let kind = ChannelKind::from_name(&stored.kind);
        let opened = self.sealer.open(&owner(stored.id, &stored.kind), &stored.sealed);
        let is_old = kind.is_some() && opened.as_ref().is_some_and(|opened| opened.is_old);
        let settings = opened.and_then(|opened| serde_json::from_slice::<ChannelSettings>(&opened.text).ok());
        let channel = match (kind, &settings) {
            (None, _) => Err(format!("its kind {:?} is not known to this version", stored.kind)),
            (_, None) => Err("it was sealed under another HMAC_SECRET; give its settings again".to_owned()),
            (Some(kind), Some(settings)) => {
                self.build(kind, settings).map_err(|problem| format!("{} {}", problem.field, problem.why))
            }
        };
        let record = ChannelRecord {
            id: ChannelId::Stored(stored.id),
            project_id: stored.project_id,
            kind: kind.unwrap_or(ChannelKind::Webhook),
            name: stored.name.clone(),
            enabled: stored.enabled,
            reason: stored.reason.clone(),
            settings: settings.unwrap_or_default(),
            channel,
            times: Some((stored.created_at, stored.updated_at)),
        };
        (record, is_old)
    }
}

fn owner(id: i64, kind: &str) -> String {
    format!("{id}:{kind}")
}

/// What mail channels take from the environment.
#[must_use]
pub fn mail_defaults(config: &AlertConfig, public_url: Option<&str>) -> MailDefaults {
    let host = public_url.and_then(|url| url::Url::parse(url).ok());
    let host = host.and_then(|url| url.domain().map(str::to_owned));
    let server = config.smtp_url.as_ref().and_then(|url| super::MailServer::parse(url.expose()).ok());
    MailDefaults { server, from: config.email_from.clone(), host }
}

/// The channels that the settings describe. With a key for the mail API, mail goes that way and not by SMTP too.
#[must_use]
pub fn environment_settings(config: &AlertConfig) -> Vec<(ChannelKind, ChannelSettings)> {
    let text =
        |secret: &Option<crate::config::Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let mut found = Vec::new();
    let none = ChannelSettings::default;
    if let Some(url) = text(&config.discord_webhook_url) {
        found.push((ChannelKind::Discord, ChannelSettings { url: Some(url), ..none() }));
    }
    if let Some(url) = text(&config.slack_webhook_url) {
        found.push((ChannelKind::Slack, ChannelSettings { url: Some(url), ..none() }));
    }
    if let Some(routing_key) = text(&config.pagerduty_routing_key) {
        let (routing_key, url) = (Some(routing_key), config.pagerduty_url.clone());
        found.push((ChannelKind::PagerDuty, ChannelSettings { url, routing_key, ..none() }));
    }
    if let Some(url) = text(&config.webhook_url) {
        let (url, secret) = (Some(url), text(&config.webhook_secret));
        found.push((ChannelKind::Webhook, ChannelSettings { url, secret, ..none() }));
    }
    if !config.email_to.is_empty() {
        let mail = ChannelSettings { to: config.email_to.clone(), from: config.email_from.clone(), ..none() };
        if let Some(api_key) = text(&config.mail_api_key) {
            let (api_key, url) = (Some(api_key), config.mail_api_url.clone());
            found.push((ChannelKind::MailApi, ChannelSettings { url, api_key, ..mail }));
        } else if config.smtp_url.is_some() {
            found.push((ChannelKind::Email, mail));
        }
    }
    found
}
