//! Saying that something is over.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rules::RuleKind;
use super::super::{AlertKind, AlertMessage, ChannelId, Enqueued, NewAlert, enqueue_all};
use super::still_true::{MAX_BUCKETS, Verdict, series_of};
use super::{QUIET_MS, Told, Watch, quiet_ms};
use crate::maintenance::wide_before;
use crate::store::{
    AlertState, BUCKET_MS, Connection, MAX_WAITING_ALERTS, OpenAlert, OutboxStanding, STATEMENT_TIMEOUT,
    Session, SpanCount, StoreError, Topic, WantedSpan, bucket,
};
use crate::timestamp::Timestamp;

/// Alerts that one look ends at most, and takes into its hands.
const MAX_ENDINGS: usize = 20;
pub(super) const MAX_LOOKED_AT: usize = 200;
/// Messages are deleted after some 30 days; an alert older than this was said, though nobody can tell any more.
const FORGOTTEN_MS: i64 = 29 * 86_400_000;
/// Seconds of a bucket.
const BUCKET_SECONDS: i64 = BUCKET_MS / 1_000;

/// An open alert that is over, and what is to be said of it, if anything.
#[derive(Debug)]
pub(super) struct Ending {
    pub alert: OpenAlert,
    pub message: Option<AlertMessage>,
}

/// What a look for what is over found: it is for whoever commits the transaction to write.
#[must_use]
#[derive(Debug, Default)]
pub struct Over {
    pub(super) endings: Vec<Ending>,
    /// What turned out to be true still, and when it was last.
    pub(super) still_true: Vec<(Topic, Timestamp)>,
}

/// What is said of an end, before its events are counted.
struct Ended {
    message: AlertMessage,
    began: Timestamp,
    last: Timestamp,
    counted: Option<WantedSpan>,
}

impl Watch {
    /// Looks for open alerts that were not true for long enough; only reads.
    pub(super) async fn find_endings(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Over, StoreError> {
        let kinds: Vec<(&str, Timestamp)> = AlertKind::ALL
            .into_iter()
            .filter(|kind| *kind != AlertKind::Heartbeat)
            .filter_map(|kind| Some((kind.name(), now.plus_millis(-self.least_quiet_ms(kind)?))))
            .collect();
        let wrong_after = now.plus_millis(QUIET_MS);
        let quiet = connection.quiet_topics(&kinds, wrong_after).await?;
        let turn = self.whose_turn(quiet, now);
        let (mut over, mut opened) = (Over::default(), Vec::new());
        for alert in connection.quiet_alerts(&kinds, wrong_after, &turn, MAX_LOOKED_AT).await? {
            if alert.last_true_at > wrong_after {
                // It was true by a clock that was wrong.
                over.still_true.push((alert.topic, now));
            } else if let Some(message) = opened_by(&alert) {
                opened.push((alert, message));
            } else {
                over.endings.push(Ending { alert, message: None });
            }
        }
        let verdicts = self.verdicts(connection, &opened, &mut over, now).await?;
        let mut ended = Vec::new();
        for (alert, message) in opened {
            if let Some(Verdict::Over(last)) = verdicts.get(&alert.topic) {
                let message = self.ended(&alert, message, *last, now);
                ended.push((alert, message));
            }
        }
        over.endings.truncate(MAX_ENDINGS);
        ended.truncate(MAX_ENDINGS - over.endings.len());
        let spans = ended.iter().filter_map(|(_, ended)| ended.as_ref()?.counted);
        let mut counts = connection.span_counts(&spans.collect::<Vec<_>>()).await?.into_iter();
        over.endings.extend(ended.into_iter().map(|(alert, ended)| {
            let message = ended.map(|ended| {
                let count = ended.counted.and_then(|_| counts.next());
                ended.said(count)
            });
            Ending { alert, message }
        }));
        Ok(over)
    }

    /// What the counts say of each topic, which is asked once on however many channels it is open.
    async fn verdicts(
        &self,
        connection: &mut Connection,
        opened: &[(OpenAlert, AlertMessage)],
        over: &mut Over,
        now: Timestamp,
    ) -> Result<BTreeMap<Topic, Verdict>, StoreError> {
        let mut asked = BTreeSet::new();
        let topics: Vec<&(OpenAlert, AlertMessage)> =
            opened.iter().filter(|(alert, _)| asked.insert(alert.topic)).collect();
        let wanted: Vec<Option<WantedSpan>> =
            topics.iter().map(|(alert, message)| self.counts_to_ask(alert, message)).collect();
        let spans: Vec<WantedSpan> = wanted.iter().copied().flatten().collect();
        let mut counts = connection.bucket_counts(&spans, MAX_BUCKETS).await?.into_iter();
        let mut verdicts = BTreeMap::new();
        for ((alert, message), wanted) in topics.into_iter().zip(wanted) {
            let counts = wanted.and_then(|_| counts.next());
            let verdict = self.still_true(alert, message, counts.as_deref(), now);
            if let Verdict::True { at, until } = verdict {
                if at > alert.last_true_at {
                    over.still_true.push((alert.topic, at));
                }
                self.state().not_before.insert(alert.topic, until);
            }
            verdicts.insert(alert.topic, verdict);
        }
        Ok(verdicts)
    }

    /// Of alerts that were quiet for a while, oldest first, those whose end is possible by now: those never looked at, then
    /// those whose end has been possible for the longest time, so that none waits for ever behind others.
    fn whose_turn(&self, quiet: Vec<Topic>, now: Timestamp) -> Vec<Topic> {
        let mut state = self.state();
        let mut known = std::mem::take(&mut state.not_before);
        if state.looked.is_some_and(|looked| looked > bucket(now)) {
            // The clock was set back: what it said of times to come is worth nothing.
            known.clear();
        }
        let mut turn = Vec::new();
        for topic in quiet {
            match known.get(&topic).copied() {
                Some(until) if until > now => drop(state.not_before.insert(topic, until)),
                until => turn.push((until, topic)),
            }
        }
        turn.sort_by_key(|(until, _)| *until);
        for (until, topic) in turn.iter().skip(MAX_LOOKED_AT) {
            state.not_before.extend(until.map(|until| (*topic, until)));
        }
        turn.into_iter().take(MAX_LOOKED_AT).map(|(_, topic)| topic).collect()
    }

    /// The shortest quiet that ends an alert of a kind in any project.
    fn least_quiet_ms(&self, kind: AlertKind) -> Option<i64> {
        if kind != AlertKind::OverflowStarted {
            return quiet_ms(kind);
        }
        let projects = self.directory.projects();
        let shortest = projects.iter().map(|project| self.overflow_quiet(project.id) * 1_000).min();
        shortest.or(quiet_ms(kind))
    }

    /// What is said of the end of an alert; `None` when nobody was told of it or wants to know.
    fn ended(
        &self,
        alert: &OpenAlert,
        mut message: AlertMessage,
        last: Timestamp,
        now: Timestamp,
    ) -> Option<Ended> {
        let settings = self.settings(alert.project_id);
        let wanted = match message.kind {
            AlertKind::OverflowStarted => settings.overflow_ended,
            _ => settings.resolved,
        };
        if !wanted || !was_told(alert, now) {
            return None;
        }
        message = AlertMessage {
            resolved: true,
            baseline: None,
            count: None,
            suppressed: 0,
            sample: None,
            mute: None,
            at: now,
            ..message
        };
        // The window that was looked at when it was found.
        let window_ms = message.window_seconds.take().map_or(0, |seconds| i64::from(seconds) * 1_000);
        let found = message.received_until.take().map_or(alert.opened_at, |until| until.min(alert.opened_at));
        let began = found.plus_millis(-window_ms);
        // The counts say nothing of what a rule counts itself.
        let counts_tell = match message.kind {
            AlertKind::Spike => settings.spike_n.is_some(),
            AlertKind::ErrorRate => settings.error_rate_n.is_some(),
            _ => true,
        };
        let is_overflow = message.kind == AlertKind::OverflowStarted;
        let began = if is_overflow { message.first_seen.unwrap_or(began) } else { began };
        let counted = series_of(&message).filter(|_| counts_tell).map(|series| WantedSpan {
            project_id: alert.project_id,
            series,
            from: counted_from(bucket(began), now),
            to: bucket(last),
        });
        Some(Ended { message, began, last, counted })
    }

    /// Takes these off the list and puts what is to be said of them into the outbox, within the caller's transaction. Gives
    /// what that was: an alert counts once, on however many channels it ends. A few round trips, whatever their number.
    pub(super) async fn say_endings(
        &self,
        connection: &mut Connection,
        over: Over,
        now: Timestamp,
    ) -> Result<Told, StoreError> {
        let Over { mut endings, still_true } = over;
        let mut told = Told::new();
        if !endings.is_empty() {
            let standing = connection.outbox_standing().await?;
            let mut free = MAX_WAITING_ALERTS.saturating_sub(standing.waiting.values().sum());
            // What needs a place and finds none stays open until there is one.
            endings.retain_mut(|ending| {
                ending.message.take_if(|_| !self.hears(&ending.alert, &standing));
                let needs_place = ending.message.is_some() && !ending.alert.channel.is_empty();
                let fits = !needs_place || free > 0;
                free -= usize::from(needs_place && fits);
                fits
            });
            // Whoever ends the same takes the locks in the same order.
            endings.sort_by(|one, other| {
                (one.alert.topic, &one.alert.channel).cmp(&(other.alert.topic, &other.alert.channel))
            });
            let alerts: Vec<&OpenAlert> = endings.iter().map(|ending| &ending.alert).collect();
            let closed: BTreeSet<(Topic, &str)> =
                connection.close_alerts(&alerts).await?.into_iter().map(key).collect();
            let ended = endings.iter().filter(|ending| closed.contains(&key(&ending.alert)));
            let ended: Vec<NewAlert> = ended.filter_map(resolved).collect();
            // Found before whatever the same fold finds next.
            let done = enqueue_all(connection, &self.channels, &ended, now.plus_millis(-1)).await?;
            let mut groups = BTreeSet::new();
            for (alert, done) in ended.iter().zip(done) {
                let kind = alert.message.kind;
                let outcome = if kind == AlertKind::OverflowEnded { "said" } else { "resolved" };
                let is_told = matches!(done, Enqueued::Added(_)) && groups.insert(&alert.group);
                if let Some(rule) = RuleKind::of_alert(kind).filter(|_| is_told) {
                    *told.entry((rule, outcome)).or_default() += 1;
                }
            }
        }
        connection.note_true_at(&still_true).await?;
        Ok(told)
    }

    /// Whether the channel that was told of an alert is there and on, whichever project's it is; or the history alone was.
    fn hears(&self, alert: &OpenAlert, standing: &OutboxStanding) -> bool {
        let channel = ChannelId::parse(&alert.channel);
        let targets = |id| self.channels.targets(&standing.channels, alert.project_id, Some(&[id]), true);
        alert.channel.is_empty() || channel.is_some_and(|id| !targets(id).is_empty())
    }

    /// The same in a transaction of its own, where there is something to say.
    pub(super) async fn say_apart(
        &self,
        session: &mut Session,
        over: Over,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if over.endings.is_empty() && over.still_true.is_empty() {
            return Ok(false);
        }
        session.begin(STATEMENT_TIMEOUT).await?;
        let told = self.say_endings(session, over, now).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        let said = !told.is_empty();
        self.state().tell(told);
        Ok(said)
    }
}

impl Ended {
    /// With the number of its events, where that was asked for.
    fn said(self, span: Option<SpanCount>) -> AlertMessage {
        let Self { mut message, began, last, .. } = self;
        let Some(span) = span else { return message };
        message.count = u64::try_from(span.count).ok();
        if message.kind == AlertKind::OverflowStarted {
            message.kind = AlertKind::OverflowEnded;
            message.first_seen = Some(Timestamp::from_millis(span.first * 1_000).max(began));
            message.last_seen = Some(Timestamp::from_millis((span.last + BUCKET_SECONDS) * 1_000));
        } else {
            let seconds = (last.as_millis() - began.as_millis()).max(0) / 1_000;
            // In minutes, as nobody wants to know it better.
            message.window_seconds = u32::try_from(((seconds + 59) / 60).max(1) * 60).ok();
            message.last_seen = Some(last);
        }
        message
    }
}

fn key(alert: &OpenAlert) -> (Topic, &str) {
    (alert.topic, &alert.channel)
}

/// What goes into the outbox for an end of which something is said.
fn resolved(ending: &Ending) -> Option<NewAlert> {
    let alert = &ending.alert;
    Some(NewAlert {
        rule: "resolved".to_owned(),
        group: data_encoding::HEXLOWER.encode(&alert.topic),
        cooldown_slot: alert.opened_at.as_millis(),
        message: ending.message.clone()?,
        channels: Some(ChannelId::parse(&alert.channel).into_iter().collect()),
    })
}

/// The message that opened an alert, as far as it is known to this version.
pub(super) fn opened_by(alert: &OpenAlert) -> Option<AlertMessage> {
    let read = serde_json::from_str::<AlertMessage>(&alert.message);
    read.inspect_err(|error| tracing::error!(%error, "an open alert can't be read and ends without a word"))
        .ok()
}

/// Whether its channel got a message about it, or it stands in the history because there was no channel.
pub(super) fn was_told(alert: &OpenAlert, now: Timestamp) -> bool {
    let told = |state: &Option<AlertState>| matches!(state, Some(AlertState::Delivered | AlertState::Unsent));
    alert.said.iter().any(told)
        || (alert.said == [None, None] && alert.opened_at.plus_millis(FORGOTTEN_MS) <= now)
}

/// Counts of past time stand in wider buckets: the one that holds a time may begin before it.
fn counted_from(from: i64, now: Timestamp) -> i64 {
    let (minutes_before, hours_before) = wide_before(now.as_seconds());
    let width = match from {
        old if old < hours_before => 3_600,
        past if past < minutes_before => 60,
        _ => 1,
    };
    from.div_euclid(width) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_from_the_start_of_the_bucket_they_stand_in() {
        let now = Timestamp::from_millis(1_800_014_400_000);
        assert_eq!(counted_from(1_800_014_350, now), 1_800_014_350);
        assert_eq!(counted_from(1_800_014_350 - 7_200, now), 1_800_014_340 - 7_200);
        assert_eq!(counted_from(1_800_014_350 - 200_000, now).rem_euclid(3_600), 0);
    }
}
