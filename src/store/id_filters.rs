//! Id filters too long to lie in their block's row: on a server each part of one is a row of its own.
//!
//! A server keeps a value of kilobytes on pages of its own, so that testing it in place reads a page of 16 KiB a block;
//! a search for one id needs one part of [`PART_BYTES`] a block, and those of the same part lie side by side. The
//! block's row then holds a marker, as long as no filter is: `n` bytes for `2^n` parts. Parts come and go in the
//! transaction that their block does. One that isn't there admits everything. `SQLite` keeps all filters in their rows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::BASE64;
use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use crate::block::filter::{MAX_BYTES, MIN_BYTES, PART_BYTES};
use crate::block::{Block, BlockHeader};

/// Longer filters lie in parts. One that is shorter fits a row beside the text filter.
const MAX_IN_ROW: usize = PART_BYTES;
/// Text of one statement that inserts parts, about.
const STATEMENT_BYTES: usize = 256 << 10;
/// Filters completed in one query.
const PER_QUERY: usize = 64;

/// True of a row of `blocks` that holds a marker.
pub(super) const IN_PARTS: &str = "LENGTH(id_filter) BETWEEN 1 AND 7";
/// Bytes of a block's id filter, wherever it lies.
pub(super) const FILTER_BYTES: &str = "CAST(CASE WHEN LENGTH(id_filter) BETWEEN 1 AND 7 \
     THEN 2048 << LENGTH(id_filter) ELSE LENGTH(id_filter) END AS SIGNED)";

/// Whether a filter lies in parts.
fn is_in_parts(dialect: Dialect, filter: &[u8]) -> bool {
    let length = filter.len();
    dialect == Dialect::MySql && length > MAX_IN_ROW && length <= MAX_BYTES && length.is_power_of_two()
}

/// What a block's row holds for its id filter: all of it, or the marker.
pub(super) fn in_row(dialect: Dialect, filter: &[u8]) -> Cow<'_, [u8]> {
    if is_in_parts(dialect, filter) {
        Cow::Owned(vec![0; (filter.len() / PART_BYTES).ilog2() as usize])
    } else {
        Cow::Borrowed(filter)
    }
}

/// Parts of the filter that a value of so many bytes in a block's row stands for; 0 for one that lies there itself.
const fn parts_of(length_in_row: usize) -> usize {
    if length_in_row > 0 && length_in_row < MIN_BYTES { 1 << length_in_row } else { 0 }
}

/// The statements that insert the parts of these blocks' filters.
pub(super) fn insertions(dialect: Dialect, blocks: &[Block]) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for header in blocks.iter().map(|block| &block.header) {
        if !is_in_parts(dialect, &header.id_filter) {
            continue;
        }
        let id = hex_literal(header.id.as_bytes());
        let full = statements.last().is_none_or(|sql| sql.len() >= STATEMENT_BYTES);
        if full {
            statements.push("INSERT INTO id_filters (project_id,part,id,bits) VALUES ".to_owned());
        }
        let sql = statements.last_mut().expect("one was pushed where there was none");
        for (part, bits) in header.id_filter.chunks(PART_BYTES).enumerate() {
            let comma = if full && part == 0 { "" } else { "," };
            let bits = BASE64.encode(bits);
            let _ = write!(sql, "{comma}({},{part},{id},FROM_BASE64('{bits}'))", header.project_id);
        }
    }
    statements
}

impl Connection {
    /// Deletes the parts of some of a project's blocks, each with the bytes that its row holds for its id filter, within
    /// the caller's transaction.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn delete_id_filters(
        &mut self,
        project_id: i64,
        blocks: impl Iterator<Item = (Uuid, usize)>,
    ) -> Result<(), StoreError> {
        let mut by_parts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (id, length) in blocks.filter(|(_, length)| parts_of(*length) > 0) {
            by_parts.entry(parts_of(length)).or_default().push(hex_literal(id.as_bytes()));
        }
        // All keys are named and there: neither a scan nor a lock on a gap.
        for (parts, ids) in by_parts {
            let parts: Vec<String> = (0..parts).map(|part| part.to_string()).collect();
            let delete = format!(
                "DELETE FROM id_filters WHERE project_id = {project_id} AND part IN ({}) AND id IN ({})",
                parts.join(","),
                ids.join(",")
            );
            self.change(delete, STATEMENT_TIMEOUT).await?;
        }
        Ok(())
    }

    /// Puts the whole id filter in the place of each marker, for a test in memory; one that has gone meanwhile admits
    /// everything.
    ///
    /// # Errors
    /// What the database said.
    pub async fn complete_id_filters(&mut self, headers: &mut [BlockHeader]) -> Result<(), StoreError> {
        let mut marked: Vec<&mut BlockHeader> =
            headers.iter_mut().filter(|header| parts_of(header.id_filter.len()) > 0).collect();
        for some in marked.chunks_mut(PER_QUERY) {
            self.complete_some(some).await?;
        }
        Ok(())
    }

    async fn complete_some(&mut self, headers: &mut [&mut BlockHeader]) -> Result<(), StoreError> {
        let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for header in headers.iter() {
            groups.entry(header.project_id).or_default().push(hex_literal(header.id.as_bytes()));
        }
        // All there may be: the block may have been merged with others since its header was read, and a part of the
        // filter it has now is not the filter it had then.
        let parts: Vec<String> = (0..MAX_BYTES / PART_BYTES).map(|part| part.to_string()).collect();
        let query = |(project_id, ids): (i64, Vec<String>)| {
            format!(
                "SELECT project_id, id, part, bits FROM id_filters WHERE project_id = {project_id} \
                 AND part IN ({}) AND id IN ({})",
                parts.join(","),
                ids.join(",")
            )
        };
        let sql: Vec<String> = groups.into_iter().map(query).collect();
        let mut found: BTreeMap<(i64, Uuid), BTreeMap<usize, Vec<u8>>> = BTreeMap::new();
        for row in self.select(sql.join(";"), STATEMENT_TIMEOUT).await? {
            let block = found.entry((row.int(0)?, Uuid::from_bytes(row.array(1)?))).or_default();
            block.insert(row.narrow(2)?, row.bytes(3)?);
        }
        for header in headers.iter_mut() {
            let whole = parts_of(header.id_filter.len()) * PART_BYTES;
            let parts = found.remove(&(header.project_id, header.id)).unwrap_or_default();
            let filter: Vec<u8> = parts.into_values().flatten().collect();
            header.id_filter = if filter.len() == whole { filter } else { Vec::new() };
        }
        Ok(())
    }
}
