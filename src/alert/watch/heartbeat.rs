//! Silence where events used to come.
//!
//! Only minutes in which the service was awake count. By default silence is worth an alert where traffic was steady: in
//! each of the 24 hours before the last event the service was awake for half an hour at least and events came, and at the
//! rate of the quietest of those hours chance alone would give a third of this silence less than once in a million. Other
//! silence is normal for a sink of overflow, which ends by itself, and whose end is said anyway.

use std::sync::Arc;

use super::super::rules::{RuleKind, Setting};
use super::super::{AlertKind, AlertMessage, Enqueued, NewAlert, enqueue};
use super::ending::{Ending, MAX_LOOKED_AT, Over, opened_by, was_told};
use super::opening::topic;
use super::{Watch, WatchSettings};
use crate::store::{BUCKET_MS, Cooldown, CooldownKey, STATEMENT_TIMEOUT, Session, StoreError, bucket};
use crate::timestamp::Timestamp;

/// Hours in each of which there have to be events.
pub const STEADY_HOURS: i64 = 24;
/// Minutes of each of them in which the service has to be awake.
pub const AWAKE_MINUTES: i64 = 30;
/// −ln of the chance below which silence is none.
const RARE: f64 = 13.815_510_557_964_274;
/// How many times as long as that a silence is.
const TIMES: f64 = 3.0;
/// A silence that began earlier is not news.
const MAX_SILENCE_MS: i64 = 2 * 86_400_000;
/// A silence that has lasted this long is the new usual.
const FORGET_MS: i64 = 30 * 86_400_000;
/// Projects, and open alerts, that one look takes at most.
const PROJECTS_A_LOOK: usize = 50;
/// How often one project is looked at, at most and at least.
const LEAST_PAUSE_MS: i64 = 60_000;
const LONGEST_PAUSE_MS: i64 = 300_000;

/// Where silence is worth an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatWhen {
    /// Nowhere.
    Off,
    /// Where traffic was steady.
    Steady,
    /// Wherever something was received within the last two days.
    Always,
}

/// Events of an hour and the minutes of it in which the service was awake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    /// Events.
    pub events: i64,
    /// Minutes.
    pub awake: i64,
}

/// Minutes of silence that are too many after these hours, and the mean number of events a minute; `None` where traffic
/// was not steady.
#[must_use]
pub fn longest_silence(hours: &[Hour]) -> Option<(f64, f64)> {
    let steady = |hour: &Hour| hour.awake >= AWAKE_MINUTES && hour.events > 0;
    if i64::try_from(hours.len()).unwrap_or(0) < STEADY_HOURS || !hours.iter().all(steady) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let rate = |hour: &Hour| hour.events as f64 / hour.awake as f64;
    let least = hours.iter().map(rate).fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let mean = hours.iter().map(rate).sum::<f64>() / hours.len() as f64;
    Some((TIMES * RARE / least, mean))
}

/// A silence worth an alert.
struct Silence {
    project_id: i64,
    /// The last bucket with events, in epoch seconds.
    last: i64,
    /// Minutes awake since.
    minutes: i64,
    /// Events a minute that are usual, when known.
    usual: Option<f64>,
}

impl Watch {
    /// Looks at projects whose turn it is, and at those known to be silent.
    pub(super) async fn look_for_silence(
        &self,
        session: &mut Session,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut said = self.end_silences(session, now).await?;
        let due = self.due_projects(now);
        let last: std::collections::BTreeMap<i64, i64> =
            session.last_event_buckets(&due).await?.into_iter().collect();
        for project_id in due {
            let settings = self.settings(project_id);
            let (silence, pause) = match last.get(&project_id) {
                Some(last) => self.silence(session, project_id, *last, &settings, now).await?,
                None => (None, LONGEST_PAUSE_MS),
            };
            if let Some(silence) = silence {
                said |= self.say_silence(session, &silence, &settings, now).await?;
            }
            let pause = pause.clamp(LEAST_PAUSE_MS, LONGEST_PAUSE_MS);
            self.state().next_check.insert(project_id, now.plus_millis(pause));
        }
        Ok(said)
    }

    fn due_projects(&self, now: Timestamp) -> Vec<i64> {
        let projects = self.directory.projects().into_iter().map(|project| project.id);
        let watched = projects.filter(|id| self.settings(*id).heartbeat != HeartbeatWhen::Off);
        let watched: std::collections::BTreeSet<i64> = watched.collect();
        let mut state = self.state();
        state.next_check.retain(|id, _| watched.contains(id));
        // One that is to be looked at much later was planned by a clock that was wrong.
        let is_due = |id: &i64| {
            state.next_check.get(id).is_none_or(|at| *at <= now || *at > now.plus_millis(LONGEST_PAUSE_MS))
        };
        watched.into_iter().filter(is_due).take(PROJECTS_A_LOOK).collect()
    }

    /// Whether a project is silent for too long, and after how many milliseconds to look again.
    async fn silence(
        &self,
        session: &mut Session,
        project_id: i64,
        last: i64,
        settings: &WatchSettings,
        now: Timestamp,
    ) -> Result<(Option<Silence>, i64), StoreError> {
        let since = last + BUCKET_MS / 1_000;
        let minutes = self.covered_minutes(since, now.as_seconds());
        let missing = settings.heartbeat_grace_sec.max(60) - minutes * 60;
        if missing > 0 {
            return Ok((None, missing * 1_000));
        }
        if now.as_millis() - last * 1_000 > MAX_SILENCE_MS {
            return Ok((None, LONGEST_PAUSE_MS));
        }
        let mut usual = None;
        if settings.heartbeat == HeartbeatWhen::Steady {
            let hours = self.hours_before(session, project_id, last).await?;
            let Some((longest, mean)) = longest_silence(&hours) else { return Ok((None, LONGEST_PAUSE_MS)) };
            #[expect(clippy::cast_precision_loss, reason = "minutes of two days")]
            if (minutes as f64) < longest {
                return Ok((None, LEAST_PAUSE_MS));
            }
            usual = Some(mean);
        }
        Ok((Some(Silence { project_id, last, minutes, usual }), LONGEST_PAUSE_MS))
    }

    /// The full hours before the one with the last events.
    async fn hours_before(
        &self,
        session: &mut Session,
        project_id: i64,
        last: i64,
    ) -> Result<Vec<Hour>, StoreError> {
        let end = last.div_euclid(3_600);
        let events = session.hourly_events(project_id, end - STEADY_HOURS, end).await?;
        let events: std::collections::BTreeMap<i64, i64> = events.into_iter().collect();
        let hour = |hour: i64| Hour {
            events: events.get(&hour).copied().unwrap_or(0),
            awake: self.covered_minutes(hour * 3_600, (hour + 1) * 3_600),
        };
        Ok((end - STEADY_HOURS..end).map(hour).collect())
    }

    /// One alert for one silence, and one in the rule's cooldown. Which silence it is the open alert knows: the bucket of the
    /// last event is another one once counts stand in wider buckets.
    async fn say_silence(
        &self,
        session: &mut Session,
        silence: &Silence,
        settings: &WatchSettings,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let default = || Arc::new(Setting::default_of(RuleKind::Heartbeat));
        let rule = settings.heartbeat_rule.clone().unwrap_or_else(default);
        let id = silence.project_id;
        let public_url = self.public_url.as_deref();
        let mut message = rule.message(&self.directory, public_url, id, "Traffic stopped", "24h", now);
        message.count = Some(0);
        message.window_seconds = u32::try_from(silence.minutes * 60).ok();
        #[expect(clippy::cast_precision_loss, reason = "minutes of two days")]
        let minutes = silence.minutes as f64;
        message.baseline = silence.usual.map(|usual| usual * minutes);
        message.last_seen = Some(Timestamp::from_millis(silence.last * 1_000));
        let key = CooldownKey { project_id: id, rule: rule.key(), group: id.to_string() };
        session.begin(STATEMENT_TIMEOUT).await?;
        let before = session.hold_cooldown(&key).await?;
        let open = session.open_messages(&topic(&key.rule, &key.group)).await?;
        if open.iter().any(|one| is_of_silence(one, silence.last)) {
            session.rollback(STATEMENT_TIMEOUT).await?;
            return Ok(false);
        }
        // Each silence counts once as held back, and not if it is said after all.
        let is_counted = before.suppressed > 0 && before.found_at.as_seconds() > silence.last;
        let unsaid = |outcome| {
            let after = Cooldown { found_at: now, suppressed: before.suppressed + 1, ..before };
            (!is_counted).then_some((outcome, after))
        };
        let outcome = if rule.is_held_back(&before, now) {
            unsaid("suppressed")
        } else {
            message.suppressed = before.suppressed - u64::from(is_counted);
            let alert = NewAlert {
                rule: key.rule.clone(),
                group: key.group.clone(),
                cooldown_slot: silence.last,
                message,
                channels: rule.channels.clone(),
            };
            match enqueue(session, &self.channels, &alert, now).await? {
                Enqueued::Added(_) => Some(("said", Cooldown { said_at: now, found_at: now, suppressed: 0 })),
                Enqueued::Known => None,
                Enqueued::Full => unsaid("lost"),
            }
        };
        if let Some((_, after)) = &outcome {
            session.note_cooldown(&key, after).await?;
        }
        session.commit(STATEMENT_TIMEOUT).await?;
        let told = outcome.map(|(outcome, _)| ((RuleKind::Heartbeat, outcome), 1));
        self.state().tell(told.into_iter().collect());
        Ok(outcome.is_some_and(|(outcome, _)| outcome == "said"))
    }

    /// Silences are over when something came.
    async fn end_silences(&self, session: &mut Session, now: Timestamp) -> Result<bool, StoreError> {
        let before = now.plus_millis(-LEAST_PAUSE_MS);
        let kinds = [(AlertKind::Heartbeat.name(), before)];
        let wrong_after = now.plus_millis(LEAST_PAUSE_MS);
        // What turns out to be silent still is noted so and comes last then.
        let mut topics = session.quiet_topics(&kinds, wrong_after).await?;
        topics.truncate(PROJECTS_A_LOOK);
        let open = session.quiet_alerts(&kinds, wrong_after, &topics, MAX_LOOKED_AT).await?;
        let mut projects: Vec<i64> = open.iter().map(|alert| alert.project_id).collect();
        projects.sort_unstable();
        projects.dedup();
        let last: std::collections::BTreeMap<i64, i64> =
            session.last_event_buckets(&projects).await?.into_iter().collect();
        let (mut endings, mut silent) = (Vec::new(), Vec::new());
        for alert in open {
            let opened = opened_by(&alert);
            let before = opened.as_ref().and_then(|message| message.last_seen).map_or(0, bucket);
            let came = last.get(&alert.project_id).filter(|last| **last > before);
            let forgotten = alert.opened_at.plus_millis(FORGET_MS) <= now;
            match (came, opened) {
                (Some(last), Some(mut message)) => {
                    message.resolved = true;
                    message.at = now;
                    message.last_seen = Some(Timestamp::from_millis(last * 1_000));
                    (message.count, message.baseline, message.window_seconds) = (None, None, None);
                    let wanted = self.settings(alert.project_id).resolved && was_told(&alert, now);
                    endings.push(Ending { alert, message: Some(message).filter(|_| wanted) });
                }
                (_, None) => endings.push(Ending { alert, message: None }),
                (None, Some(_)) if forgotten => endings.push(Ending { alert, message: None }),
                (None, Some(_)) => silent.push(alert.topic),
            }
        }
        session.note_still_true(&silent, now).await?;
        self.say_apart(session, Over { endings, ..Over::default() }, now).await
    }
}

/// Whether a message told of the silence after an event of this bucket: nothing came since what it says came last.
fn is_of_silence(message: &str, last: i64) -> bool {
    let message = serde_json::from_str::<AlertMessage>(message).ok();
    let said = message.filter(|message| !message.resolved).and_then(|message| message.last_seen);
    said.is_some_and(|said| bucket(said) >= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_too_long_by_the_quietest_hour_of_a_day_awake() {
        let mut hours = vec![Hour { events: 600, awake: 60 }; 24];
        let (longest, mean) = longest_silence(&hours).unwrap();
        assert!((longest - 4.144).abs() < 0.01 && (mean - 10.0).abs() < 0.01, "{longest} {mean}");
        hours[3] = Hour { events: 30, awake: 30 };
        assert!((longest_silence(&hours).unwrap().0 - 41.44).abs() < 0.1, "one a minute in the night");
        hours[3].awake = 29;
        assert_eq!(longest_silence(&hours), None, "it was asleep");
        hours[3] = Hour { events: 0, awake: 60 };
        assert_eq!(longest_silence(&hours), None, "nothing came in an hour");
        assert_eq!(longest_silence(&hours[4..]), None, "not yet a day");
    }
}
