//! Events the database refused for themselves: kept with the reason, listed, stored after all or deleted.
//!
//! An event is here or in a block, never in both: it comes here in the transaction that stores the rest of its batch,
//! and leaves in the one that stores it.

use super::STATEMENT_TIMEOUT;
use super::blocks::{hex_literal, push_unfolded_rows};
use super::connection::Connection;
use super::error::StoreError;
use super::refusal::Refusal;
use super::value::{Row, Value};
use crate::block::decode::inflate_body;
use crate::block::encode::deflate;
use crate::block::{Block, BlockError, Codec};
use crate::event::{BatchId, EventId};
use crate::ledger::{Entry, LedgerRow};
use crate::timestamp::Timestamp;

/// Rows in the larger of the two shapes of the insert.
const ROWS: usize = 8;
/// A statement grows no larger than this unless one event alone does.
const MAX_STATEMENT_BYTES: usize = 512 * 1024;
/// Rows named one by one in a statement that deletes them.
const DELETED_AT_ONCE: usize = 100;
/// Projects whose sums are read at most.
const MAX_SUMS: usize = 2_000;

const COLUMNS: &str = "batch, event_index, project_id, received_at, quarantined_at, error_number, reason, raw_bytes, \
                       stored_bytes, body";

/// An event in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedEvent {
    /// Its project.
    pub project_id: i64,
    /// Its id, which it keeps.
    pub id: EventId,
    /// When it came here.
    pub quarantined_at: Timestamp,
    /// Why.
    pub refusal: Refusal,
    /// Bytes of its line.
    pub raw_bytes: u32,
    /// Its line, deflated.
    pub body: Vec<u8>,
}

/// What is in quarantine of one project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineSum {
    /// The project.
    pub project_id: i64,
    /// Events.
    pub events: u64,
    /// Bytes of their deflated lines.
    pub bytes: u64,
}

impl QuarantinedEvent {
    /// An event by its line.
    #[must_use]
    pub fn new(project_id: i64, id: EventId, line: &[u8], refusal: Refusal, at: Timestamp) -> Self {
        let raw_bytes = u32::try_from(line.len()).unwrap_or(u32::MAX);
        Self { project_id, id, quarantined_at: at, refusal, raw_bytes, body: deflate(line) }
    }

    /// When it was received.
    #[must_use]
    pub fn received(&self) -> Timestamp {
        self.id.batch.received_at()
    }

    /// Its line, as a block would hold it.
    ///
    /// # Errors
    /// When what was stored is damaged.
    pub fn line(&self) -> Result<Vec<u8>, BlockError> {
        inflate_body(Codec::Zlib, self.raw_bytes, &self.body)
    }

    fn values(&self) -> [Value<'_>; 10] {
        [
            self.id.batch.as_bytes().into(),
            self.id.index.into(),
            self.project_id.into(),
            self.id.batch.received_at().as_millis().into(),
            self.quarantined_at.as_millis().into(),
            i64::from(self.refusal.number).into(),
            self.refusal.message.as_str().into(),
            self.raw_bytes.into(),
            i64::try_from(self.body.len()).unwrap_or(i64::MAX).into(),
            self.body.as_slice().into(),
        ]
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: EventId { batch: BatchId::from_bytes(row.array(0)?), index: row.narrow(1)? },
            project_id: row.int(2)?,
            quarantined_at: Timestamp::from_millis(row.int(4)?),
            refusal: Refusal { number: row.narrow(5)?, message: row.text(6)? },
            raw_bytes: row.narrow(7)?,
            body: row.bytes(9)?,
        })
    }
}

/// Splits events into statements of 8 rows or of one, so that there are two shapes to prepare.
fn statements(events: &[QuarantinedEvent]) -> impl Iterator<Item = &[QuarantinedEvent]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let bytes: usize = rest.iter().take(ROWS).map(|event| event.body.len() + 512).sum();
        let rows = if rest.len() >= ROWS && bytes <= MAX_STATEMENT_BYTES { ROWS } else { 1.min(rest.len()) };
        let (now, later) = rest.split_at(rows);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

impl Connection {
    /// Finds out whether the database takes a block, within the caller's transaction, which is to be rolled back.
    ///
    /// # Errors
    /// What the database said.
    pub async fn try_block(&mut self, block: &Block) -> Result<(), StoreError> {
        self.insert_blocks(std::slice::from_ref(block)).await.map(drop)
    }

    /// Puts events into quarantine within the caller's transaction, in the ledger too; one that is there already stays as
    /// it is.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn insert_quarantined(&mut self, events: &[QuarantinedEvent]) -> Result<(), StoreError> {
        // Not the insert that keeps what is there: on a server it makes warnings of all errors.
        let keep = self.dialect().on_duplicate("batch, event_index", "reason = quarantine.reason");
        let row = format!("({})", ["?"; 10].join(","));
        for rows in statements(events) {
            let list = vec![row.as_str(); rows.len()].join(",");
            let insert = format!("INSERT INTO quarantine ({COLUMNS}) VALUES {list} {keep}");
            let values: Vec<Value<'_>> = rows.iter().flat_map(QuarantinedEvent::values).collect();
            self.execute(&insert, &values, STATEMENT_TIMEOUT).await?;
        }
        let rows = |event: &QuarantinedEvent| LedgerRow::quarantine(event.project_id, event.received(), 1);
        self.add_to_ledger(&events.iter().flat_map(rows).collect::<Vec<_>>()).await
    }

    /// What is in quarantine, by project; read from an index alone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quarantine_sums(&mut self) -> Result<Vec<QuarantineSum>, StoreError> {
        let sums = format!(
            "SELECT project_id, COUNT(*), CAST(SUM(stored_bytes) AS SIGNED) FROM quarantine GROUP BY project_id \
             ORDER BY project_id LIMIT {MAX_SUMS}"
        );
        let rows = self.query(&sums, &[], STATEMENT_TIMEOUT).await?;
        let sum = |row: &Row| {
            Ok(QuarantineSum { project_id: row.int(0)?, events: row.narrow(1)?, bytes: row.narrow(2)? })
        };
        rows.iter().map(sum).collect()
    }

    /// A page of events in quarantine, the latest received first, from the one after `after` on.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quarantined_page(
        &mut self,
        project_id: Option<i64>,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<QuarantinedEvent>, StoreError> {
        let mut conditions = String::from("1 = 1");
        let mut values: Vec<Value<'_>> = Vec::new();
        if let Some(project_id) = project_id {
            conditions.push_str(" AND project_id = ?");
            values.push(project_id.into());
        }
        let batch = after.map(|id| *id.batch.as_bytes()).unwrap_or_default();
        if let Some(id) = after {
            conditions.push_str(" AND batch <= ? AND (batch < ? OR event_index < ?)");
            values.extend([(&batch).into(), (&batch).into(), id.index.into()]);
        }
        let find = format!(
            "SELECT {COLUMNS} FROM quarantine WHERE {conditions} ORDER BY batch DESC, event_index DESC LIMIT {limit}"
        );
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        rows.iter().map(QuarantinedEvent::read).collect()
    }

    /// One event in quarantine.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quarantined_event(&mut self, id: EventId) -> Result<Option<QuarantinedEvent>, StoreError> {
        let find = format!("SELECT {COLUMNS} FROM quarantine WHERE batch = ? AND event_index = ?");
        let values = [id.batch.as_bytes().into(), id.index.into()];
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        rows.first().map(QuarantinedEvent::read).transpose()
    }

    /// Stores an event's block and takes the event out of quarantine, in one transaction; false when it isn't there
    /// (any more): then nothing was stored.
    ///
    /// # Errors
    /// What the database said; after anything but an ambiguous failure the event is where it was.
    pub async fn release_quarantined(
        &mut self,
        event: &QuarantinedEvent,
        block: &Block,
    ) -> Result<bool, StoreError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let released = self.release(event, block).await;
        self.roll_back_unless_done(&released).await;
        released
    }

    async fn release(&mut self, event: &QuarantinedEvent, block: &Block) -> Result<bool, StoreError> {
        // The row's lock lets one of several go on.
        if !self.take_quarantined(event.id).await? {
            return Ok(false);
        }
        let mut sql = self.insert_blocks(std::slice::from_ref(block)).await?;
        self.add_to_ledger(&LedgerRow::retry(event.project_id, event.received(), 1)).await?;
        push_unfolded_rows(&mut sql, std::slice::from_ref(block));
        sql.push_str("COMMIT");
        self.packet_commit(sql, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)?;
        Ok(true)
    }

    async fn roll_back_unless_done(&mut self, done: &Result<bool, StoreError>) {
        if !matches!(done, Ok(true)) && !done.as_ref().is_err_and(StoreError::is_ambiguous) {
            // A connection that can't even do this is closed by its pool.
            let _ = self.rollback(STATEMENT_TIMEOUT).await;
        }
    }

    async fn take_quarantined(&mut self, id: EventId) -> Result<bool, StoreError> {
        let delete = "DELETE FROM quarantine WHERE batch = ? AND event_index = ?";
        let values = [id.batch.as_bytes().into(), id.index.into()];
        Ok(self.execute(delete, &values, STATEMENT_TIMEOUT).await? > 0)
    }

    /// Deletes an event in quarantine; false when it isn't there.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_quarantined(&mut self, event: &QuarantinedEvent) -> Result<bool, StoreError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let deleted = self.discard(event).await;
        self.roll_back_unless_done(&deleted).await;
        deleted
    }

    async fn discard(&mut self, event: &QuarantinedEvent) -> Result<bool, StoreError> {
        if !self.take_quarantined(event.id).await? {
            return Ok(false);
        }
        self.add_to_ledger(&LedgerRow::discard(event.project_id, event.received(), 1)).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        Ok(true)
    }

    /// Deletes about `limit` of a project's events in quarantine that were received before `before`; gives how many.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else deleted some of them meanwhile (then none was deleted here), else
    /// what the database said.
    pub async fn delete_expired_quarantine(
        &mut self,
        project_id: i64,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        self.delete_quarantined_before(project_id, before, limit, Entry::PURGED).await
    }

    /// The same, counted in the ledger under `why`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else deleted some of them meanwhile (then none was deleted here), else
    /// what the database said.
    pub(super) async fn delete_quarantined_before(
        &mut self,
        project_id: i64,
        before: Timestamp,
        limit: usize,
        why: Entry,
    ) -> Result<u64, StoreError> {
        let find = format!(
            "SELECT batch, event_index, received_at FROM quarantine WHERE project_id = ? AND received_at < ? \
             ORDER BY received_at LIMIT {limit}"
        );
        let rows =
            self.query(&find, &[project_id.into(), before.as_millis().into()], STATEMENT_TIMEOUT).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let (mut list, mut ledger) = (Vec::new(), Vec::new());
        for row in &rows {
            list.push(format!(
                "(batch = {} AND event_index = {})",
                hex_literal(&row.array::<16>(0)?),
                row.int(1)?
            ));
            let received = Timestamp::from_millis(row.int(2)?);
            ledger.push(LedgerRow::new(project_id, received, Entry::QUARANTINED, -1));
            ledger.push(LedgerRow::new(project_id, received, why, 1));
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        let mut deleted = 0;
        for some in list.chunks(DELETED_AT_ONCE) {
            let delete = format!("DELETE FROM quarantine WHERE {}", some.join(" OR "));
            deleted += self.change(delete, STATEMENT_TIMEOUT).await?;
        }
        if deleted != rows.len() as u64 {
            self.rollback(STATEMENT_TIMEOUT).await?;
            return Err(StoreError::Conflict("events were deleted by somebody else".to_owned()));
        }
        self.add_to_ledger(&ledger).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        Ok(deleted)
    }

    /// What [`Connection::delete_expired_quarantine`] would delete in all.
    ///
    /// # Errors
    /// What the database said.
    pub async fn count_expired_quarantine(
        &mut self,
        project_id: i64,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let count = "SELECT COUNT(*) FROM quarantine WHERE project_id = ? AND received_at < ?";
        let rows =
            self.query(count, &[project_id.into(), before.as_millis().into()], STATEMENT_TIMEOUT).await?;
        rows.first().map_or(Ok(0), |row| row.narrow(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(index: u32, line: &[u8]) -> QuarantinedEvent {
        let at = Timestamp::from_millis(1_800_000_000_000);
        QuarantinedEvent::new(
            7,
            EventId { batch: BatchId::new(at), index },
            line,
            Refusal { number: 1644, message: "no".to_owned() },
            at,
        )
    }

    #[test]
    fn a_line_is_kept_byte_for_byte_also_where_it_is_no_text() {
        let line: Vec<u8> = (0..=255).collect();
        let kept = event(0, &line);
        assert_eq!(kept.line(), Ok(line));
        assert_eq!(event(0, b"").line(), Ok(Vec::new()));
    }

    #[test]
    fn statements_have_one_of_two_shapes_and_no_event_is_left_out() {
        let sizes =
            |events: &[QuarantinedEvent]| -> Vec<usize> { statements(events).map(<[_]>::len).collect() };
        let small: Vec<_> = (0..19).map(|index| event(index, b"{}")).collect();
        assert_eq!(sizes(&small), [8, 8, 1, 1, 1]);
        let mut noise = vec![0; 200_000];
        getrandom::fill(&mut noise).unwrap();
        let large: Vec<_> = (0..9).map(|index| event(index, &noise)).collect();
        assert_eq!(sizes(&large), [1; 9]);
        assert_eq!(sizes(&[]), Vec::<usize>::new());
    }
}
