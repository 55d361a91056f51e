//! From what was found to the outbox: a rule says the same once in its cooldown; what it finds in between is counted, and
//! the next message tells how much that was.
//!
//! The order in which a transaction takes its locks, here and in whatever else says something: cooldowns in the order of
//! their keys, what was open, the outbox, what is opened (by who holds its cooldown alone), then the ledger. The number of
//! round trips doesn't depend on how much is said or over.

use std::collections::BTreeSet;

use super::groups::{Group, Ledger, Saying, groups};
use super::said::Findings;
use super::turns::in_turn;
use super::{Found, RuleKind, Rules};
use crate::alert::watch::Over;
use crate::alert::{AlertKind, Enqueued, NewAlert, enqueue_all};
use crate::issue::{IssueId, is_muted};
use crate::store::{
    Connection, CooldownKey, FoldNews, KnownIssue, MAX_OPEN_ALERTS, STATEMENT_TIMEOUT, Store, StoreError,
};
use crate::timestamp::Timestamp;

/// Alerts one look says at most, beside those that are not found again; others have their turn in the next one.
const MAX_ALERTS: usize = 20;
/// What waits for its turn at most.
const MAX_LEFT: usize = 1_000;
/// Looks that the end of the process waits for, to say what waits for its turn.
const LAST_ROUNDS: usize = 10;
/// Of a rule that finds many things in a project, so many are noted as still true.
const MAX_NOTED: usize = 50;

impl Rules {
    /// Looks within the caller's transaction for what is over, before anything else is looked for.
    pub(super) async fn settle(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Findings, StoreError> {
        let over = Box::pin(self.watch.find_over(connection, now)).await?;
        Ok(Findings::begun(over, now))
    }

    /// Puts what was found into the outbox, or counts it, within the caller's transaction. What is open stays so while it
    /// is found, said again or not.
    pub(super) async fn say(
        &self,
        connection: &mut Connection,
        mut found: Vec<Found>,
        now: Timestamp,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let are_true = still_true(&found);
        // After what is found now: of two that say the same that is said.
        found.extend(self.standing_left(connection, now).await?);
        let (groups, mut left) = {
            let mut said = self.said();
            said.begin(now);
            groups(found, &said, now)
        };
        let keys: BTreeSet<CooldownKey> = groups.iter().flat_map(Group::keys).collect();
        let mut held = connection.hold_cooldowns(&keys).await?;
        let others: BTreeSet<CooldownKey> = groups.iter().flat_map(Group::other_keys).collect();
        held.extend(connection.known_cooldowns(&others).await?);
        // Before what is true now: that is another one.
        let over = std::mem::take(&mut findings.over);
        findings.ended = Box::pin(self.watch.end(connection, *over, now)).await?;
        let are_true = are_true.iter().map(|(kind, key)| (*kind, key.rule.as_str(), key.group.as_str()));
        self.watch.note_true(connection, are_true, now).await?;
        let mut ledger = Ledger::new(&groups, held, now, findings);
        let mut sayings = Vec::new();
        for group in groups {
            sayings.extend(group.decide(&mut ledger));
        }
        let sayings = choose(sayings, &mut left);
        let alerts: Vec<NewAlert> = sayings.iter().filter_map(|saying| self.alert(saying, now)).collect();
        let done = enqueue_all(connection, &self.channels, &alerts, now).await?;
        let mut over = Vec::new();
        for (saying, done) in sayings.iter().zip(&done) {
            let Some(found) = saying.of.first() else { continue };
            match done {
                Enqueued::Added(_) => {
                    ledger.said(saying);
                    ledger.findings.count(found.rule.kind, "said", 1);
                    let summed_up = if saying.of.len() > 1 { saying.of.len() as u64 } else { 0 };
                    ledger.findings.count(found.rule.kind, "summed_up", summed_up);
                    over.extend(found.silences.clone().map(|group| (saying.key.rule.clone(), group)));
                }
                // As after the loss of a cooldown: somebody has said it.
                Enqueued::Known => ledger.said(saying),
                Enqueued::Full => ledger.lost(saying),
            }
        }
        for (rule, group) in over {
            self.watch.take_over(connection, &rule, &group).await?;
        }
        let changed = ledger.close();
        connection.note_cooldowns(&changed).await?;
        for found in left.split_off(left.len().min(MAX_LEFT)) {
            findings.count(found.rule.kind, "left_out", 1);
        }
        findings.left = left;
        Ok(())
    }

    /// What waits for its turn, but for what was muted or deleted meanwhile.
    async fn standing_left(
        &self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Vec<Found>, StoreError> {
        let mut left = self.left().clone();
        let projects = left.iter().map(|found| found.message.project_id).collect();
        let projects = connection.standing_projects(&projects).await?;
        let issue = |found: &Found| {
            let fingerprint = found.message.issue.filter(|_| found.is_one_of_many())?;
            Some(IssueId { project_id: found.message.project_id, fingerprint })
        };
        let known = connection.standing_issues(&left.iter().filter_map(issue).collect()).await?;
        let speaks = |known: &KnownIssue| !is_muted(known.muted_until, known.mute_per_hour, now);
        left.retain(|found| {
            projects.contains(&found.message.project_id)
                && issue(found).is_none_or(|issue| known.get(&issue).is_some_and(speaks))
        });
        Ok(left)
    }

    fn alert(&self, saying: &Saying, now: Timestamp) -> Option<NewAlert> {
        let found = saying.of.first()?;
        let mut message = match saying.of.as_slice() {
            [one] if saying.key == one.key() => one.message.clone(),
            all => self.summed_up(all, now)?,
        };
        message.suppressed = saying.suppressed;
        let cooldown_slot = match found.slot {
            Some(slot) if saying.key == found.key() => slot,
            // Things that happen are summed up whenever there are too many: these are in no other message.
            Some(_) => saying.digest(),
            None => now.as_millis().div_euclid(found.rule.cooldown_ms().max(1)),
        };
        let (rule, group) = (saying.key.rule.clone(), saying.key.group.clone());
        Some(NewAlert { rule, group, cooldown_slot, message, channels: found.rule.channels.clone() })
    }

    /// Judges and says what had to wait for its turn, where nothing else is found meanwhile.
    ///
    /// # Errors
    /// What the database said; it waits on.
    pub(super) async fn say_left(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        if !self.has_left() {
            return Ok(());
        }
        let mut session = store.work().await?;
        let version = session.alert_rule_version().await?;
        if !self.book.is_of(version) {
            self.reload(&mut session).await?;
        }
        session.begin(STATEMENT_TIMEOUT).await?;
        let mut findings = Findings::begun(Over::default(), now);
        let set = self.book.current();
        let found =
            self.looking(&set, now).by_counts(&mut session, &FoldNews::default(), &[], &mut findings).await?;
        self.say(&mut session, found, now, &mut findings).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        drop(session);
        self.remember(findings);
        Ok(())
    }

    /// Whether anything waits for its turn.
    #[must_use]
    pub fn has_left(&self) -> bool {
        !self.left().is_empty() || !self.unread().is_empty()
    }

    /// Says at the end of the process what waits for its turn, in a few rounds; what is too much for them is counted as
    /// left out, as nobody would say it.
    ///
    /// # Errors
    /// What the database said; all that was not said is left out.
    pub async fn say_last(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut done = Ok(());
        for _ in 0..LAST_ROUNDS {
            if !self.has_left() || done.is_err() {
                break;
            }
            done = self.say_left(store, now).await;
        }
        self.leave_out();
        done
    }

    /// The process ends and can't say what waits for its turn: that is counted.
    pub fn leave_out(&self) {
        let (left, unread) = (std::mem::take(&mut *self.left()), std::mem::take(&mut *self.unread()));
        for found in &left {
            self.outbox.rules().count(found.rule.kind, "left_out", 1);
        }
        self.outbox.rules().count(RuleKind::Spike, "left_out", unread.issues.len() as u64);
        self.outbox.rules().count(RuleKind::ErrorRate, "left_out", unread.projects.len() as u64);
        let alerts = left.len() + unread.issues.len() + unread.projects.len();
        if alerts > 0 {
            tracing::warn!(alerts, "alerts that waited for their turn are left out at the stop");
        }
    }

    /// Counts what the watch said; gives whether that was anything to be sent.
    pub(super) fn count_told(&self) -> bool {
        let mut any = false;
        for ((kind, outcome), times) in self.watch.take_told() {
            any |= matches!(outcome, "said" | "resolved");
            self.outbox.rules().count(kind, outcome, times);
        }
        any
    }

    /// The transaction is committed: what it found is sent now.
    pub fn committed(&self, findings: Findings) {
        self.watch.committed();
        self.count_told();
        self.remember(findings);
    }

    fn remember(&self, findings: Findings) {
        let Findings { at, quiet, outcomes, usual, left, unread, ended, .. } = findings;
        self.said().remember(quiet, at);
        self.usuals().remember(usual);
        *self.left() = left;
        *self.unread() = unread;
        for (kind, outcome, times) in &outcomes {
            self.outbox.rules().count(*kind, outcome, *times);
        }
        if ended || outcomes.iter().any(|(_, outcome, _)| *outcome == "said") {
            self.outbox.ring();
        }
    }
}

/// What is still true, so that it stays open: what was found, and for a rule that finds many things its rest too.
fn still_true(found: &[Found]) -> Vec<(AlertKind, CooldownKey)> {
    let mut many = std::collections::BTreeMap::new();
    let mut all = Vec::new();
    // What was true a while ago prolongs nothing.
    for found in found.iter().filter(|found| found.each == 0 && found.message.received_until.is_none()) {
        let kind = found.message.kind;
        if found.is_one_of_many() {
            let more = found.more();
            let known: &mut Vec<&Found> = many.entry((kind.name(), more)).or_default();
            known.push(found);
        } else {
            all.push((kind, found.key()));
        }
    }
    for ((_, more), mut found) in many {
        found.sort_by_key(|found| std::cmp::Reverse(found.weight()));
        all.extend(found.iter().take(1).map(|found| (found.message.kind, more.clone())));
        all.extend(found.iter().take(MAX_NOTED).map(|found| (found.message.kind, found.key())));
    }
    all.truncate(usize::try_from(MAX_OPEN_ALERTS).unwrap_or(usize::MAX));
    all
}

/// Those that are said now, in turns among projects: the first message of each rule before the second of any.
fn choose(mut sayings: Vec<Saying>, left: &mut Vec<Found>) -> Vec<Saying> {
    let project = |saying: &Saying| saying.key.project_id;
    sayings.sort_by_key(|saying| (project(saying), saying.rank));
    let mut chosen = Vec::new();
    for saying in in_turn(sayings, project) {
        if chosen.len() < MAX_ALERTS || saying.of.iter().any(Found::happened_once) {
            chosen.push(saying);
        } else {
            left.extend(saying.of);
        }
    }
    chosen
}
