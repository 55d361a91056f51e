//! A damaged file of `SQLite`, read leaf by leaf.
//!
//! Trees, definitions and header are not believed: a copy of the file gets a first page of its own, which knows
//! the wanted tables alone, and each page that says that it is a leaf is taken for the whole table, one after the other.
//! A damaged page then takes its own rows along and no others. Of the list of free pages that is believed which can be read.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Result as IoResult, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::options::{PAGE_BYTES, scratch_target};
use super::pool::CONNECT_TIMEOUT;
use super::value::Row;

/// First byte of a page that holds rows of a table.
const LEAF: u8 = 13;
/// Where the first page says how many pages there are, and behind it where the list of free ones begins.
const PAGE_COUNT_AT: usize = 28;
const FREE_LIST_AT: usize = 32;
/// Rows read of one page: one of four bytes would be the smallest.
const MAX_ROWS_OF_PAGE: u32 = PAGE_BYTES / 4;

/// The copy, open; it goes with this.
pub(super) struct Wreck {
    connection: Connection,
    leaves: Vec<u32>,
    scratch: PathBuf,
}

impl Wreck {
    /// Copies the damaged `file` beside itself; `definitions` are of the tables that will be read.
    pub(super) async fn open(file: &Path, definitions: &[String]) -> Result<Self, StoreError> {
        let scratch = file.with_extension("scratch");
        let failed = |error: std::io::Error| StoreError::Away(format!("{}: {error}", scratch.display()));
        remove(&scratch).map_err(failed)?;
        let mut made = Connection::open(&scratch_target(&scratch), CONNECT_TIMEOUT).await?;
        for definition in definitions {
            made.change(definition.clone(), STATEMENT_TIMEOUT).await?;
        }
        drop(made);
        let (from, to) = (file.to_owned(), scratch.clone());
        let work = tokio::task::spawn_blocking(move || graft(&from, &to));
        let leaves = work.await.map_err(std::io::Error::other).and_then(|done| done).map_err(failed)?;
        let connection = Connection::open(&scratch_target(&scratch), CONNECT_TIMEOUT).await?;
        Ok(Self { connection, leaves, scratch })
    }

    /// Pages that may hold rows.
    pub(super) fn leaves(&self) -> Vec<u32> {
        self.leaves.clone()
    }

    /// The rows of one leaf, taken for one of `table`, as `find` reads the row of a number; those that can't be read are left
    /// out.
    pub(super) async fn rows(&mut self, leaf: u32, table: &str, find: &str) -> Vec<Row> {
        let turn = format!(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET rootpage = {leaf} WHERE type = 'table' AND name = '{table}'; \
             PRAGMA writable_schema = RESET"
        );
        if let Err(failed) = self.connection.packet(turn, STATEMENT_TIMEOUT).await {
            tracing::debug!(error = %failed.error, leaf, "a page of the damaged spool is passed over");
            return Vec::new();
        }
        let next = format!("SELECT rowid FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT 1");
        let (mut rows, mut last) = (Vec::new(), i64::MIN);
        for _ in 0..MAX_ROWS_OF_PAGE {
            let found = self.connection.query(&next, &[last.into()], STATEMENT_TIMEOUT).await;
            let Some(Ok(number)) = found.ok().and_then(|rows| rows.first().map(|row| row.int(0))) else {
                break;
            };
            last = number;
            rows.extend(
                self.connection.query(find, &[number.into()], STATEMENT_TIMEOUT).await.unwrap_or_default(),
            );
        }
        rows
    }
}

impl Drop for Wreck {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.scratch) {
            tracing::warn!(%error, file = %self.scratch.display(), "a copy of the damaged spool stays");
        }
    }
}

fn remove(file: &Path) -> IoResult<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts the pages of `from` behind the first page of `to`; returns those that may hold rows.
fn graft(from: &Path, to: &Path) -> IoResult<Vec<u32>> {
    let mut first = vec![0; PAGE_BYTES as usize];
    File::open(to)?.read_exact(&mut first)?;
    let size = std::fs::copy(from, to)?;
    let pages = u32::try_from(size / u64::from(PAGE_BYTES)).unwrap_or(u32::MAX).max(1);
    first[PAGE_COUNT_AT..FREE_LIST_AT].copy_from_slice(&pages.to_be_bytes());
    let mut file = OpenOptions::new().read(true).write(true).open(to)?;
    file.set_len(u64::from(pages) * u64::from(PAGE_BYTES))?;
    let free = free_pages(&mut file, pages)?;
    file.rewind()?;
    file.write_all(&first)?;
    let mut leaves = Vec::new();
    for page in (2..=pages).filter(|page| !free.contains(page)) {
        let mut kind = [0];
        read_page(&mut file, page, &mut kind)?;
        if kind[0] == LEAF {
            leaves.push(page);
        }
    }
    Ok(leaves)
}

/// Pages that hold what was deleted, as far as the list of them can be read.
fn free_pages(file: &mut File, pages: u32) -> IoResult<HashSet<u32>> {
    let mut page = vec![0; PAGE_BYTES as usize];
    let mut free = HashSet::new();
    read_page(file, 1, &mut page)?;
    let mut trunk = number_at(&page, FREE_LIST_AT);
    while (2..=pages).contains(&trunk) && free.insert(trunk) {
        read_page(file, trunk, &mut page)?;
        let listed = number_at(&page, 4).min(PAGE_BYTES / 4 - 2) as usize;
        free.extend((0..listed).map(|index| number_at(&page, 8 + 4 * index)));
        trunk = number_at(&page, 0);
    }
    Ok(free)
}

fn read_page(file: &mut File, page: u32, into: &mut [u8]) -> IoResult<()> {
    file.seek(SeekFrom::Start(u64::from(page - 1) * u64::from(PAGE_BYTES)))?;
    file.read_exact(into)
}

fn number_at(page: &[u8], at: usize) -> u32 {
    page[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
