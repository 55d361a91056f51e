//! Projects: who may send, how much, how long it is kept, and their removal in bounded steps.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blocks::hex_literal;
use super::connection::Connection;
use super::error::StoreError;
use super::ledger::{DOOMED, read_doomed};
use super::settings::{next_number, set_setting, setting};
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::ledger::Entry;
use crate::project::{Project, ProjectRef, ProjectSlug, ScrubSettings};
use crate::timestamp::Timestamp;

/// Most projects a database may have.
pub const MAX_PROJECTS: i64 = 1_000;
/// Rows one step of a removal deletes at most.
const DELETE_STEP: usize = 200;
/// Batch ids one step walks over.
const WALK_STEP: usize = 2_000;
/// A removed project's row stays this long, for blocks that were on their way when it went.
const LINGER_MS: i64 = 60_000;

const COLUMNS: &str = "id, slug, name, retention_days, minute_cap, scrub, created_at";

/// What an admin gives for a new project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProject {
    /// Unique.
    pub slug: ProjectSlug,
    /// For people, at most 128 characters.
    pub name: String,
    /// Within [`crate::project::RETENTION_DAYS`].
    pub retention_days: u16,
    /// Events a minute, at least 1; `None` takes the service's.
    pub minute_cap: Option<u32>,
    /// Scrubbing.
    pub scrub: ScrubSettings,
}

/// What an admin changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new slug.
    pub slug: Option<ProjectSlug>,
    /// A new name.
    pub name: Option<String>,
    /// A new retention.
    pub retention_days: Option<u16>,
    /// A new cap; `Some(None)` goes back to the service's.
    pub minute_cap: Option<Option<u32>>,
    /// New scrubbing.
    pub scrub: Option<ScrubSettings>,
}

/// Why a project was not made or changed.
#[derive(Debug)]
pub enum ProjectError {
    /// Another project has the slug.
    SlugTaken,
    /// [`MAX_PROJECTS`] are there.
    TooMany,
    /// The database did not do it.
    Store(StoreError),
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate(_) => Self::SlugTaken,
            other => Self::Store(other),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredScrub {
    off: bool,
    extra_keys: Vec<String>,
}

pub(super) fn scrub_text(scrub: &ScrubSettings) -> String {
    let stored = StoredScrub { off: scrub.off, extra_keys: scrub.extra_keys.clone() };
    serde_json::to_string(&stored).expect("a flag and a list of strings are always JSON")
}

fn read_project(row: &Row) -> Result<Project, StoreError> {
    let slug = row.text(1)?;
    let scrub: StoredScrub = serde_json::from_str(&row.text(5)?)
        .map_err(|error| StoreError::Corrupt(format!("projects.scrub: {error}")))?;
    Ok(Project {
        id: row.int(0)?,
        slug: ProjectSlug::parse(&slug)
            .ok_or_else(|| StoreError::Corrupt(format!("projects.slug {slug:?}")))?,
        name: row.text(2)?,
        retention_days: row.narrow(3)?,
        minute_cap: row.optional_int(4)?.and_then(|cap| u32::try_from(cap).ok()),
        scrub: ScrubSettings { off: scrub.off, extra_keys: scrub.extra_keys },
        created_at: Timestamp::from_millis(row.int(6)?),
    })
}

impl Store {
    /// All projects, by id.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn list_projects(&self) -> Result<Vec<Project>, StoreError> {
        let mut session = self.work().await?;
        list(&mut session).await
    }

    /// One project.
    ///
    /// # Errors
    /// What the database said.
    pub async fn project(&self, which: &ProjectRef) -> Result<Option<Project>, StoreError> {
        let mut session = self.work().await?;
        find(&mut session, which).await
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`ProjectError::SlugTaken`], [`ProjectError::TooMany`] or what the database said.
    pub async fn create_project(&self, new: NewProject, now: Timestamp) -> Result<Project, ProjectError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        let id = next_number(&mut session, "project").await?;
        let rows = session.query("SELECT COUNT(*) FROM projects", &[], STATEMENT_TIMEOUT).await?;
        if rows.first().map_or(Ok(0), |row| row.int(0))? >= MAX_PROJECTS {
            session.rollback(STATEMENT_TIMEOUT).await?;
            return Err(ProjectError::TooMany);
        }
        let insert = "INSERT INTO projects (id, slug, name, retention_days, minute_cap, scrub, next_key, created_at) \
                      VALUES (?, ?, ?, ?, ?, ?, 1, ?)";
        let values: [Value<'_>; 7] = [
            id.into(),
            new.slug.as_str().into(),
            new.name.as_str().into(),
            i64::from(new.retention_days).into(),
            new.minute_cap.map(i64::from).into(),
            scrub_text(&new.scrub).into(),
            now.as_millis().into(),
        ];
        session.execute(insert, &values, STATEMENT_TIMEOUT).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        let NewProject { slug, name, retention_days, minute_cap, scrub } = new;
        Ok(Project { id, slug, name, retention_days, minute_cap, scrub, created_at: now })
    }

    /// Changes what is given of a project, and nothing else of it, so that two who change different fields at once both
    /// win; gives the project as it is then, or `None` when there is none.
    ///
    /// # Errors
    /// [`ProjectError::SlugTaken`] or what the database said.
    pub async fn update_project(
        &self,
        id: i64,
        change: ProjectChange,
    ) -> Result<Option<Project>, ProjectError> {
        let mut session = self.work().await?;
        // One shape whatever is given. `minute_cap` may become NULL, so it says apart whether it is given.
        let update = "UPDATE projects SET slug = COALESCE(?, slug), name = COALESCE(?, name), \
                      retention_days = COALESCE(?, retention_days), \
                      minute_cap = CASE WHEN ? = 1 THEN ? ELSE minute_cap END, \
                      scrub = COALESCE(?, scrub) WHERE id = ? AND deleted_at IS NULL";
        let values: [Value<'_>; 7] = [
            change.slug.as_ref().map(ProjectSlug::as_str).into(),
            change.name.as_deref().into(),
            change.retention_days.map(i64::from).into(),
            i64::from(change.minute_cap.is_some()).into(),
            change.minute_cap.flatten().map(i64::from).into(),
            change.scrub.as_ref().map(scrub_text).into(),
            id.into(),
        ];
        session.execute(update, &values, STATEMENT_TIMEOUT).await?;
        Ok(find(&mut session, &ProjectRef::Id(id)).await?)
    }

    /// Hides a project for good and frees its slug; its data goes in steps ([`Store::delete_project_step`]).
    ///
    /// # Errors
    /// What the database said.
    pub async fn hide_project(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        let mut session = self.work().await?;
        let hide =
            "UPDATE projects SET deleted_at = ?, slug = ?, name = '' WHERE id = ? AND deleted_at IS NULL";
        let values: [Value<'_>; 3] = [now.as_millis().into(), format!("~{id}").into(), id.into()];
        if session.execute(hide, &values, STATEMENT_TIMEOUT).await? == 0 {
            return Ok(false);
        }
        delete_keys(&mut session, id).await?;
        Ok(true)
    }

    /// Deletes a bounded part of a hidden project's data; false when nothing is left.
    ///
    /// # Errors
    /// What the database said; the next call goes on.
    pub async fn delete_project_step(&self, id: i64) -> Result<bool, StoreError> {
        self.forget_bodies(id, Timestamp::from_millis(i64::MAX));
        let mut session = self.work().await?;
        // Again, in case the hiding was cut off after its first statement.
        delete_keys(&mut session, id).await?;
        if delete_some_blocks(&mut session, id).await? || delete_some_quarantined(&mut session, id).await? {
            return Ok(true);
        }
        for (table, key) in [
            ("issue_resolutions", "fingerprint"),
            ("issues", "fingerprint"),
            ("counts", "series"),
            ("alert_rule_counts", "rule_id"),
            // Those of blocks that were merged while they were deleted.
            ("id_filters", "part"),
        ] {
            if delete_slice(&mut session, table, key, id).await? {
                return Ok(true);
            }
        }
        if delete_unfolded(&mut session, id).await? {
            return Ok(true);
        }
        session.forget_compacted(id).await?;
        // Each of these has few rows, by bounds of their own.
        for table in ["alert_channels", "open_alerts", "alert_outbox", "alert_rules", "alert_cooldowns"] {
            let delete = format!("DELETE FROM {table} WHERE project_id = ?");
            session.execute(&delete, &[id.into()], STATEMENT_TIMEOUT).await?;
        }
        delete_batches(&mut session, id).await
    }

    /// Hidden projects whose data may not all be gone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hidden_projects(&self) -> Result<Vec<i64>, StoreError> {
        let mut session = self.work().await?;
        let find = "SELECT id FROM projects WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 100";
        session.query(find, &[], STATEMENT_TIMEOUT).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Removes a hidden project's last trace once nothing can be on its way to it any more.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forget_project(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut session = self.work().await?;
        let forget = "DELETE FROM projects WHERE id = ? AND deleted_at < ?";
        let before = now.plus_millis(-LINGER_MS).as_millis();
        session.execute(forget, &[id.into(), before.into()], STATEMENT_TIMEOUT).await.map(drop)
    }
}

pub(super) async fn list(connection: &mut Connection) -> Result<Vec<Project>, StoreError> {
    let find =
        format!("SELECT {COLUMNS} FROM projects WHERE deleted_at IS NULL ORDER BY id LIMIT {MAX_PROJECTS}");
    connection.query(&find, &[], STATEMENT_TIMEOUT).await?.iter().map(read_project).collect()
}

async fn find(connection: &mut Connection, which: &ProjectRef) -> Result<Option<Project>, StoreError> {
    let (column, value): (&str, Value<'_>) = match which {
        ProjectRef::Id(id) => ("id", (*id).into()),
        ProjectRef::Slug(slug) => ("slug", slug.as_str().into()),
    };
    let find = format!("SELECT {COLUMNS} FROM projects WHERE {column} = ? AND deleted_at IS NULL");
    let rows = connection.query(&find, &[value], STATEMENT_TIMEOUT).await?;
    rows.first().map(read_project).transpose()
}

async fn delete_keys(connection: &mut Connection, project_id: i64) -> Result<(), StoreError> {
    let delete = "DELETE FROM api_keys WHERE project_id = ?";
    connection.execute(delete, &[project_id.into()], STATEMENT_TIMEOUT).await.map(drop)
}

/// Deletes up to a step's worth of a project's blocks and counts them in the ledger, which stays; true when there were
/// any.
async fn delete_some_blocks(connection: &mut Connection, project_id: i64) -> Result<bool, StoreError> {
    let find = format!(
        "SELECT {DOOMED} FROM blocks WHERE project_id = ? ORDER BY project_id, id LIMIT {DELETE_STEP}"
    );
    let rows = connection.query(&find, &[project_id.into()], STATEMENT_TIMEOUT).await?;
    let doomed = rows.iter().map(read_doomed).collect::<Result<Vec<_>, _>>()?;
    if doomed.is_empty() {
        return Ok(false);
    }
    match connection.delete_blocks(project_id, &doomed, Entry::DELETED_PROJECT).await {
        // Another step, or the fold, was faster: there may be more to do.
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The same of its events in quarantine.
async fn delete_some_quarantined(connection: &mut Connection, project_id: i64) -> Result<bool, StoreError> {
    let why = Entry::DELETED_PROJECT;
    match connection.delete_quarantined_before(project_id, Timestamp::LAST, DELETE_STEP, why).await {
        Ok(deleted) => Ok(deleted > 0),
        Err(StoreError::Conflict(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Deletes up to a step's worth of a project's rows from a table led by `project_id`; true when there were any.
async fn delete_slice(
    connection: &mut Connection,
    table: &str,
    key: &str,
    project_id: i64,
) -> Result<bool, StoreError> {
    let find = format!("SELECT {key} FROM {table} WHERE project_id = ? ORDER BY {key} LIMIT {DELETE_STEP}");
    let rows = connection.query(&find, &[project_id.into()], STATEMENT_TIMEOUT).await?;
    let Some(last) = rows.last() else { return Ok(false) };
    let delete = format!("DELETE FROM {table} WHERE project_id = ? AND {key} <= ?");
    connection.execute(&delete, &[project_id.into(), last.int(0)?.into()], STATEMENT_TIMEOUT).await?;
    Ok(true)
}

/// Deletes up to a step's worth of a project's waiting blocks; true when there may be more. By their ids, since a deletion
/// by project would lock every row and every gap, and with them all ingest, for as long as it reads the table.
async fn delete_unfolded(connection: &mut Connection, project_id: i64) -> Result<bool, StoreError> {
    let find = format!("SELECT block_id FROM unfolded WHERE project_id = ? LIMIT {DELETE_STEP}");
    let rows = connection.query(&find, &[project_id.into()], STATEMENT_TIMEOUT).await?;
    let ids = rows.iter().map(|row| row.array(0).map(Uuid::from_bytes)).collect::<Result<Vec<_>, _>>()?;
    connection.delete_unfolded(&ids).await?;
    Ok(ids.len() == DELETE_STEP)
}

/// Batch ids are not led by project: one step walks over so many of them, whoever's they are. Where the walk stands is
/// kept in the database, so that it goes on from there whoever takes the next step.
async fn delete_batches(connection: &mut Connection, project_id: i64) -> Result<bool, StoreError> {
    let walk = format!("removal:{project_id}");
    let from = setting(connection, &walk).await?.unwrap_or_default();
    let find =
        format!("SELECT id, project_id FROM batches WHERE id > X'{from}' ORDER BY id LIMIT {WALK_STEP}");
    let rows = connection.select(find, STATEMENT_TIMEOUT).await?;
    let mut ours = Vec::new();
    for row in &rows {
        if row.int(1)? == project_id {
            ours.push(hex_literal(&row.bytes(0)?));
        }
    }
    if !ours.is_empty() {
        let delete = format!("DELETE FROM batches WHERE id IN ({})", ours.join(","));
        connection.change(delete, STATEMENT_TIMEOUT).await?;
    }
    match rows.last() {
        Some(last) if rows.len() == WALK_STEP => {
            let at = data_encoding::HEXLOWER.encode(&last.bytes(0)?);
            set_setting(connection, &walk, Some(&at)).await?;
            Ok(true)
        }
        _ => {
            set_setting(connection, &walk, None).await?;
            Ok(false)
        }
    }
}
