//! Single facts about a database (`settings`) and who may do what alone (`leases`), by the database's own clock.

use std::time::Duration;

use super::connection::Connection;
use super::error::StoreError;
use super::value::Value;
use super::{STATEMENT_TIMEOUT, Store};

/// Name of the setting that holds the fingerprint of `HMAC_SECRET`.
const HMAC_FINGERPRINT: &str = "hmac_fingerprint";
/// Name of the lease on maintenance, and of the setting that holds when it last ended, by the database's clock.
const MAINTENANCE: &str = "maintenance";

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    /// The instance's name.
    pub owner: String,
    /// Milliseconds until the lease runs out by itself.
    pub expires_in_ms: i64,
}

impl Store {
    /// Takes or renews the lease on maintenance; false when another instance has it.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn lease_maintenance(&self, length: Duration) -> Result<bool, StoreError> {
        let mut session = self.work().await?;
        take_lease(&mut session, MAINTENANCE, self.instance(), length).await
    }

    /// Gives the lease on maintenance back; with `finished`, notes that everything was done now.
    ///
    /// # Errors
    /// What the database said; the lease then runs out by itself.
    pub async fn release_maintenance(&self, finished: bool) -> Result<(), StoreError> {
        let mut session = self.work().await?;
        if finished {
            let (keep, now) = (session.dialect().insert_or_keep(), session.dialect().now_ms());
            let insert = format!("{keep} settings (name, number, content) VALUES (?, 0, '')");
            session.execute(&insert, &[MAINTENANCE.into()], STATEMENT_TIMEOUT).await?;
            let note = format!("UPDATE settings SET number = {now} WHERE name = ?");
            session.execute(&note, &[MAINTENANCE.into()], STATEMENT_TIMEOUT).await?;
        }
        release_lease(&mut session, MAINTENANCE, self.instance()).await
    }

    /// Who maintains now, if anyone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn maintenance_holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        let mut session = self.work().await?;
        let now = session.dialect().now_ms();
        let find = format!("SELECT owner, until_ms - {now} FROM leases WHERE name = ? AND until_ms >= {now}");
        let rows = session.query(&find, &[MAINTENANCE.into()], STATEMENT_TIMEOUT).await?;
        rows.first()
            .map(|row| Ok(LeaseHolder { owner: row.text(0)?, expires_in_ms: row.int(1)? }))
            .transpose()
    }

    /// Milliseconds since maintenance was last finished by any instance; `None` when it never was.
    ///
    /// # Errors
    /// What the database said.
    pub async fn maintained_ms_ago(&self) -> Result<Option<i64>, StoreError> {
        let mut session = self.work().await?;
        let now = session.dialect().now_ms();
        let find = format!("SELECT {now} - number FROM settings WHERE name = ?");
        let rows = session.query(&find, &[MAINTENANCE.into()], STATEMENT_TIMEOUT).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }
}

impl Store {
    /// The fingerprint of the `HMAC_SECRET` this database was first used with; `ours` becomes it when there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hmac_fingerprint(&self, ours: &str) -> Result<String, StoreError> {
        let mut session = self.probe().await?;
        let keep = session.dialect().insert_or_keep();
        let insert = format!("{keep} settings (name, number, content) VALUES (?, 0, ?)");
        session.execute(&insert, &[HMAC_FINGERPRINT.into(), ours.into()], STATEMENT_TIMEOUT).await?;
        let find = "SELECT content FROM settings WHERE name = ?";
        let rows = session.query(find, &[HMAC_FINGERPRINT.into()], STATEMENT_TIMEOUT).await?;
        rows.first().map_or_else(|| Ok(ours.to_owned()), |row| row.text(0))
    }
}

impl Store {
    /// Replaces the stored fingerprint after a change of `HMAC_SECRET`, if it is still `previous`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn replace_hmac_fingerprint(&self, previous: &str, ours: &str) -> Result<(), StoreError> {
        let mut session = self.probe().await?;
        let replace = "UPDATE settings SET content = ? WHERE name = ? AND content = ?";
        let values: [Value<'_>; 3] = [ours.into(), HMAC_FINGERPRINT.into(), previous.into()];
        session.execute(replace, &values, STATEMENT_TIMEOUT).await.map(drop)
    }
}

/// The text of a setting.
pub(super) async fn setting(connection: &mut Connection, name: &str) -> Result<Option<String>, StoreError> {
    let find = "SELECT content FROM settings WHERE name = ?";
    let rows = connection.query(find, &[name.into()], STATEMENT_TIMEOUT).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Writes a setting's text, or removes it.
pub(super) async fn set_setting(
    connection: &mut Connection,
    name: &str,
    content: Option<&str>,
) -> Result<(), StoreError> {
    let delete = "DELETE FROM settings WHERE name = ?";
    connection.execute(delete, &[name.into()], STATEMENT_TIMEOUT).await?;
    if let Some(content) = content {
        let insert = "INSERT INTO settings (name, number, content) VALUES (?, 0, ?)";
        connection.execute(insert, &[name.into(), content.into()], STATEMENT_TIMEOUT).await?;
    }
    Ok(())
}

/// The next number of a counter, from 1; within the caller's transaction.
pub(super) async fn next_number(connection: &mut Connection, name: &str) -> Result<i64, StoreError> {
    let keep = connection.dialect().insert_or_keep();
    let insert = format!("{keep} settings (name, number, content) VALUES (?, 0, '')");
    connection.execute(&insert, &[name.into()], STATEMENT_TIMEOUT).await?;
    let step = "UPDATE settings SET number = number + 1 WHERE name = ?";
    connection.execute(step, &[name.into()], STATEMENT_TIMEOUT).await?;
    let find = "SELECT number FROM settings WHERE name = ?";
    let rows = connection.query(find, &[name.into()], STATEMENT_TIMEOUT).await?;
    rows.first().ok_or_else(|| StoreError::Corrupt(format!("counter {name} is gone")))?.int(0)
}

/// Takes or renews a lease; false when another owner has it.
///
/// # Errors
/// What the database said.
pub(super) async fn take_lease(
    connection: &mut Connection,
    name: &str,
    owner: &str,
    length: Duration,
) -> Result<bool, StoreError> {
    let dialect = connection.dialect();
    let insert = format!("{} leases (name, owner, until_ms) VALUES (?, '', 0)", dialect.insert_or_keep());
    connection.execute(&insert, &[name.into()], STATEMENT_TIMEOUT).await?;
    let now = dialect.now_ms();
    let take = format!(
        "UPDATE leases SET owner = ?, until_ms = {now} + ? WHERE name = ? AND (until_ms < {now} OR owner = ?)"
    );
    let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let values: [Value<'_>; 4] = [owner.into(), length.into(), name.into(), owner.into()];
    Ok(connection.execute(&take, &values, STATEMENT_TIMEOUT).await? == 1)
}

/// Renews the lease on maintenance within the caller's transaction, so that nobody can take it over before that ends;
/// false when it is not `owner`'s any more, or has run out: others may have changed what was read under it.
///
/// # Errors
/// What the database said.
pub(super) async fn hold_maintenance(
    connection: &mut Connection,
    owner: &str,
    length: Duration,
) -> Result<bool, StoreError> {
    let now = connection.dialect().now_ms();
    let hold =
        format!("UPDATE leases SET until_ms = {now} + ? WHERE name = ? AND owner = ? AND until_ms >= {now}");
    let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let values: [Value<'_>; 3] = [length.into(), MAINTENANCE.into(), owner.into()];
    Ok(connection.execute(&hold, &values, STATEMENT_TIMEOUT).await? == 1)
}

/// Gives a lease back, if it is still ours.
///
/// # Errors
/// What the database said; the lease then runs out by itself.
pub(super) async fn release_lease(
    connection: &mut Connection,
    name: &str,
    owner: &str,
) -> Result<(), StoreError> {
    let release = "UPDATE leases SET until_ms = 0 WHERE name = ? AND owner = ?";
    connection.execute(release, &[name.into(), owner.into()], STATEMENT_TIMEOUT).await.map(drop)
}
