//! Putting alerts into the outbox, each once.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::rules::RuleCounters;
use super::text::{cut, headline, one_line};
use super::watch::open;
use super::{AlertKind, AlertMessage, ChannelId, ChannelKind, Channels, Verdict};
use crate::event::uuid_at;
use crate::store::{AlertState, Connection, MAX_WAITING_ALERTS, OutboxRow, StoreError};
use crate::timestamp::Timestamp;

/// Channels one alert goes to at most.
const MAX_CHANNELS_OF_ONE: usize = 100;
/// Bounds of what is kept of a message: characters of its texts, names in its lists.
const MAX_TITLE: usize = 1_000;
const MAX_SAMPLE: usize = 8_192;
const MAX_TEXT: usize = 2_000;
const MAX_NAMES: usize = 20;
const MAX_NAME: usize = 128;
/// Characters of a rule and of a title in columns of their own.
const MAX_RULE_COLUMN: usize = 128;
const MAX_TITLE_COLUMN: usize = 255;

/// An alert and the slot it takes.
#[derive(Clone, Debug)]
pub struct NewAlert {
    /// The rule's own name or number, never the same for two rules.
    pub rule: String,
    /// What the alert is about within the rule, such as project and issue.
    pub group: String,
    /// Which of the rule's cooldown periods it falls into. One alert of a rule and group is sent in each; another
    /// number (the negative of it, say) makes room for its "resolved".
    pub cooldown_slot: i64,
    /// What it says. Its id is replaced: each channel's copy gets one of its own.
    pub message: AlertMessage,
    /// The channels it goes to, those of them that are on; `None` is all that the project has.
    pub channels: Option<Vec<ChannelId>>,
}

/// What became of an alert that was put into the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is there now, for so many channels.
    Added(usize),
    /// Its slot was taken: somebody said it before.
    Known,
    /// Too many messages wait; this one is lost but for a line in the log.
    Full,
}

/// Puts an alert into the outbox, within the caller's transaction; it is sent after the commit, once [`Outbox::ring`]
/// was called or when the next look comes by. Of all who say the same, whichever instance they are of, one succeeds.
/// An alert for which there is no channel is kept as `unsent`, for the history.
///
/// # Errors
/// What the database said; the transaction is then to be rolled back.
pub async fn enqueue(
    connection: &mut Connection,
    channels: &Channels,
    alert: &NewAlert,
    now: Timestamp,
) -> Result<Enqueued, StoreError> {
    let mut targets = match &alert.channels {
        Some(given) => channels.enabled_of(connection, given).await?,
        None => channels.of_project(connection, alert.message.project_id).await?,
    };
    targets.truncate(MAX_CHANNELS_OF_ONE);
    if connection.count_waiting_alerts().await? + targets.len() > MAX_WAITING_ALERTS {
        tracing::error!(rule = alert.rule, "the outbox is full: an alert is lost");
        return Ok(Enqueued::Full);
    }
    let mut rows: Vec<OutboxRow> =
        targets.iter().map(|channel| row(alert, &channel.to_string(), AlertState::Waiting, now)).collect();
    if rows.is_empty() {
        rows.push(row(alert, "", AlertState::Unsent, now));
    }
    let added = connection.add_to_outbox(&rows, now).await?;
    if added.is_empty() {
        return Ok(Enqueued::Known);
    }
    open(connection, alert, &added, now).await?;
    Ok(Enqueued::Added(added.len()))
}

fn row(alert: &NewAlert, channel: &str, state: AlertState, now: Timestamp) -> OutboxRow {
    let message = AlertMessage { id: uuid_at(now), ..bounded(alert.message.clone()) };
    // In the history an end has to look like one.
    let title = if message.resolved { headline(&message) } else { one_line(&message.title) };
    OutboxRow {
        id: message.id,
        slot: slot(alert, channel),
        channel: channel.to_owned(),
        project_id: message.project_id,
        rule: cut(&one_line(&message.rule), MAX_RULE_COLUMN),
        kind: message.kind.name().to_owned(),
        title: cut(&title, MAX_TITLE_COLUMN),
        message: serde_json::to_string(&message).expect("a message is texts and finite numbers, always JSON"),
        state,
    }
}

fn slot(alert: &NewAlert, channel: &str) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix("tekno-alert-slot-v1");
    for part in [alert.rule.as_bytes(), alert.group.as_bytes(), channel.as_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(alert.cooldown_slot.to_be_bytes());
    hash.finalize().into()
}

/// The same message within the bounds of what is kept.
fn bounded(mut message: AlertMessage) -> AlertMessage {
    let names = |names: Vec<String>| names.iter().take(MAX_NAMES).map(|name| cut(name, MAX_NAME)).collect();
    let text = |text: Option<String>, max| text.map(|text| cut(&text, max));
    message.project = cut(&message.project, MAX_NAME);
    message.rule = cut(&message.rule, MAX_NAME);
    message.title = cut(&message.title, MAX_TITLE);
    message.sample = text(message.sample, MAX_SAMPLE);
    message.release = text(message.release, MAX_NAME);
    message.mute = text(message.mute, MAX_TEXT);
    // Half a link leads nowhere.
    message.link = message.link.filter(|link| link.len() <= MAX_TEXT);
    message.environments = names(message.environments);
    message.sources = names(message.sources);
    // JSON has no numbers beyond these.
    message.baseline = message.baseline.filter(|baseline| baseline.is_finite());
    message
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    rule: &'static str,
    channel: &'static str,
    outcome: &'static str,
}

/// Rings for delivery, and counts what it does.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    rung: Notify,
    attempts: Family<Attempt, Counter>,
    waiting: Gauge,
    rules: RuleCounters,
}

impl Outbox {
    /// Something was committed to the outbox; never waits.
    pub fn ring(&self) {
        self.0.rung.notify_one();
    }

    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let attempts = "Attempts to deliver a message, by kind of rule and of channel and what came of it";
        registry.register("tekno_alert_attempts", attempts, self.0.attempts.clone());
        let waiting = "Alert messages waiting for their channel, as last seen";
        registry.register("tekno_alert_waiting", waiting, self.0.waiting.clone());
        self.0.rules.register(registry);
    }

    /// Counters of the rules.
    #[must_use]
    pub fn rules(&self) -> &RuleCounters {
        &self.0.rules
    }

    pub(super) async fn rung(&self) {
        self.0.rung.notified().await;
    }

    pub(super) fn set_waiting(&self, waiting: usize) {
        self.0.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts an attempt at a message of a rule of this kind; `None` for one that can't be read.
    pub(super) fn count(&self, rule: Option<AlertKind>, kind: ChannelKind, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Retry => "retry",
            Verdict::Dead | Verdict::Disable => "dead",
        };
        let rule = rule.map_or("unknown", AlertKind::rule_name);
        self.0.attempts.get_or_create(&Attempt { rule, channel: kind.name(), outcome }).inc();
    }
}
