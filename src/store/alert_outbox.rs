//! The outbox: messages waiting for their channel, and what became of those that are done.
//!
//! A message is claimed by a lease on the database's clock, so that of several instances one sends it, and another one
//! when that one dies. A row is never deleted before it is done, nor changed after.

use std::time::Duration;

use uuid::Uuid;

use super::connection::Connection;
use super::error::StoreError;
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::timestamp::Timestamp;

/// Messages that may wait at a time; further alerts are refused until some are done.
pub const MAX_WAITING_ALERTS: usize = 1_000;
/// Characters of the text about the last attempt.
pub const MAX_DETAIL_CHARS: usize = 255;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// To be delivered.
    Waiting,
    /// The channel has it.
    Delivered,
    /// Given up.
    Dead,
    /// There was no channel for it.
    Unsent,
}

impl AlertState {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Unsent => "unsent",
        }
    }

    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Delivered => 1,
            Self::Dead => 2,
            Self::Unsent => 3,
        }
    }

    pub(super) fn of(number: i64) -> Result<Self, StoreError> {
        [Self::Waiting, Self::Delivered, Self::Dead, Self::Unsent]
            .into_iter()
            .find(|state| state.number() == number)
            .ok_or_else(|| StoreError::Corrupt(format!("alert_outbox.state {number}")))
    }
}

/// A message for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The message's id.
    pub id: Uuid,
    /// Names the alert and the channel; there is one row of each.
    pub slot: [u8; 32],
    /// The channel's id as text, at most 32 characters.
    pub channel: String,
    /// The project.
    pub project_id: i64,
    /// The rule, at most 128 characters.
    pub rule: String,
    /// The kind of alert, at most 32 characters.
    pub kind: String,
    /// For the history, at most 255 characters.
    pub title: String,
    /// The message as JSON.
    pub message: String,
    /// Waiting, or done from the start: unsent, or dead.
    pub state: AlertState,
    /// Why it is done, at most [`MAX_DETAIL_CHARS`].
    pub detail: &'static str,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingAlert {
    /// The message's id.
    pub id: Uuid,
    /// The channel's id as text.
    pub channel: String,
    /// When it may be tried next.
    pub due_at: Timestamp,
    /// When the alert was found.
    pub created_at: Timestamp,
    /// Whether an instance is at it.
    pub is_leased: bool,
}

/// A message that is ours to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedAlert {
    /// The message as JSON.
    pub message: String,
    /// Attempts, this one included.
    pub attempts: u32,
    /// When the alert was found.
    pub created_at: Timestamp,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertAttempt {
    /// Where the message stands now.
    pub state: AlertState,
    /// When it may be tried again, if it waits; else when it was done.
    pub at: Timestamp,
    /// What the channel said, at most [`MAX_DETAIL_CHARS`].
    pub detail: String,
}

/// A message as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// The message's id.
    pub id: Uuid,
    /// The channel's id as text; empty for none.
    pub channel: String,
    /// The project.
    pub project_id: i64,
    /// The rule.
    pub rule: String,
    /// The kind of alert.
    pub kind: String,
    /// What it was about.
    pub title: String,
    /// Where it stands.
    pub state: AlertState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it may be tried next.
    pub due_at: Timestamp,
    /// About the last attempt.
    pub detail: String,
    /// When the alert was found.
    pub created_at: Timestamp,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

/// Which part of the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryQuery {
    /// Of this project only.
    pub project_id: Option<i64>,
    /// In this state only.
    pub state: Option<AlertState>,
    /// Only what is older than this message.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: usize,
}

fn read_record(row: &Row) -> Result<AlertRecord, StoreError> {
    Ok(AlertRecord {
        id: Uuid::from_bytes(row.array(0)?),
        channel: row.text(1)?,
        project_id: row.int(2)?,
        rule: row.text(3)?,
        kind: row.text(4)?,
        title: row.text(5)?,
        state: AlertState::of(row.int(6)?)?,
        attempts: row.narrow(7)?,
        due_at: Timestamp::from_millis(row.int(8)?),
        detail: row.text(9)?,
        created_at: Timestamp::from_millis(row.int(10)?),
        finished_at: row.optional_int(11)?.map(Timestamp::from_millis),
    })
}

impl Connection {
    /// Everything that waits, soonest due first.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn waiting_alerts(&mut self) -> Result<Vec<WaitingAlert>, StoreError> {
        let now = self.dialect().now_ms();
        let find = format!(
            "SELECT id, channel, due_at, created_at, leased_until - {now} FROM alert_outbox WHERE state = 0 \
             ORDER BY due_at, id LIMIT {MAX_WAITING_ALERTS}"
        );
        let rows = self.query(&find, &[], STATEMENT_TIMEOUT).await?;
        let read = |row: &Row| {
            Ok(WaitingAlert {
                id: Uuid::from_bytes(row.array(0)?),
                channel: row.text(1)?,
                due_at: Timestamp::from_millis(row.int(2)?),
                created_at: Timestamp::from_millis(row.int(3)?),
                is_leased: row.int(4)? >= 0,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Takes a message for `owner` alone, for so long; `None` when it is done or another has it. Counts an attempt.
    ///
    /// # Errors
    /// What the database said.
    pub async fn claim_alert(
        &mut self,
        id: Uuid,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<ClaimedAlert>, StoreError> {
        let now = self.dialect().now_ms();
        let claim = format!(
            "UPDATE alert_outbox SET owner = ?, leased_until = {now} + ?, attempts = attempts + 1 \
             WHERE id = ? AND state = 0 AND leased_until < {now}"
        );
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let values: [Value<'_>; 3] = [owner.into(), lease.into(), id.as_bytes().into()];
        if self.execute(&claim, &values, STATEMENT_TIMEOUT).await? == 0 {
            return Ok(None);
        }
        let find = "SELECT message, attempts, created_at FROM alert_outbox WHERE id = ?";
        let rows = self.query(find, &[id.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        let read = |row: &Row| {
            let created_at = Timestamp::from_millis(row.int(2)?);
            Ok(ClaimedAlert { message: row.text(0)?, attempts: row.narrow(1)?, created_at })
        };
        rows.first().map(read).transpose()
    }

    /// Notes what an attempt of `owner` came to and gives the lease back. Nothing happens when the lease has passed to
    /// another owner.
    ///
    /// # Errors
    /// What the database said; it may be noted again.
    pub async fn note_alert_attempt(
        &mut self,
        id: Uuid,
        owner: &str,
        attempt: &AlertAttempt,
    ) -> Result<(), StoreError> {
        let at = attempt.at.as_millis();
        let finished = (attempt.state != AlertState::Waiting).then_some(at);
        let note = "UPDATE alert_outbox SET state = ?, due_at = ?, detail = ?, finished_at = ?, leased_until = 0 \
                    WHERE id = ? AND owner = ? AND state = 0";
        let values: [Value<'_>; 6] = [
            attempt.state.number().into(),
            at.into(),
            attempt.detail.as_str().into(),
            finished.into(),
            id.as_bytes().into(),
            owner.into(),
        ];
        self.execute(note, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Gives up a message nobody is at.
    ///
    /// # Errors
    /// What the database said.
    pub async fn give_up_alert(&mut self, id: Uuid, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let database_now = self.dialect().now_ms();
        let give_up = format!(
            "UPDATE alert_outbox SET state = 2, detail = ?, finished_at = ? \
             WHERE id = ? AND state = 0 AND leased_until < {database_now}"
        );
        let values: [Value<'_>; 3] = [why.into(), now.as_millis().into(), id.as_bytes().into()];
        self.execute(&give_up, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Deletes up to `limit` messages that are done: those found before `before`, and beyond the newest `keep`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_old_alerts(
        &mut self,
        before: Timestamp,
        keep: usize,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let edge =
            format!("SELECT id FROM alert_outbox WHERE state <> 0 ORDER BY id DESC LIMIT 1 OFFSET {keep}");
        let rows = self.query(&edge, &[], STATEMENT_TIMEOUT).await?;
        let by_number: Option<[u8; 16]> = rows.first().map(|row| row.array(0)).transpose()?;
        // Ids begin with the time they were made.
        let by_age = *super::blocks::least_id(before).as_bytes();
        let edge = by_number.map_or(by_age, |by_number| by_number.max(by_age));
        let find =
            format!("SELECT id FROM alert_outbox WHERE state <> 0 AND id <= ? ORDER BY id LIMIT {limit}");
        let rows = self.query(&find, &[(&edge).into()], STATEMENT_TIMEOUT).await?;
        let Some(last) = rows.last() else { return Ok(0) };
        let last: [u8; 16] = last.array(0)?;
        let delete = "DELETE FROM alert_outbox WHERE state <> 0 AND id <= ?";
        self.execute(delete, &[(&last).into()], STATEMENT_TIMEOUT).await
    }
}

impl Store {
    /// Messages, newest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn alert_history(&self, query: HistoryQuery) -> Result<Vec<AlertRecord>, StoreError> {
        let mut conditions = vec!["1 = 1"];
        let mut values: Vec<Value<'_>> = Vec::new();
        let before = query.before.map(Uuid::into_bytes);
        if let Some(project_id) = query.project_id {
            conditions.push("project_id = ?");
            values.push(project_id.into());
        }
        if let Some(state) = query.state {
            conditions.push("state = ?");
            values.push(state.number().into());
        }
        if let Some(before) = &before {
            conditions.push("id < ?");
            values.push(before.into());
        }
        let find = format!(
            "SELECT id, channel, project_id, rule, kind, title, state, attempts, due_at, detail, created_at, \
             finished_at FROM alert_outbox WHERE {} ORDER BY id DESC LIMIT {}",
            conditions.join(" AND "),
            query.limit
        );
        let mut session = self.read().await?;
        session.query(&find, &values, STATEMENT_TIMEOUT).await?.iter().map(read_record).collect()
    }
}
