//! The owned task that brings messages from the outbox to their channels.
//!
//! Channels are served beside each other, each with one message at a time and as slowly as it asks for. A message is
//! claimed just before it is sent; a process that dies in between leaves it to the next one once the lease has run out,
//! so a message may come twice, under the same id. Nothing here is on the way of an ingest request.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::{ChannelAnswer, Verdict};
use super::channel::Channel;
use super::directory::{ChannelId, ChannelRecord, Channels};
use super::outbox::Outbox;
use super::retry::{GIVE_UP_AFTER_MS, LEAST_PAUSE_MS, attempt_of, whole_millis};
use super::{AlertKind, AlertMessage, ChannelKind};
use crate::clock::Clock;
use crate::outbound::{Outbound, Trust};
use crate::store::{AlertAttempt, AlertState, ClaimedAlert, DatabaseStatus, Store, StoreError, WaitingAlert};
use crate::timestamp::Timestamp;

/// How often it looks at the clock while something waits.
const TICK: Duration = Duration::from_millis(250);
/// With nothing waiting here, the database is asked only this often for what others left, so that it may sleep.
const IDLE_LOOK: Duration = Duration::from_mins(1);
/// A message is ours for so long: longer than any channel may take.
const LEASE: Duration = Duration::from_secs(15);
/// Channels served at once.
const MAX_RUNS: usize = 8;
/// Messages of one channel in one go.
const MAX_IN_A_RUN: usize = 8;
/// How long a stop waits for what is being sent.
const STOP_WAIT: Duration = Duration::from_millis(600);
/// Longest wait for the mail server's port at the start.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Delivers.
pub struct Delivery {
    store: Store,
    clock: Clock,
    outbound: Outbound,
    channels: Channels,
    outbox: Outbox,
    /// Channels being served.
    busy: HashSet<ChannelId>,
    /// Channels that asked for a pause, and its end.
    held: HashMap<ChannelId, Timestamp>,
    /// What was sent but could not be noted yet.
    unnoted: HashMap<Uuid, AlertAttempt>,
    /// When the next message is due, as last seen.
    next_due: Option<Timestamp>,
    look_now: bool,
    looked: Instant,
}

/// One go at a channel.
struct Run {
    store: Store,
    clock: Clock,
    outbound: Outbound,
    outbox: Outbox,
    id: ChannelId,
    /// The channel's project; `None` of every project's.
    project_id: Option<i64>,
    kind: ChannelKind,
    channel: Channel,
    messages: Vec<Uuid>,
}

/// What a go came to.
struct RunEnd {
    id: ChannelId,
    hold_until: Option<Timestamp>,
    unnoted: Vec<(Uuid, AlertAttempt)>,
}

impl Delivery {
    /// Delivers what is in the outbox of `store`.
    #[must_use]
    pub fn new(store: Store, clock: Clock, outbound: Outbound, channels: Channels, outbox: Outbox) -> Self {
        Self {
            store,
            clock,
            outbound,
            channels,
            outbox,
            busy: HashSet::new(),
            held: HashMap::new(),
            unnoted: HashMap::new(),
            next_due: None,
            look_now: true,
            looked: Instant::now(),
        }
    }

    /// Works until `stop`; what is being sent then has a moment to end.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut runs: FuturesUnordered<BoxFuture<'static, RunEnd>> = FuturesUnordered::new();
        let mut probe = Box::pin(probe_mail_servers(self.outbound.clone(), self.channels.clone()));
        let mut probed = false;
        loop {
            let watching = self.look_now || self.next_due.is_some() || !self.unnoted.is_empty();
            let pause = if watching { TICK } else { IDLE_LOOK };
            let outbox = self.outbox.clone();
            tokio::select! {
                () = stop.cancelled() => break,
                () = &mut probe, if !probed => probed = true,
                Some(end) = runs.next(), if !runs.is_empty() => self.ended(end),
                () = outbox.rung() => self.look_now = true,
                () = tokio::time::sleep(pause) => {}
            }
            if !self.should_look() {
                continue;
            }
            // What is being sent goes on meanwhile: it may hold the very connection that is waited for here.
            let mut ended = Vec::new();
            let looked = {
                let mut look = pin!(self.look());
                loop {
                    tokio::select! {
                        () = stop.cancelled() => break None,
                        looked = &mut look => break Some(looked),
                        Some(end) = runs.next(), if !runs.is_empty() => ended.push(end),
                    }
                }
            };
            for end in ended {
                self.ended(end);
            }
            match looked {
                None => break,
                Some(Ok(new)) => {
                    let boxed = |run: Run| -> BoxFuture<'static, RunEnd> { Box::pin(run.work()) };
                    runs.extend(new.into_iter().map(boxed));
                }
                Some(Err(error)) => tracing::warn!(%error, "alerts are late"),
            }
        }
        let left = async { while runs.next().await.is_some() {} };
        // What isn't done in time is sent again by the next process.
        let _ = tokio::time::timeout(STOP_WAIT, left).await;
    }

    fn should_look(&mut self) -> bool {
        let due = self.next_due.is_some_and(|due| due <= self.clock.now());
        let late = self.looked.elapsed() >= IDLE_LOOK;
        self.store.status() == DatabaseStatus::Connected && (self.look_now || due || late)
    }

    fn ended(&mut self, end: RunEnd) {
        self.busy.remove(&end.id);
        if let Some(until) = end.hold_until {
            self.held.insert(end.id, until);
        }
        self.unnoted.extend(end.unnoted);
        self.look_now = true;
    }

    /// Reads what waits, gives up what can't be delivered any more, and starts on what can.
    async fn look(&mut self) -> Result<Vec<Run>, StoreError> {
        self.look_now = false;
        self.looked = Instant::now();
        self.next_due = None;
        let began = self.read_waiting().await;
        if began.is_err() {
            // Nothing is known of what waits: try again soon.
            self.next_due = Some(self.clock.now().plus_millis(1_000));
        }
        began
    }

    async fn read_waiting(&mut self) -> Result<Vec<Run>, StoreError> {
        self.note_again().await?;
        let waiting = self.store.work().await?.waiting_alerts().await?;
        self.outbox.set_waiting(waiting.len());
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.channels.load(&self.store).await?;
        let (known, now): (HashMap<ChannelId, ChannelRecord>, _) =
            (known.into_iter().map(|record| (record.id, record)).collect(), self.clock.now());
        self.held.retain(|_, until| *until > now);
        let mut due: HashMap<ChannelId, Vec<Uuid>> = HashMap::new();
        for alert in &waiting {
            if let Some(why) = hopeless(alert, &known, now) {
                self.store.work().await?.give_up_alert(alert.id, why, now).await?;
                continue;
            }
            let Some(id) = ChannelId::parse(&alert.channel) else { continue };
            let usable = known.get(&id).is_some_and(|record| record.channel.is_ok());
            if !usable || self.unnoted.contains_key(&alert.id) {
                continue;
            }
            let from = self.held.get(&id).map_or(alert.due_at, |until| alert.due_at.max(*until));
            if from > now {
                self.next_due = Some(self.next_due.map_or(from, |next| next.min(from)));
            } else if alert.is_leased {
                // Another instance is at it, or died at it.
                let again = now.plus_millis(1_000);
                self.next_due = Some(self.next_due.map_or(again, |next| next.min(again)));
            } else {
                due.entry(id).or_default().push(alert.id);
            }
        }
        Ok(self.runs_for(due, &known))
    }

    fn runs_for(
        &mut self,
        due: HashMap<ChannelId, Vec<Uuid>>,
        known: &HashMap<ChannelId, ChannelRecord>,
    ) -> Vec<Run> {
        let mut runs = Vec::new();
        for (id, mut messages) in due {
            let Some(record) = known.get(&id) else { continue };
            let Ok(channel) = &record.channel else { continue };
            // Those in between are looked at again when a run has ended.
            if self.busy.len() >= MAX_RUNS || !self.busy.insert(id) {
                continue;
            }
            messages.truncate(MAX_IN_A_RUN);
            runs.push(Run {
                store: self.store.clone(),
                clock: self.clock.clone(),
                outbound: self.outbound.clone(),
                outbox: self.outbox.clone(),
                id,
                project_id: record.project_id,
                kind: record.kind,
                channel: channel.clone(),
                messages,
            });
        }
        runs
    }

    /// Notes what was sent while the database could not be told; the lease keeps others from sending it again only for
    /// a while.
    async fn note_again(&mut self) -> Result<(), StoreError> {
        let unnoted: Vec<(Uuid, AlertAttempt)> =
            self.unnoted.iter().map(|(id, attempt)| (*id, attempt.clone())).collect();
        for (id, attempt) in unnoted {
            let mut session = self.store.work().await?;
            session.note_alert_attempt(id, self.store.instance(), &attempt).await?;
            self.unnoted.remove(&id);
        }
        Ok(())
    }
}

/// Why a message will never be delivered, if so.
fn hopeless(
    alert: &WaitingAlert,
    known: &HashMap<ChannelId, ChannelRecord>,
    now: Timestamp,
) -> Option<&'static str> {
    if alert.is_leased {
        return None;
    }
    let id = ChannelId::parse(&alert.channel);
    let age = now.as_millis().saturating_sub(alert.created_at.as_millis());
    match id.and_then(|id| known.get(&id)) {
        Some(record) if !record.enabled => Some("the channel is turned off"),
        None if matches!(id, Some(ChannelId::Stored(_)) | None) => Some("the channel was removed"),
        // Another instance may have this one in its environment.
        None if age > GIVE_UP_AFTER_MS => Some("no instance had this channel for a day"),
        Some(record) if record.channel.is_err() && age > GIVE_UP_AFTER_MS => {
            Some("the channel could not be used for a day")
        }
        _ => None,
    }
}

impl Run {
    async fn work(self) -> RunEnd {
        let mut end = RunEnd { id: self.id, hold_until: None, unnoted: Vec::new() };
        for id in self.messages.clone() {
            let claimed =
                async { self.store.work().await?.claim_alert(id, self.store.instance(), LEASE).await };
            let claimed = match claimed.await {
                Ok(Some(claimed)) => claimed,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "an alert is late");
                    break;
                }
            };
            let (rule, answer) = self.send(&claimed).await;
            let now = self.clock.now();
            self.outbox.count(rule, self.kind, answer.verdict);
            let attempt = attempt_of(&answer, &claimed, now);
            if attempt.state == AlertState::Dead {
                tracing::error!(channel = %self.id, message = %id, detail = attempt.detail, "an alert is given up");
            }
            let noted = async {
                let mut session = self.store.work().await?;
                session.note_alert_attempt(id, self.store.instance(), &attempt).await
            };
            if let Err(error) = noted.await {
                tracing::warn!(%error, "an alert's delivery is noted later");
                end.unnoted.push((id, attempt));
            }
            if answer.verdict == Verdict::Disable {
                self.disable(now).await;
                break;
            }
            // A channel that fails is left alone for a while, however many messages wait for it.
            let least = if answer.verdict == Verdict::Retry { LEAST_PAUSE_MS } else { 0 };
            let hold = answer.hold.map_or(0, whole_millis).max(least);
            if hold > 0 {
                end.hold_until = Some(now.plus_millis(hold));
                break;
            }
        }
        end
    }

    /// What the message is about, if it can be read, and what its channel said.
    async fn send(&self, claimed: &ClaimedAlert) -> (Option<AlertKind>, ChannelAnswer) {
        match serde_json::from_str::<AlertMessage>(&claimed.message) {
            Ok(message) => {
                let kind = Some(message.kind);
                // An end says nothing that the channel was not told before.
                if self.project_id.is_some_and(|of| of != message.project_id) && !message.is_end() {
                    let why = "the channel was given to another project".to_owned();
                    return (kind, ChannelAnswer::new(Verdict::Dead, why));
                }
                (kind, self.channel.deliver(&self.outbound, &message, self.clock.now()).await)
            }
            Err(error) => {
                let why = format!("the message can't be read: {error}");
                (None, ChannelAnswer::new(Verdict::Dead, why))
            }
        }
    }

    async fn disable(&self, now: Timestamp) {
        let ChannelId::Stored(id) = self.id else {
            tracing::error!(channel = %self.id, "the receiver is gone (410): take the channel out of the environment");
            return;
        };
        tracing::error!(channel = %self.id, "the receiver is gone (410): the channel is turned off");
        if let Err(error) = self.store.disable_alert_channel(id, "the receiver answered 410", now).await {
            tracing::warn!(%error, "the channel could not be turned off");
        }
    }
}

/// Says in the log when the mail server of the environment can't be reached: hosts that block its port do so silently.
async fn probe_mail_servers(outbound: Outbound, channels: Channels) {
    for record in channels.environment() {
        let Ok(Channel::Email { server, .. }) = &record.channel else { continue };
        let connected = outbound.connect(&server.host, server.port, Trust::Operator);
        let why = match tokio::time::timeout(PROBE_TIMEOUT, connected).await {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection in {} s", PROBE_TIMEOUT.as_secs()),
        };
        tracing::warn!(
            server = server.shown(),
            why,
            "the mail server can't be reached: many hosts block ports 25, 465 and 587 (try 2525, or a mail API: MAIL_API_KEY)"
        );
    }
}
