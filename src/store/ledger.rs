//! The ledger's table: adding to it within a transaction, the deletion of blocks that is counted in it, reading it
//! beside the blocks of the same moment, and forgetting its oldest hours.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::fold_news::FoldNews;
use super::snapshot::Snapshot;
use super::spool_reports::Waiting;
use super::value::{Row, Value};
use crate::alert::{Findings, Rules};
use crate::ledger::{Account, Counted, Entry, LedgerRow, NO_PROJECT, hour_of};
use crate::timestamp::Timestamp;

/// A block that is about to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub id: Uuid,
    pub events: u32,
    /// Of its body.
    pub bytes: u32,
    /// Its first receipt, whose hour it is counted in.
    pub received: Timestamp,
    /// It is still to be folded.
    pub unfolded: bool,
    /// Bytes that its row holds for its id filter.
    pub id_filter: usize,
}

/// Columns of a [`Doomed`].
pub(super) const DOOMED: &str = "id, event_count, received_first, stored_bytes, \
     EXISTS (SELECT 1 FROM unfolded WHERE unfolded.block_id = blocks.id), LENGTH(id_filter)";

pub(super) fn read_doomed(row: &Row) -> Result<Doomed, StoreError> {
    let (id, received) = (Uuid::from_bytes(row.array(0)?), Timestamp::from_millis(row.int(2)?));
    let (bytes, unfolded) = (row.narrow(3)?, row.int(4)? != 0);
    Ok(Doomed { id, events: row.narrow(1)?, received, bytes, unfolded, id_filter: row.narrow(5)? })
}

/// Rows by their key, those of the same key added up.
#[derive(Default)]
struct Additions(BTreeMap<(i64, i64, String), i64>);

impl Additions {
    fn of(rows: &[LedgerRow]) -> Self {
        let mut sums = BTreeMap::new();
        for row in rows.iter().filter(|row| row.amount != 0) {
            *sums.entry((row.project_id, row.hour, row.entry.name())).or_default() += row.amount;
        }
        Self(sums)
    }

    /// Adds rows counted in memory, and the mark that tells whether they were written.
    fn and_counted(mut self, counted: &Counted) -> Self {
        for (key, amount) in Self::of(&counted.rows).0 {
            *self.0.entry(key).or_default() += amount;
        }
        self.0.insert((NO_PROJECT, counted.hour, counted.mark.clone()), 1);
        self
    }

    /// One statement, in the order of the keys. Names are ours alone, so nothing needs quoting.
    fn sql(&self, connection: &Connection) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut sql = "INSERT INTO ledger (project_id, hour, entry, amount) VALUES ".to_owned();
        for (position, ((project_id, hour, entry), amount)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let _ = write!(sql, "{comma}({project_id},{hour},'{entry}',{amount})");
        }
        let set = "amount = ledger.amount + new(amount)";
        let _ = write!(sql, " {}", connection.dialect().on_duplicate("project_id, hour, entry", set));
        Some(sql)
    }
}

impl Connection {
    /// Adds to the ledger within the caller's transaction, in one statement: whoever changes what is stored says so here
    /// in the transaction that does it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn add_to_ledger(&mut self, rows: &[LedgerRow]) -> Result<(), StoreError> {
        self.add(&Additions::of(rows)).await
    }

    /// As [`Connection::add_to_ledger`], with rows counted in memory.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn add_folded(
        &mut self,
        rows: &[LedgerRow],
        counted: Option<&Counted>,
    ) -> Result<(), StoreError> {
        let mut additions = Additions::of(rows);
        if let Some(counted) = counted {
            additions = additions.and_counted(counted);
        }
        self.add(&additions).await
    }

    async fn add(&mut self, additions: &Additions) -> Result<(), StoreError> {
        match additions.sql(self) {
            Some(sql) => self.change(sql, STATEMENT_TIMEOUT).await.map(drop),
            None => Ok(()),
        }
    }

    /// Writes what was counted in memory, in a transaction of its own; what `rules` find worth saying of it goes into the
    /// outbox with it, and is given back. With `doubtful`, only if an earlier try whose answer was lost did not.
    ///
    /// # Errors
    /// What the database said; it may have happened all the same.
    pub async fn write_counted(
        &mut self,
        counted: &Counted,
        doubtful: bool,
        rules: Option<&Rules>,
        now: Timestamp,
    ) -> Result<Option<Findings>, StoreError> {
        if doubtful && self.was_written(counted).await? {
            return Ok(None);
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        let news = FoldNews::default().with_dropped(&counted.rows);
        let mut found = None;
        // Before the ledger, as a fold does: of two instances none holds the one while it waits for the other.
        if let Some(rules) = rules.filter(|_| !news.is_empty()) {
            found = Some(rules.evaluate_dropped(self, &news, now).await?);
        }
        self.add(&Additions::default().and_counted(counted)).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        Ok(found)
    }

    /// Whether these rows are in the ledger already. Only this process writes under their mark, so that holds without
    /// any lock once the answer is here.
    async fn was_written(&mut self, counted: &Counted) -> Result<bool, StoreError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let written = self.mark_of(counted).await? >= counted.number;
        self.rollback(STATEMENT_TIMEOUT).await?;
        Ok(written)
    }

    /// Waits for a transaction of ours that may still hold the mark.
    async fn mark_of(&mut self, counted: &Counted) -> Result<i64, StoreError> {
        let lock = self.dialect().for_update();
        let find = format!(
            "SELECT amount FROM ledger WHERE project_id = {NO_PROJECT} AND hour = {} AND entry = '{}'{lock}",
            counted.hour, counted.mark
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// Deletes exactly these blocks of a project, counted in the ledger under `why`, in a transaction of its own. Events
    /// of them that were still to be folded are accepted here, as the fold won't see them any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else deleted or folded some of them meanwhile (then none was deleted
    /// here), else what the database said.
    pub(super) async fn delete_blocks(
        &mut self,
        project_id: i64,
        doomed: &[Doomed],
        why: Entry,
    ) -> Result<(), StoreError> {
        let blocks = id_list(doomed.iter());
        let mut deletions = vec![(
            doomed.len(),
            format!("DELETE FROM blocks WHERE project_id = {project_id} AND id IN ({blocks})"),
        )];
        let unfolded = || doomed.iter().filter(|block| block.unfolded);
        // Only rows that are there: to delete one that isn't locks the gap where others insert theirs.
        if unfolded().next().is_some() {
            let list = id_list(unfolded());
            deletions.push((unfolded().count(), format!("DELETE FROM unfolded WHERE block_id IN ({list})")));
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        for (expected, sql) in deletions {
            if self.change(sql, STATEMENT_TIMEOUT).await? != expected as u64 {
                self.rollback(STATEMENT_TIMEOUT).await?;
                return Err(StoreError::Conflict("blocks were changed by somebody else".to_owned()));
            }
        }
        self.delete_id_filters(project_id, doomed.iter().map(|block| (block.id, block.id_filter))).await?;
        let row = |block: &Doomed, entry| LedgerRow::new(project_id, block.received, entry, block.events);
        let mut rows: Vec<LedgerRow> = doomed.iter().map(|block| row(block, why)).collect();
        rows.extend(unfolded().map(|block| row(block, Entry::ACCEPTED)));
        self.add_to_ledger(&rows).await?;
        self.commit(STATEMENT_TIMEOUT).await
    }

    /// Events and first receipt of a block, whatever else of it can't be read; `None` when it has gone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_events(
        &mut self,
        project_id: i64,
        id: Uuid,
    ) -> Result<Option<(u32, Timestamp)>, StoreError> {
        let find = format!("SELECT {DOOMED} FROM blocks WHERE project_id = ? AND id = ?");
        let rows = self.query(&find, &[project_id.into(), id.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        rows.first()
            .map(read_doomed)
            .transpose()
            .map(|found| found.map(|block| (block.events, block.received)))
    }

    /// Deletes up to about `limit` rows of hours before `before`, of the project with the least id that has any; gives
    /// their number.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_old_ledger(&mut self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let before = hour_of(before);
        self.delete_old_spool_reports(before).await?;
        for row in self.select("SELECT DISTINCT project_id FROM ledger".to_owned(), STATEMENT_TIMEOUT).await?
        {
            let project_id = row.int(0)?;
            let beyond = format!(
                "SELECT hour FROM ledger WHERE project_id = ? AND hour < ? ORDER BY hour LIMIT 1 OFFSET {limit}"
            );
            let values: [Value<'_>; 2] = [project_id.into(), before.into()];
            let rows = self.query(&beyond, &values, STATEMENT_TIMEOUT).await?;
            // Whole hours, so that none is left that doesn't add up.
            let end = rows.first().map_or(Ok(before), |row| row.int(0).map(|hour| hour + 1))?;
            let delete = "DELETE FROM ledger WHERE project_id = ? AND hour < ?";
            let values: [Value<'_>; 2] = [project_id.into(), end.into()];
            let deleted = self.execute(delete, &values, STATEMENT_TIMEOUT).await?;
            if deleted > 0 {
                return Ok(deleted);
            }
        }
        Ok(0)
    }

    /// Events of a spool's blocks by project and hour of receipt in `[from, to)`.
    ///
    /// # Errors
    /// What the file said.
    pub async fn waiting_events(&mut self, from: i64, to: i64) -> Result<Vec<Waiting>, StoreError> {
        let hour = hour_of_block(self.dialect());
        let find = format!(
            "SELECT project_id, {hour} AS hour, CAST(SUM(event_count) AS SIGNED) FROM blocks \
             WHERE received_first >= {from}000 AND received_first < {to}000 GROUP BY project_id, hour"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        let waiting =
            |row: &Row| Ok(Waiting { project_id: row.int(0)?, hour: row.int(1)?, events: row.int(2)? });
        rows.iter().map(waiting).collect()
    }
}

fn hour_of_block(dialect: Dialect) -> String {
    format!("(received_first {} 3600000) * 3600", dialect.divide())
}

/// Which part of the ledger is asked for; hours in epoch seconds.
#[derive(Clone, Copy, Debug)]
pub struct LedgerQuery<'a> {
    /// These projects, or everything: what belongs to no project and what is left of deleted ones too.
    pub projects: Option<&'a [i64]>,
    /// The first hour.
    pub from: i64,
    /// The hour after the last.
    pub to: i64,
}

/// Accounts by hour and by project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// By the hour's start.
    pub hours: BTreeMap<i64, Account>,
    /// By project.
    pub projects: BTreeMap<i64, Account>,
}

impl Snapshot {
    /// The ledger, with the blocks it speaks of, as of one moment.
    ///
    /// # Errors
    /// What the database said.
    pub async fn accounts(&mut self, query: &LedgerQuery<'_>) -> Result<Accounts, StoreError> {
        let mut accounts = Accounts::default();
        let mut projects: Vec<i64> = query.projects.map(<[i64]>::to_vec).unwrap_or_default();
        if query.projects.is_none() {
            let find = "SELECT DISTINCT project_id FROM ledger UNION SELECT DISTINCT project_id FROM blocks";
            for row in self.select(find.to_owned()).await? {
                projects.push(row.int(0)?);
            }
        }
        if projects.is_empty() {
            return Ok(accounts);
        }
        let list: Vec<String> = projects.iter().map(i64::to_string).collect();
        let LedgerQuery { from, to, .. } = query;
        let asked = Asked { projects: list.join(","), from: *from, to: *to };
        let hour = hour_of_block(self.dialect());
        for by_hour in [true, false] {
            let accounts = if by_hour { &mut accounts.hours } else { &mut accounts.projects };
            let (of_ledger, of_block) =
                if by_hour { ("hour", hour.as_str()) } else { ("project_id", "blocks.project_id") };
            for row in self.select(asked.written(of_ledger)).await? {
                accounts.entry(row.int(0)?).or_default().add(&row.text(1)?, row.int(2)?);
            }
            for row in self.select(asked.in_blocks(of_block)).await? {
                accounts.entry(row.int(0)?).or_default().in_blocks += row.int(1)?;
            }
            for row in self.select(asked.unfolded(of_block)).await? {
                accounts.entry(row.int(0)?).or_default().unfolded += row.int(1)?;
            }
        }
        Ok(accounts)
    }
}

/// What the queries for some projects and hours have in common.
struct Asked {
    projects: String,
    from: i64,
    to: i64,
}

impl Asked {
    fn written(&self, by: &str) -> String {
        let Self { projects, from, to } = self;
        format!(
            "SELECT {by}, entry, CAST(SUM(amount) AS SIGNED) FROM ledger WHERE project_id IN ({projects}) \
             AND hour >= {from} AND hour < {to} AND entry NOT LIKE 'fold:%' GROUP BY {by}, entry"
        )
    }

    fn in_blocks(&self, by: &str) -> String {
        let Self { projects, from, to } = self;
        format!(
            "SELECT {by} AS part, CAST(SUM(event_count) AS SIGNED) FROM blocks WHERE project_id IN ({projects}) \
             AND received_first >= {from}000 AND received_first < {to}000 GROUP BY part"
        )
    }

    fn unfolded(&self, by: &str) -> String {
        let Self { projects, from, to } = self;
        format!(
            "SELECT {by} AS part, CAST(SUM(event_count) AS SIGNED) FROM unfolded JOIN blocks \
             ON blocks.project_id = unfolded.project_id AND blocks.id = unfolded.block_id \
             WHERE unfolded.project_id IN ({projects}) AND received_first >= {from}000 \
             AND received_first < {to}000 GROUP BY part"
        )
    }
}

fn id_list<'a>(blocks: impl Iterator<Item = &'a Doomed>) -> String {
    let list: Vec<String> = blocks.map(|block| hex_literal(block.id.as_bytes())).collect();
    list.join(",")
}
