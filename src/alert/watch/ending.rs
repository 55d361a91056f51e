//! Saying that something is over.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rules::RuleKind;
use super::super::{AlertKind, AlertMessage, ChannelId, Enqueued, NewAlert, enqueue};
use super::still_true::{Verdict, series_of};
use super::{QUIET_MS, Told, Watch, quiet_ms};
use crate::maintenance::wide_before;
use crate::store::{
    AlertState, BUCKET_MS, Connection, MAX_WAITING_ALERTS, OpenAlert, STATEMENT_TIMEOUT, Session, StoreError,
    Topic, bucket,
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
pub(super) struct Ending {
    pub alert: OpenAlert,
    pub message: Option<AlertMessage>,
}

impl Watch {
    /// Open alerts that were not true for long enough. What turns out to be true still is noted so.
    pub(super) async fn find_endings(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Vec<Ending>, StoreError> {
        let kinds: Vec<(&str, Timestamp)> = AlertKind::ALL
            .into_iter()
            .filter(|kind| *kind != AlertKind::Heartbeat)
            .filter_map(|kind| Some((kind.name(), now.plus_millis(-self.least_quiet_ms(kind)?))))
            .collect();
        let wrong_after = now.plus_millis(QUIET_MS);
        // One alert is open on each of its channels.
        let mut verdicts: BTreeMap<Topic, Verdict> = BTreeMap::new();
        let mut endings = Vec::new();
        let quiet = connection.quiet_topics(&kinds, wrong_after).await?;
        let turn = self.whose_turn(quiet, now);
        for alert in connection.quiet_alerts(&kinds, wrong_after, &turn, MAX_LOOKED_AT).await? {
            if endings.len() == MAX_ENDINGS {
                break;
            }
            if alert.last_true_at > wrong_after {
                // It was true by a clock that was wrong.
                connection.note_still_true(&[alert.topic], now).await?;
                continue;
            }
            let Some(message) = opened_by(&alert) else {
                endings.push(Ending { alert, message: None });
                continue;
            };
            let verdict = match verdicts.get(&alert.topic) {
                Some(verdict) => *verdict,
                None => self.still_true(connection, &alert, &message, now).await?,
            };
            match verdict {
                Verdict::Over(last) => {
                    let message = self.ending_message(connection, &alert, message, last, now).await?;
                    endings.push(Ending { message, alert: alert.clone() });
                }
                Verdict::True { at, until } if !verdicts.contains_key(&alert.topic) => {
                    if at > alert.last_true_at {
                        connection.note_still_true(&[alert.topic], at).await?;
                    }
                    self.state().not_before.insert(alert.topic, until);
                }
                Verdict::True { .. } => {}
            }
            verdicts.insert(alert.topic, verdict);
        }
        Ok(endings)
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
    async fn ending_message(
        &self,
        connection: &mut Connection,
        alert: &OpenAlert,
        mut message: AlertMessage,
        last_true_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<AlertMessage>, StoreError> {
        let settings = self.settings(alert.project_id);
        let wanted = match message.kind {
            AlertKind::OverflowStarted => settings.overflow_ended,
            _ => settings.resolved,
        };
        if !wanted || !was_told(alert, now) {
            return Ok(None);
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
        let Some(series) = series_of(&message).filter(|_| counts_tell) else { return Ok(Some(message)) };
        let is_overflow = message.kind == AlertKind::OverflowStarted;
        let began = if is_overflow { message.first_seen.unwrap_or(began) } else { began };
        let (from, to) = (counted_from(bucket(began), now), bucket(last_true_at));
        let span = connection.span_count(alert.project_id, series, from, to).await?;
        message.count = u64::try_from(span.count).ok();
        if is_overflow {
            message.kind = AlertKind::OverflowEnded;
            message.first_seen = Some(Timestamp::from_millis(span.first * 1_000).max(began));
            message.last_seen = Some(Timestamp::from_millis((span.last + BUCKET_SECONDS) * 1_000));
        } else {
            let seconds = (last_true_at.as_millis() - began.as_millis()).max(0) / 1_000;
            // In minutes, as nobody wants to know it better.
            message.window_seconds = u32::try_from(((seconds + 59) / 60).max(1) * 60).ok();
            message.last_seen = Some(last_true_at);
        }
        Ok(Some(message))
    }

    /// Takes these off the list and puts what is to be said of them into the outbox, within the caller's transaction. Gives
    /// what that was: an alert counts once, on however many channels it ends.
    pub(super) async fn say_endings(
        &self,
        connection: &mut Connection,
        endings: Vec<Ending>,
        now: Timestamp,
    ) -> Result<Told, StoreError> {
        let (mut told, mut topics) = (Told::new(), BTreeSet::new());
        if endings.is_empty() || connection.count_waiting_alerts().await? + endings.len() > MAX_WAITING_ALERTS
        {
            return Ok(told);
        }
        for Ending { alert, message } in endings {
            if !connection.close_alert(&alert).await? {
                continue;
            }
            let Some(message) = message else { continue };
            let channels = if alert.channel.is_empty() {
                Vec::new()
            } else {
                let known = self.channels.of_project(connection, alert.project_id).await?;
                let channel = ChannelId::parse(&alert.channel).filter(|channel| known.contains(channel));
                let Some(channel) = channel else { continue };
                vec![channel]
            };
            let resolved = NewAlert {
                rule: "resolved".to_owned(),
                group: data_encoding::HEXLOWER.encode(&alert.topic),
                cooldown_slot: alert.opened_at.as_millis(),
                message,
                channels: Some(channels),
            };
            // Found before whatever the same fold finds next.
            let at = now.plus_millis(-1);
            let added = enqueue(connection, &self.channels, &resolved, at).await?;
            if matches!(added, Enqueued::Added(_)) && topics.insert(alert.topic) {
                let is_rule = resolved.message.kind == AlertKind::OverflowEnded;
                let outcome = if is_rule { "said" } else { "resolved" };
                if let Some(rule) = RuleKind::of_alert(resolved.message.kind) {
                    *told.entry((rule, outcome)).or_default() += 1;
                }
            }
        }
        Ok(told)
    }

    /// The same in a transaction of its own, where there is something to say.
    pub(super) async fn say_apart(
        &self,
        session: &mut Session,
        endings: Vec<Ending>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if endings.is_empty() {
            return Ok(false);
        }
        session.begin(STATEMENT_TIMEOUT).await?;
        let told = self.say_endings(session, endings, now).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        let said = !told.is_empty();
        self.state().tell(told);
        Ok(said)
    }
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
