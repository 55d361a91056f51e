//! Keys: kept as SHA-256 with what an admin needs to tell them apart; never their text, never a signing secret.

use super::error::StoreError;
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::key::{KeyKind, KeyRecord};
use crate::project::Project;
use crate::timestamp::Timestamp;

/// Most keys a project may have, revoked ones included.
pub const MAX_KEYS: i64 = 200;
/// Most keys of all projects together.
const MAX_ALL_KEYS: i64 = MAX_KEYS * super::projects::MAX_PROJECTS;

/// What is stored of a key just minted.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Its first characters.
    pub hint: String,
}

const COLUMNS: &str = "project_id, number, kind, sha256, hint, note, created_at, revoked_at";

pub(super) const fn kind_number(kind: KeyKind) -> i64 {
    match kind {
        KeyKind::Server => 1,
        KeyKind::Read => 2,
    }
}

fn read_key(row: &Row) -> Result<KeyRecord, StoreError> {
    let kind = match row.int(2)? {
        1 => KeyKind::Server,
        2 => KeyKind::Read,
        other => return Err(StoreError::Corrupt(format!("api_keys.kind {other}"))),
    };
    Ok(KeyRecord {
        id: row.int(1)?,
        project_id: row.int(0)?,
        number: row.narrow(1)?,
        kind,
        sha256: row.array(3)?,
        hint: row.text(4)?,
        note: row.text(5)?,
        created_at: Timestamp::from_millis(row.int(6)?),
        revoked_at: row.optional_int(7)?.map(Timestamp::from_millis),
    })
}

impl Store {
    /// A project's keys, revoked ones included, oldest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn list_keys(&self, project_id: i64) -> Result<Vec<KeyRecord>, StoreError> {
        let mut session = self.work().await?;
        let find =
            format!("SELECT {COLUMNS} FROM api_keys WHERE project_id = ? ORDER BY number LIMIT {MAX_KEYS}");
        session.query(&find, &[project_id.into()], STATEMENT_TIMEOUT).await?.iter().map(read_key).collect()
    }

    /// All projects and all keys, for the key directory.
    ///
    /// # Errors
    /// What the database said.
    pub async fn load_directory(&self) -> Result<(Vec<Project>, Vec<KeyRecord>), StoreError> {
        let mut session = self.probe().await?;
        let projects = super::projects::list(&mut session).await?;
        let find = format!("SELECT {COLUMNS} FROM api_keys ORDER BY project_id, number LIMIT {MAX_ALL_KEYS}");
        let keys = session.query(&find, &[], STATEMENT_TIMEOUT).await?;
        Ok((projects, keys.iter().map(read_key).collect::<Result<_, _>>()?))
    }

    /// Gives a project a key: takes the next number, has it minted and stores what may be stored.
    /// `None` when the project isn't there or has [`MAX_KEYS`].
    ///
    /// # Errors
    /// What the database said.
    pub async fn add_key<Minted: Send>(
        &self,
        project_id: i64,
        kind: KeyKind,
        note: &str,
        now: Timestamp,
        mint: impl FnOnce(u32) -> (NewKey, Minted) + Send,
    ) -> Result<Option<(KeyRecord, Minted)>, StoreError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        let step = "UPDATE projects SET next_key = next_key + 1 WHERE id = ? AND deleted_at IS NULL";
        session.execute(step, &[project_id.into()], STATEMENT_TIMEOUT).await?;
        let find = "SELECT next_key FROM projects WHERE id = ? AND deleted_at IS NULL";
        let rows = session.query(find, &[project_id.into()], STATEMENT_TIMEOUT).await?;
        let number = rows.first().map(|row| row.int(0)).transpose()?.map(|next| next - 1);
        let Some(number) = number.filter(|number| (1..=MAX_KEYS).contains(number)) else {
            session.rollback(STATEMENT_TIMEOUT).await?;
            return Ok(None);
        };
        let number = u32::try_from(number).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let (key, minted) = mint(number);
        let insert = format!("INSERT INTO api_keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)");
        let values: [Value<'_>; 7] = [
            project_id.into(),
            number.into(),
            kind_number(kind).into(),
            (&key.sha256).into(),
            key.hint.as_str().into(),
            note.into(),
            now.as_millis().into(),
        ];
        session.execute(&insert, &values, STATEMENT_TIMEOUT).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        let NewKey { sha256, hint } = key;
        let note = note.to_owned();
        let record = KeyRecord {
            id: i64::from(number),
            project_id,
            number,
            kind,
            sha256,
            hint,
            note,
            created_at: now,
            revoked_at: None,
        };
        Ok(Some((record, minted)))
    }

    /// Revokes a key; false when the project has no such key. Revoking twice keeps the first time.
    ///
    /// # Errors
    /// What the database said.
    pub async fn revoke_key(&self, project_id: i64, number: i64, now: Timestamp) -> Result<bool, StoreError> {
        let mut session = self.work().await?;
        let revoke =
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE project_id = ? AND number = ?";
        let values: [Value<'_>; 3] = [now.as_millis().into(), project_id.into(), number.into()];
        Ok(session.execute(revoke, &values, STATEMENT_TIMEOUT).await? == 1)
    }
}
