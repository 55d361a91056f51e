//! The minutes in which an instance was awake: what was not seen then did not happen, what was not seen else is unknown.

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::snapshot::Snapshot;

/// Minutes written in one statement at most.
const MINUTES_A_STATEMENT: i64 = 60;

impl Connection {
    /// Covered minutes from `from` on, oldest first, at most `limit`.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn covered_minutes(&mut self, from: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let find = format!(
            "SELECT minute FROM coverage_minutes WHERE minute >= {from} ORDER BY minute LIMIT {limit}"
        );
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Notes the minutes from `from` to before `to`, the latest ones when they are many; again does no harm.
    ///
    /// # Errors
    /// What the database said.
    pub async fn cover_minutes(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let minutes: Vec<String> =
            (from.max(to - MINUTES_A_STATEMENT)..to).map(|minute| format!("({minute})")).collect();
        if minutes.is_empty() {
            return Ok(());
        }
        let keep = self.dialect().insert_or_keep();
        let insert = format!("{keep} coverage_minutes (minute) VALUES {}", minutes.join(","));
        self.change(insert, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Deletes the minutes before `from`, and those from `to` on: a clock was wrong.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forget_coverage(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let delete = format!("DELETE FROM coverage_minutes WHERE minute < {from} OR minute >= {to}");
        self.change(delete, STATEMENT_TIMEOUT).await.map(drop)
    }
}

impl Snapshot {
    /// Stretches of more than two minutes that are not covered, between `from` and `to`, which is not after the present:
    /// the first minute of each and its end, oldest first, the newest `limit` of them. What lies before all that is covered is
    /// unknown and not among them.
    ///
    /// # Errors
    /// What the database said.
    pub async fn uncovered(
        &mut self,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let find = format!(
            "SELECT minute + 1, next FROM (\
             SELECT minute, COALESCE(LEAD(minute) OVER (ORDER BY minute), {to}) AS next FROM coverage_minutes) pairs \
             WHERE next - minute > 3 AND next > {from} AND minute + 1 < {to} ORDER BY minute DESC LIMIT {limit}"
        );
        let rows = self.select(find).await?;
        rows.iter().rev().map(|row| Ok((row.int(0)?.max(from), row.int(1)?.min(to)))).collect()
    }
}
