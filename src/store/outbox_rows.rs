//! What goes into the outbox together: many messages for many channels in a few round trips.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::alert_channels::MAX_CHANNELS;
use super::alert_outbox::{AlertState, OutboxRow};
use super::blocks::hex_literal;
use super::connection::Connection;
use super::error::StoreError;
use super::value::Value;
use crate::timestamp::Timestamp;

/// What has to be known before anything goes into the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxStanding {
    /// Channels that are on, by id, and the project each is for; 0 is every project.
    pub channels: Vec<(i64, i64)>,
    /// Messages that wait, by project.
    pub waiting: BTreeMap<i64, usize>,
    /// Alerts that are open, one on each channel.
    pub open: i64,
}

impl Connection {
    /// What has to be known before anything goes into the outbox, in one round trip.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn outbox_standing(&mut self) -> Result<OutboxStanding, StoreError> {
        let sql = format!(
            "SELECT 0, id, project_id FROM alert_channels WHERE enabled = 1 ORDER BY id LIMIT {MAX_CHANNELS};\
             SELECT 1, project_id, COUNT(*) FROM alert_outbox WHERE state = 0 GROUP BY project_id;\
             SELECT 2, 0, COUNT(*) FROM open_alerts"
        );
        let mut standing = OutboxStanding::default();
        for row in self.select(sql, STATEMENT_TIMEOUT).await? {
            match row.int(0)? {
                0 => standing.channels.push((row.int(1)?, row.int(2)?)),
                1 => drop(standing.waiting.insert(row.int(1)?, row.narrow(2)?)),
                _ => standing.open = row.int(2)?,
            }
        }
        Ok(standing)
    }

    /// Messages that wait, all channels together.
    ///
    /// # Errors
    /// What the database said.
    pub async fn count_waiting_alerts(&mut self) -> Result<usize, StoreError> {
        let count = "SELECT COUNT(*) FROM alert_outbox WHERE state = 0";
        let rows = self.query(count, &[], STATEMENT_TIMEOUT).await?;
        rows.first().map_or(Ok(0), |row| row.narrow(0))
    }

    /// Those of these slots that are taken. One round trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn taken_alert_slots(&mut self, slots: &[[u8; 32]]) -> Result<HashSet<[u8; 32]>, StoreError> {
        if slots.is_empty() {
            return Ok(HashSet::new());
        }
        let slots: Vec<String> = slots.iter().map(|slot| hex_literal(slot)).collect();
        let find = format!("SELECT slot FROM alert_outbox WHERE slot IN ({})", slots.join(","));
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(|row| row.array(0)).collect()
    }

    /// Adds messages, within the caller's transaction if there is one; those whose slot is taken are left out. Gives
    /// those that were added. One round trip for 256 KiB of them, and one more where a slot was taken.
    ///
    /// # Errors
    /// What the database said.
    pub async fn add_to_outbox<'a>(
        &mut self,
        rows: &'a [OutboxRow],
        now: Timestamp,
    ) -> Result<Vec<&'a OutboxRow>, StoreError> {
        let keep = self.dialect().insert_or_keep();
        let head = format!(
            "{keep} alert_outbox (id, slot, channel, project_id, rule, kind, title, message, state, attempts, due_at, \
             owner, leased_until, detail, created_at, finished_at)"
        );
        let at = now.as_millis();
        let values: Vec<[Value<'_>; 16]> = rows
            .iter()
            .map(|row| {
                let finished = (row.state != AlertState::Waiting).then_some(at);
                [
                    row.id.as_bytes().into(),
                    (&row.slot).into(),
                    row.channel.as_str().into(),
                    row.project_id.into(),
                    row.rule.as_str().into(),
                    row.kind.as_str().into(),
                    row.title.as_str().into(),
                    row.message.as_str().into(),
                    row.state.number().into(),
                    0_i64.into(),
                    at.into(),
                    "".into(),
                    0_i64.into(),
                    row.detail.into(),
                    at.into(),
                    finished.into(),
                ]
            })
            .collect();
        if self.insert_rows(&head, &values, "").await? == rows.len() as u64 {
            return Ok(rows.iter().collect());
        }
        let ids: Vec<String> = rows.iter().map(|row| hex_literal(row.id.as_bytes())).collect();
        let find = format!("SELECT id FROM alert_outbox WHERE id IN ({})", ids.join(","));
        let there = self.select(find, STATEMENT_TIMEOUT).await?;
        let there = there.iter().map(|row| row.array(0).map(Uuid::from_bytes));
        let there = there.collect::<Result<HashSet<Uuid>, StoreError>>()?;
        Ok(rows.iter().filter(|row| there.contains(&row.id)).collect())
    }
}
