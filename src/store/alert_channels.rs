//! Alert channels as stored: what is secret in them is sealed by the caller and never read here.

use super::connection::Connection;
use super::error::StoreError;
use super::settings::next_number;
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::timestamp::Timestamp;

/// Most channels a database may have.
pub const MAX_CHANNELS: i64 = 100;

const COLUMNS: &str = "id, project_id, kind, name, enabled, reason, sealed, created_at, updated_at";

/// A channel as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChannel {
    /// Its number, never given twice.
    pub id: i64,
    /// The project it is for; `None` is every project.
    pub project_id: Option<i64>,
    /// The name of its kind.
    pub kind: String,
    /// For people, at most 128 characters.
    pub name: String,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Why it was turned off, when that was not a person's doing; at most 255 characters.
    pub reason: String,
    /// Its settings, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

fn read_channel(row: &Row) -> Result<StoredChannel, StoreError> {
    let project_id = row.int(1)?;
    Ok(StoredChannel {
        id: row.int(0)?,
        project_id: (project_id != 0).then_some(project_id),
        kind: row.text(2)?,
        name: row.text(3)?,
        enabled: row.int(4)? != 0,
        reason: row.text(5)?,
        sealed: row.bytes(6)?,
        created_at: Timestamp::from_millis(row.int(7)?),
        updated_at: Timestamp::from_millis(row.int(8)?),
    })
}

impl Connection {
    /// All channels, by id.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn list_alert_channels(&mut self) -> Result<Vec<StoredChannel>, StoreError> {
        let find = format!("SELECT {COLUMNS} FROM alert_channels ORDER BY id LIMIT {MAX_CHANNELS}");
        self.query(&find, &[], STATEMENT_TIMEOUT).await?.iter().map(read_channel).collect()
    }
}

impl Store {
    /// All channels, by id.
    ///
    /// # Errors
    /// What the database said.
    pub async fn alert_channels(&self) -> Result<Vec<StoredChannel>, StoreError> {
        self.work().await?.list_alert_channels().await
    }

    /// Stores a channel under the next id, with what `seal` makes of its settings for that id. `None` when there are
    /// [`MAX_CHANNELS`]. The id and the sealed settings of `new` are not looked at.
    ///
    /// # Errors
    /// What the database said.
    pub async fn create_alert_channel(
        &self,
        mut new: StoredChannel,
        seal: impl FnOnce(i64) -> Vec<u8>,
    ) -> Result<Option<StoredChannel>, StoreError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        new.id = next_number(&mut session, "alert_channel").await?;
        let rows = session.query("SELECT COUNT(*) FROM alert_channels", &[], STATEMENT_TIMEOUT).await?;
        if rows.first().map_or(Ok(0), |row| row.int(0))? >= MAX_CHANNELS {
            session.rollback(STATEMENT_TIMEOUT).await?;
            return Ok(None);
        }
        new.sealed = seal(new.id);
        let insert = format!("INSERT INTO alert_channels ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        let values: [Value<'_>; 9] = [
            new.id.into(),
            new.project_id.unwrap_or(0).into(),
            new.kind.as_str().into(),
            new.name.as_str().into(),
            i64::from(new.enabled).into(),
            new.reason.as_str().into(),
            new.sealed.as_slice().into(),
            new.created_at.as_millis().into(),
            new.updated_at.as_millis().into(),
        ];
        session.execute(&insert, &values, STATEMENT_TIMEOUT).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        Ok(Some(new))
    }

    /// Replaces everything of a channel but its id, kind and birth; false when there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn update_alert_channel(&self, channel: &StoredChannel) -> Result<bool, StoreError> {
        let mut session = self.work().await?;
        let update = "UPDATE alert_channels SET project_id = ?, name = ?, enabled = ?, reason = ?, sealed = ?, \
                      updated_at = ? WHERE id = ?";
        let values: [Value<'_>; 7] = [
            channel.project_id.unwrap_or(0).into(),
            channel.name.as_str().into(),
            i64::from(channel.enabled).into(),
            channel.reason.as_str().into(),
            channel.sealed.as_slice().into(),
            channel.updated_at.as_millis().into(),
            channel.id.into(),
        ];
        Ok(session.execute(update, &values, STATEMENT_TIMEOUT).await? > 0)
    }

    /// Replaces a channel's sealed settings if they are still `before`: sealed anew under another key.
    ///
    /// # Errors
    /// What the database said.
    pub async fn reseal_alert_channel(
        &self,
        id: i64,
        before: &[u8],
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        let update = "UPDATE alert_channels SET sealed = ? WHERE id = ? AND sealed = ?";
        let values: [Value<'_>; 3] = [sealed.into(), id.into(), before.into()];
        self.work().await?.execute(update, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Turns a channel off, with the reason.
    ///
    /// # Errors
    /// What the database said.
    pub async fn disable_alert_channel(
        &self,
        id: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE alert_channels SET enabled = 0, reason = ?, updated_at = ? WHERE id = ?";
        let values: [Value<'_>; 3] = [reason.into(), now.as_millis().into(), id.into()];
        self.work().await?.execute(update, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Removes a channel; false when there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_alert_channel(&self, id: i64) -> Result<bool, StoreError> {
        let delete = "DELETE FROM alert_channels WHERE id = ?";
        Ok(self.work().await?.execute(delete, &[id.into()], STATEMENT_TIMEOUT).await? > 0)
    }
}
