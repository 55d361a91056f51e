//! Putting alerts into the outbox, each once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use uuid::Uuid;

use super::rules::RuleCounters;
use super::text::{cut, headline, one_line};
use super::watch::open;
use super::{AlertKind, AlertMessage, ChannelId, ChannelKind, Channels, Verdict};
use crate::event::uuid_at;
use crate::store::{AlertState, Connection, MAX_WAITING_ALERTS, OutboxRow, OutboxStanding, StoreError};
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
    /// Too many messages wait, of its project or at all: it is not sent. The history has it as dead.
    Full,
}

/// Puts an alert into the outbox, as [`enqueue_all`].
///
/// # Errors
/// What the database said; the transaction is then to be rolled back.
pub async fn enqueue(
    connection: &mut Connection,
    channels: &Channels,
    alert: &NewAlert,
    now: Timestamp,
) -> Result<Enqueued, StoreError> {
    let done = enqueue_all(connection, channels, std::slice::from_ref(alert), now).await?;
    Ok(done.first().copied().unwrap_or(Enqueued::Known))
}

/// Puts alerts into the outbox, within the caller's transaction; they are sent after the commit, once [`Outbox::ring`]
/// was called or when the next look comes by. Of all who say the same, whichever instance they are of, one succeeds.
/// An alert for which there is no channel is kept as `unsent`, for the history. Gives what became of each, in order.
///
/// A few round trips, whatever their number: who calls this holds locks.
///
/// # Errors
/// What the database said; the transaction is then to be rolled back.
pub async fn enqueue_all(
    connection: &mut Connection,
    channels: &Channels,
    alerts: &[NewAlert],
    now: Timestamp,
) -> Result<Vec<Enqueued>, StoreError> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let standing = connection.outbox_standing().await?;
    let mut places = Places::new(&standing);
    let planned: Vec<(&NewAlert, Vec<ChannelId>, bool)> = alerts
        .iter()
        .map(|alert| {
            let (project_id, wanted) = (alert.message.project_id, alert.channels.as_deref());
            let ends = alert.message.is_end();
            let mut targets = channels.targets(&standing.channels, project_id, wanted, ends);
            targets.truncate(MAX_CHANNELS_OF_ONE);
            let fits = places.take(alert, targets.len());
            (alert, targets, fits)
        })
        .collect();
    // What waits already is not lost for want of a second place.
    let unfit = planned.iter().filter(|(_, _, fits)| !fits);
    let slots = unfit.flat_map(|(alert, targets, _)| targets.iter().map(|to| slot(alert, &to.to_string())));
    let taken = connection.taken_alert_slots(&slots.collect::<Vec<_>>()).await?;
    let mut rows = Vec::new();
    // Which rows are whose, and whether they are to be sent.
    let mut parts = Vec::with_capacity(alerts.len());
    for (alert, targets, fits) in planned {
        let first = rows.len();
        let is_known = !fits && targets.iter().any(|to| taken.contains(&slot(alert, &to.to_string())));
        let fits = fits || is_known;
        if is_known {
            // Said before.
        } else if !fits {
            rows.push(row(alert, Fate::Lost, now));
        } else if targets.is_empty() {
            rows.push(row(alert, Fate::Unsent, now));
        } else {
            rows.extend(targets.iter().map(|channel| row(alert, Fate::For(*channel), now)));
        }
        parts.push((first..rows.len(), fits));
    }
    let added: HashSet<Uuid> = connection.add_to_outbox(&rows, now).await?.iter().map(|row| row.id).collect();
    let (mut done, mut opened) = (Vec::with_capacity(alerts.len()), Vec::new());
    for (alert, (part, fits)) in alerts.iter().zip(parts) {
        let added: Vec<&OutboxRow> = rows[part].iter().filter(|row| added.contains(&row.id)).collect();
        done.push(match (fits, added.len()) {
            (false, new) => {
                if new > 0 {
                    tracing::error!(rule = alert.rule, "too many messages wait: an alert is not sent");
                }
                Enqueued::Full
            }
            (true, 0) => Enqueued::Known,
            (true, new) => Enqueued::Added(new),
        });
        if fits && !added.is_empty() {
            opened.push((alert, added));
        }
    }
    open(connection, &opened, standing.open, now).await?;
    Ok(done)
}

/// Places in the outbox that are left. A project may have as many messages waiting as there are places free, so that
/// however much one has to say, there is room for another.
struct Places {
    free: usize,
    waiting: BTreeMap<i64, usize>,
}

impl Places {
    fn new(standing: &OutboxStanding) -> Self {
        let taken: usize = standing.waiting.values().sum();
        Self { free: MAX_WAITING_ALERTS.saturating_sub(taken), waiting: standing.waiting.clone() }
    }

    fn take(&mut self, alert: &NewAlert, wanted: usize) -> bool {
        let waiting = self.waiting.entry(alert.message.project_id).or_default();
        // What is over was said before, and says that nobody has to look any more.
        let is_end = alert.message.is_end();
        let fits = wanted <= self.free && (wanted == 0 || is_end || *waiting + wanted <= self.free);
        if fits {
            *waiting += wanted;
            self.free -= wanted;
        }
        fits
    }
}

/// What is to become of one row of an alert.
#[derive(Clone, Copy)]
enum Fate {
    For(ChannelId),
    /// There is no channel.
    Unsent,
    /// There is no room.
    Lost,
}

fn row(alert: &NewAlert, fate: Fate, now: Timestamp) -> OutboxRow {
    let message = AlertMessage { id: uuid_at(now), ..bounded(alert.message.clone()) };
    // In the history an end has to look like one.
    let title = if message.resolved { headline(&message) } else { one_line(&message.title) };
    let (channel, state, detail) = match fate {
        Fate::For(channel) => (channel.to_string(), AlertState::Waiting, ""),
        Fate::Unsent => (String::new(), AlertState::Unsent, ""),
        Fate::Lost => (String::new(), AlertState::Dead, "not sent: too many messages waited"),
    };
    OutboxRow {
        id: message.id,
        slot: slot(alert, if matches!(fate, Fate::Lost) { "lost" } else { &channel }),
        channel,
        project_id: message.project_id,
        rule: cut(&one_line(&message.rule), MAX_RULE_COLUMN),
        kind: message.kind.name().to_owned(),
        title: cut(&title, MAX_TITLE_COLUMN),
        message: serde_json::to_string(&message).expect("a message is texts and finite numbers, always JSON"),
        state,
        detail,
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
