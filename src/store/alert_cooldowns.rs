//! When rules last said something, so that they hold back what they find again too soon, and know how much that was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::value::{Row, Value};
use crate::timestamp::Timestamp;

/// Cooldowns asked for in one packet.
const KEYS_A_PACKET: usize = 100;
const INSERT: &str =
    "INSERT INTO alert_cooldowns (project_id, rule_key, group_key, said_at, found_at, suppressed)";

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

impl Cooldown {
    /// Nothing was found yet.
    pub const NEVER: Self =
        Self { said_at: Timestamp::from_millis(0), found_at: Timestamp::from_millis(0), suppressed: 0 };
}

fn row(key: &CooldownKey, one: &Cooldown) -> String {
    let CooldownKey { project_id, rule, group } = key;
    let (said_at, found_at) = (one.said_at.as_millis(), one.found_at.as_millis());
    format!("({project_id},'{rule}','{group}',{said_at},{found_at},{})", one.suppressed)
}

fn read_cooldown(row: &Row) -> Result<(CooldownKey, Cooldown), StoreError> {
    let key = CooldownKey { project_id: row.int(0)?, rule: row.text(1)?, group: row.text(2)? };
    let at = |column| row.int(column).map(Timestamp::from_millis);
    let suppressed = u64::try_from(row.int(5)?).unwrap_or(0);
    Ok((key, Cooldown { said_at: at(3)?, found_at: at(4)?, suppressed }))
}

fn is_plain(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':'))
}

impl Connection {
    /// What is known of one, as [`Connection::hold_cooldowns`].
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn hold_cooldown(&mut self, key: &CooldownKey) -> Result<Cooldown, StoreError> {
        let held = self.hold_cooldowns(&BTreeSet::from([key.clone()])).await?;
        held.get(key)
            .copied()
            .ok_or_else(|| StoreError::Corrupt("a cooldown just written is gone".to_owned()))
    }

    /// What is known of these, locked in their order until the caller's transaction ends: of two that find the same, one
    /// alone says it. One round trip for a hundred.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hold_cooldowns(
        &mut self,
        keys: &BTreeSet<CooldownKey>,
    ) -> Result<BTreeMap<CooldownKey, Cooldown>, StoreError> {
        if let Some(CooldownKey { rule, group, .. }) =
            keys.iter().find(|key| !is_plain(&key.rule) || !is_plain(&key.group))
        {
            return Err(StoreError::Corrupt(format!("no key of a cooldown: {rule} {group}")));
        }
        // Not an insert that keeps: that one would share the lock of a row which both then want alone.
        let tail = self.upsert_tail("suppressed = alert_cooldowns.suppressed");
        let lock = self.dialect().for_update();
        let mut held = BTreeMap::new();
        let keys: Vec<&CooldownKey> = keys.iter().collect();
        for keys in keys.chunks(KEYS_A_PACKET) {
            let rows = keys.iter().map(|key| row(key, &Cooldown::NEVER)).collect::<Vec<_>>().join(",");
            let mut sql = format!("{INSERT} VALUES {rows} {tail}");
            for CooldownKey { project_id, rule, group } in keys {
                // One by one, so that nothing but these rows is locked.
                let _ = write!(
                    sql,
                    ";SELECT project_id, rule_key, group_key, said_at, found_at, suppressed FROM alert_cooldowns \
                     WHERE project_id = {project_id} AND rule_key = '{rule}' AND group_key = '{group}'{lock}"
                );
            }
            for row in self.select(sql, STATEMENT_TIMEOUT).await? {
                let (key, known) = read_cooldown(&row)?;
                held.insert(key, known);
            }
        }
        Ok(held)
    }

    /// What is known of these, without a lock; what is not there is left out. One round trip for a few thousand.
    ///
    /// # Errors
    /// What the database said.
    pub async fn known_cooldowns(
        &mut self,
        keys: &BTreeSet<CooldownKey>,
    ) -> Result<BTreeMap<CooldownKey, Cooldown>, StoreError> {
        let keys: Vec<&CooldownKey> =
            keys.iter().filter(|key| is_plain(&key.rule) && is_plain(&key.group)).collect();
        let of_rules =
            keys.chunk_by(|one, next| (one.project_id, &one.rule) == (next.project_id, &next.rule));
        let find = |keys: &[&CooldownKey]| {
            let groups: Vec<String> = keys.iter().map(|key| format!("'{}'", key.group)).collect();
            format!(
                "SELECT project_id, rule_key, group_key, said_at, found_at, suppressed FROM alert_cooldowns \
                 WHERE project_id = {} AND rule_key = '{}' AND group_key IN ({})",
                keys[0].project_id,
                keys[0].rule,
                groups.join(",")
            )
        };
        let queries = of_rules.flat_map(|keys| keys.chunks(KEYS_A_PACKET)).map(find);
        let rows = self.select_packets(queries.collect::<Vec<_>>()).await?;
        rows.iter().map(read_cooldown).collect()
    }

    fn upsert_tail(&self, set: &str) -> String {
        self.dialect().on_duplicate("project_id, rule_key, group_key", set)
    }

    /// Replaces what is known of one that is held.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_cooldown(&mut self, key: &CooldownKey, now: &Cooldown) -> Result<(), StoreError> {
        self.note_cooldowns(&BTreeMap::from([(key.clone(), *now)])).await
    }

    /// Replaces what is known of these, all of them held, in one round trip for a thousand.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_cooldowns(&mut self, now: &BTreeMap<CooldownKey, Cooldown>) -> Result<(), StoreError> {
        let rows: Vec<[Value<'_>; 6]> = now
            .iter()
            .map(|(key, now)| {
                let suppressed = i64::try_from(now.suppressed).unwrap_or(i64::MAX);
                [
                    key.project_id.into(),
                    key.rule.as_str().into(),
                    key.group.as_str().into(),
                    now.said_at.as_millis().into(),
                    now.found_at.as_millis().into(),
                    suppressed.into(),
                ]
            })
            .collect();
        let tail = self
            .upsert_tail("said_at = new(said_at), found_at = new(found_at), suppressed = new(suppressed)");
        self.insert_rows(INSERT, &rows, &tail).await.map(drop)
    }

    /// When each rule said something last, and how often it held something back since it was said: of one project or of all.
    ///
    /// # Errors
    /// What the database said.
    pub async fn rules_said(
        &mut self,
        project_id: Option<i64>,
    ) -> Result<Vec<(String, Timestamp, u64)>, StoreError> {
        let of = project_id.map_or(String::new(), |id| format!("AND project_id = {id} "));
        // Groups named `few` count messages that were said.
        let find = format!(
            "SELECT rule_key, MAX(said_at), CAST(SUM(suppressed) AS SIGNED) FROM alert_cooldowns \
             WHERE group_key NOT LIKE '%:few' {of}GROUP BY rule_key"
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
