//! When rules last said something, so that they hold back what they find again too soon, and know how much that was.

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::value::Value;
use crate::timestamp::Timestamp;

/// What a rule says something about. Its texts are of small letters, digits, `_`, `-` and `:`, at most 64 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CooldownKey {
    /// The project.
    pub project_id: i64,
    /// Names the rule.
    pub rule: String,
    /// What it is about within the project.
    pub group: String,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// When it was last said; the epoch for never.
    pub said_at: Timestamp,
    /// When it was last found and said, or found and counted as held back.
    pub found_at: Timestamp,
    /// How often it was held back since it was said.
    pub suppressed: u64,
}

fn is_plain(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':'))
}

impl Connection {
    /// What is known of one, locked until the caller's transaction ends: of two that find the same, one alone says it.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn hold_cooldown(&mut self, key: &CooldownKey) -> Result<Cooldown, StoreError> {
        let CooldownKey { project_id, rule, group } = key;
        if !is_plain(rule) || !is_plain(group) {
            return Err(StoreError::Corrupt(format!("no key of a cooldown: {rule} {group}")));
        }
        // Not an insert that keeps: that one would share the lock of a row which both then want alone.
        let tail = self
            .dialect()
            .on_duplicate("project_id, rule_key, group_key", "suppressed = alert_cooldowns.suppressed");
        let lock = self.dialect().for_update();
        let sql = format!(
            "INSERT INTO alert_cooldowns (project_id, rule_key, group_key, said_at, found_at, suppressed) \
             VALUES ({project_id},'{rule}','{group}',0,0,0) {tail};\
             SELECT said_at, found_at, suppressed FROM alert_cooldowns WHERE project_id = {project_id} \
             AND rule_key = '{rule}' AND group_key = '{group}'{lock}"
        );
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        let row =
            rows.first().ok_or_else(|| StoreError::Corrupt("a cooldown just written is gone".to_owned()))?;
        Ok(Cooldown {
            said_at: Timestamp::from_millis(row.int(0)?),
            found_at: Timestamp::from_millis(row.int(1)?),
            suppressed: u64::try_from(row.int(2)?).unwrap_or(0),
        })
    }

    /// Replaces what is known of one.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_cooldown(&mut self, key: &CooldownKey, now: &Cooldown) -> Result<(), StoreError> {
        let update = "UPDATE alert_cooldowns SET said_at = ?, found_at = ?, suppressed = ? \
                      WHERE project_id = ? AND rule_key = ? AND group_key = ?";
        let values: [Value<'_>; 6] = [
            now.said_at.as_millis().into(),
            now.found_at.as_millis().into(),
            i64::try_from(now.suppressed).unwrap_or(i64::MAX).into(),
            key.project_id.into(),
            key.rule.as_str().into(),
            key.group.as_str().into(),
        ];
        self.execute(update, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// When each rule said something last, and how often it held something back since it was said: of one project or of all.
    ///
    /// # Errors
    /// What the database said.
    pub async fn rules_said(
        &mut self,
        project_id: Option<i64>,
    ) -> Result<Vec<(String, Timestamp, u64)>, StoreError> {
        let of = project_id.map_or(String::new(), |id| format!("WHERE project_id = {id} "));
        let find = format!(
            "SELECT rule_key, MAX(said_at), CAST(SUM(suppressed) AS SIGNED) FROM alert_cooldowns {of}GROUP BY rule_key"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        let read = |row: &super::value::Row| {
            let suppressed = u64::try_from(row.int(2)?).unwrap_or(0);
            Ok((row.text(0)?, Timestamp::from_millis(row.int(1)?), suppressed))
        };
        rows.iter().map(read).collect()
    }

    /// Deletes up to about `limit` of those that were last found before a time.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_old_cooldowns(&mut self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let find = format!(
            "SELECT found_at FROM alert_cooldowns WHERE found_at < ? ORDER BY found_at LIMIT {limit}"
        );
        let rows = self.query(&find, &[before.as_millis().into()], STATEMENT_TIMEOUT).await?;
        let Some(last) = rows.last() else { return Ok(0) };
        let delete = "DELETE FROM alert_cooldowns WHERE found_at <= ?";
        self.execute(delete, &[last.int(0)?.into()], STATEMENT_TIMEOUT).await
    }
}
