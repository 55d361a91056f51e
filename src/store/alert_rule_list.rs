//! Alert rules as stored, and the number of the last change to any of them: who knows it knows whether to read them again.

use super::connection::Connection;
use super::error::StoreError;
use super::settings::next_number;
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::timestamp::Timestamp;

/// Most rules a database may have.
pub const MAX_RULES: i64 = 1_000;
/// Most queries among them …
pub const MAX_QUERIES: i64 = 100;
/// … and of one project, or of every project.
pub const MAX_QUERIES_OF_ONE: i64 = 20;

/// Name of the setting that counts changes to rules. A new rule's number is that of the change that made it.
const CHANGES: &str = "alert_rules";
/// The kind of which a project may have several.
const QUERY: &str = "query";

const COLUMNS: &str = "id, project_id, kind, place, name, enabled, settings, created_at, updated_at";

/// A rule as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    /// Its number, never given twice.
    pub id: i64,
    /// The project it is for; `None` is every project.
    pub project_id: Option<i64>,
    /// The name of its kind.
    pub kind: String,
    /// For people, at most 128 characters.
    pub name: String,
    /// Whether it says anything.
    pub enabled: bool,
    /// Its settings as JSON.
    pub settings: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why a rule was not stored.
#[derive(Debug)]
pub enum RuleError {
    /// There is one of its kind for its project; this is its number.
    Taken(i64),
    /// There are [`MAX_RULES`].
    TooMany,
    /// There are [`MAX_QUERIES`], or [`MAX_QUERIES_OF_ONE`] for its project.
    TooManyQueries,
    /// The database did not do it.
    Store(StoreError),
}

impl From<StoreError> for RuleError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn read_rule(row: &Row) -> Result<StoredRule, StoreError> {
    let project_id = row.int(1)?;
    Ok(StoredRule {
        id: row.int(0)?,
        project_id: (project_id != 0).then_some(project_id),
        kind: row.text(2)?,
        name: row.text(4)?,
        enabled: row.int(5)? != 0,
        settings: row.text(6)?,
        created_at: Timestamp::from_millis(row.int(7)?),
        updated_at: Timestamp::from_millis(row.int(8)?),
    })
}

/// The statement that finds the number of the last change, without its `;`.
pub(super) fn version_sql() -> String {
    format!("SELECT number FROM settings WHERE name = '{CHANGES}'")
}

impl Connection {
    /// The number of the last change to any rule; 0 when there was none.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn alert_rule_version(&mut self) -> Result<i64, StoreError> {
        let rows = self.select(version_sql(), STATEMENT_TIMEOUT).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// All rules by id, and the number of the last change that is certainly in them.
    ///
    /// # Errors
    /// What the database said.
    pub async fn alert_rules(&mut self) -> Result<(i64, Vec<StoredRule>), StoreError> {
        // First: what changes in between is then read again.
        let version = self.alert_rule_version().await?;
        let find = format!("SELECT {COLUMNS} FROM alert_rules ORDER BY id LIMIT {MAX_RULES}");
        let rows = self.query(&find, &[], STATEMENT_TIMEOUT).await?;
        Ok((version, rows.iter().map(read_rule).collect::<Result<_, _>>()?))
    }

    async fn one_number(&mut self, sql: &str, values: &[Value<'_>]) -> Result<i64, StoreError> {
        let rows = self.query(sql, values, STATEMENT_TIMEOUT).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// Within a transaction that has made its change: whether there is room for the rule.
    async fn check_room(&mut self, new: &StoredRule, place: &str) -> Result<(), RuleError> {
        let taken = "SELECT id FROM alert_rules WHERE place = ?";
        match self.one_number(taken, &[place.into()]).await? {
            0 => {}
            id => return Err(RuleError::Taken(id)),
        }
        if self.one_number("SELECT COUNT(*) FROM alert_rules", &[]).await? >= MAX_RULES {
            return Err(RuleError::TooMany);
        }
        if new.kind == QUERY {
            let all = "SELECT COUNT(*) FROM alert_rules WHERE kind = ?";
            let ours = "SELECT COUNT(*) FROM alert_rules WHERE kind = ? AND project_id = ?";
            let project_id = new.project_id.unwrap_or(0);
            if self.one_number(all, &[QUERY.into()]).await? >= MAX_QUERIES
                || self.one_number(ours, &[QUERY.into(), project_id.into()]).await? >= MAX_QUERIES_OF_ONE
            {
                return Err(RuleError::TooManyQueries);
            }
        }
        Ok(())
    }
}

impl Store {
    /// All rules, by id.
    ///
    /// # Errors
    /// What the database said.
    pub async fn alert_rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        self.work().await?.alert_rules().await.map(|(_, rules)| rules)
    }

    /// Stores a rule under the next number, which is given back. The id of `new` is not looked at.
    ///
    /// # Errors
    /// [`RuleError`].
    pub async fn create_alert_rule(&self, new: &StoredRule) -> Result<i64, RuleError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        // Counts the change and lets nobody else make one before this one ends.
        let id = next_number(&mut session, CHANGES).await?;
        let project_id = new.project_id.unwrap_or(0);
        let of = if new.kind == QUERY { id } else { project_id };
        let place = format!("{}:{of}", new.kind);
        if let Err(refused) = session.check_room(new, &place).await {
            session.rollback(STATEMENT_TIMEOUT).await?;
            return Err(refused);
        }
        let insert = format!("INSERT INTO alert_rules ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        let values: [Value<'_>; 9] = [
            id.into(),
            project_id.into(),
            new.kind.as_str().into(),
            place.into(),
            new.name.as_str().into(),
            i64::from(new.enabled).into(),
            new.settings.as_str().into(),
            new.created_at.as_millis().into(),
            new.updated_at.as_millis().into(),
        ];
        session.execute(&insert, &values, STATEMENT_TIMEOUT).await?;
        session.commit(STATEMENT_TIMEOUT).await?;
        Ok(id)
    }

    /// Replaces name, state and settings of a rule; false when there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn update_alert_rule(&self, rule: &StoredRule) -> Result<bool, StoreError> {
        let update =
            "UPDATE alert_rules SET name = ?, enabled = ?, settings = ?, updated_at = ? WHERE id = ?";
        let values: [Value<'_>; 5] = [
            rule.name.as_str().into(),
            i64::from(rule.enabled).into(),
            rule.settings.as_str().into(),
            rule.updated_at.as_millis().into(),
            rule.id.into(),
        ];
        self.change_rules(update, &values).await
    }

    /// Removes a rule; false when there is none. What it counted goes by age.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_alert_rule(&self, id: i64) -> Result<bool, StoreError> {
        self.change_rules("DELETE FROM alert_rules WHERE id = ?", &[id.into()]).await
    }

    async fn change_rules(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, StoreError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        next_number(&mut session, CHANGES).await?;
        let changed = session.execute(sql, values, STATEMENT_TIMEOUT).await? > 0;
        session.commit(STATEMENT_TIMEOUT).await?;
        Ok(changed)
    }
}
