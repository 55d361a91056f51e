//! What live tails ask: which blocks are new, and how many events came in late out of a spool.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::{HEADER, hex_literal, least_id};
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::headers::{OLDER_ID_MS, bodies_sql, read_body, read_header};
use super::value::Row;
use crate::block::BlockHeader;
use crate::timestamp::Timestamp;

/// Settings of this name and a project's id count the events that were drained too late to be tailed.
const LATE_EVENTS: &str = "late_events:";
/// The least name that comes after all of them.
const LATE_EVENTS_END: &str = "late_events;";

/// A block, and how much is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentBlock {
    /// The project.
    pub project_id: i64,
    /// Its id.
    pub id: Uuid,
    /// Its events.
    pub events: u32,
}

/// What is new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Blocks, newest first.
    pub blocks: Vec<RecentBlock>,
    /// Events drained late so far, by project.
    pub late: BTreeMap<i64, i64>,
}

impl Connection {
    /// Blocks of these projects encoded at or after `since`, at most `limit` of them, and the late events of all
    /// projects, in one round trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn recent_blocks(
        &mut self,
        projects: &[i64],
        since: Timestamp,
        limit: usize,
    ) -> Result<Recent, StoreError> {
        let since = hex_literal(least_id(since).as_bytes());
        let sql = format!(
            "SELECT project_id, id, event_count FROM blocks WHERE project_id IN ({}) AND id >= {since} \
             ORDER BY id DESC LIMIT {limit};\
             SELECT 0, name, number FROM settings WHERE name >= '{LATE_EVENTS}' AND name < '{LATE_EVENTS_END}'",
            listed(projects)
        );
        let mut recent = Recent::default();
        for row in self.select(sql, STATEMENT_TIMEOUT).await? {
            if row.int(0)? > 0 {
                recent.blocks.push(read_recent(&row)?);
            } else {
                let name = row.bytes(1)?;
                let project = str::from_utf8(&name).ok().and_then(|name| name.strip_prefix(LATE_EVENTS));
                if let Some(project) = project.and_then(|id| id.parse().ok()) {
                    recent.late.insert(project, row.int(2)?);
                }
            }
        }
        Ok(recent)
    }

    /// Blocks of these projects that may hold a batch received at or after `at`, newest first, at most `limit`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn blocks_received_since(
        &mut self,
        projects: &[i64],
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<RecentBlock>, StoreError> {
        let least = hex_literal(least_id(at.plus_millis(-OLDER_ID_MS)).as_bytes());
        let sql = format!(
            "SELECT project_id, id, event_count FROM blocks WHERE project_id IN ({}) AND id >= {least} \
             AND received_last >= {} ORDER BY id DESC LIMIT {limit}",
            listed(projects),
            at.as_millis()
        );
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_recent).collect()
    }

    /// Headers of some blocks with their token filters, in any order; a block that has gone is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn headers_of(&mut self, blocks: &[RecentBlock]) -> Result<Vec<BlockHeader>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let mut by_project: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for block in blocks {
            by_project.entry(block.project_id).or_default().push(hex_literal(block.id.as_bytes()));
        }
        let query = |(project_id, ids): (i64, Vec<String>)| {
            let ids = ids.join(",");
            format!(
                "SELECT {HEADER}, id_filter, text_filter FROM blocks \
                 WHERE project_id = {project_id} AND id IN ({ids})"
            )
        };
        let sql = by_project.into_iter().map(query).collect::<Vec<_>>().join(";");
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        let mut headers = rows.iter().map(read_header).collect::<Result<Vec<_>, _>>()?;
        self.complete_id_filters(&mut headers).await?;
        Ok(headers)
    }

    /// Bodies of some blocks by project and id, in any order; a block that has gone is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn bodies_of(&mut self, blocks: &[(i64, Uuid)]) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.select(bodies_sql(blocks), STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_body).collect()
    }
}

fn read_recent(row: &Row) -> Result<RecentBlock, StoreError> {
    Ok(RecentBlock { project_id: row.int(0)?, id: Uuid::from_bytes(row.array(1)?), events: row.narrow(2)? })
}

fn listed(projects: &[i64]) -> String {
    let projects: Vec<String> = projects.iter().map(i64::to_string).collect();
    // An empty list is not SQL; no project has the id 0.
    if projects.is_empty() { "0".to_owned() } else { projects.join(",") }
}

/// Adds the statement that counts late events by project, if there are any, with its `;`.
pub(super) fn push_late_events(sql: &mut String, dialect: Dialect, late: &BTreeMap<i64, u64>) {
    if late.is_empty() {
        return;
    }
    let rows = late.iter().map(|(project, events)| format!("('{LATE_EVENTS}{project}',{events},'')"));
    let rows = rows.collect::<Vec<_>>().join(",");
    let add = dialect.on_duplicate("name", "number = number + new(number)");
    let _ = write!(sql, "INSERT INTO settings (name,number,content) VALUES {rows} {add};");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_of_several_projects_are_added_in_one_statement() {
        let mut sql = String::new();
        push_late_events(&mut sql, Dialect::MySql, &BTreeMap::new());
        assert_eq!(sql, "");
        push_late_events(&mut sql, Dialect::MySql, &BTreeMap::from([(7, 3), (9, 1)]));
        assert_eq!(
            sql,
            "INSERT INTO settings (name,number,content) VALUES ('late_events:7',3,''),('late_events:9',1,'') \
             ON DUPLICATE KEY UPDATE number = number + VALUES(number);"
        );
    }
}
