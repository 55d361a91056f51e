//! Counts of past time in wider buckets: 10 seconds become minutes, minutes become hours, old ones go.
//!
//! A narrow row is added to the wide one at its start and deleted, in one transaction that holds exactly those rows.
//! A count that comes late (a spooled batch) makes a narrow row in a past hour again; the next call adds it too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::issues::OTHER_SERIES;
use super::value::Value;

/// Seconds of a minute and of an hour: the widths of past buckets.
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

/// A span of series of one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesSpan {
    /// The project.
    pub project_id: i64,
    /// The first series.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

/// Until when counts stand in wider buckets and when they go, in epoch seconds; each before the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountAges {
    /// Before this, in minutes; a multiple of a minute.
    pub minutes_before: i64,
    /// Before this, in hours; a multiple of an hour.
    pub hours_before: i64,
    /// Counts of issues before this go; a multiple of an hour.
    pub issues_from: i64,
    /// Counts of levels before this go; a multiple of an hour.
    pub levels_from: i64,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountsWidened {
    /// Rows added to wider ones.
    pub widened: u64,
    /// Rows too old.
    pub dropped: u64,
    /// Whether there may be more.
    pub more: bool,
}

impl CountAges {
    /// The bucket a row belongs in; `None` when it is too old.
    fn place(&self, series: i64, bucket: i64) -> Option<i64> {
        let kept_from = if is_issue(series) { self.issues_from } else { self.levels_from };
        if bucket < kept_from {
            return None;
        }
        let width = match bucket {
            old if old < self.hours_before => HOUR,
            past if past < self.minutes_before => MINUTE,
            _ => 1,
        };
        Some(bucket.div_euclid(width) * width)
    }

    /// Whether a row isn't where [`CountAges::place`] wants it, in SQL.
    fn misplaced(&self) -> String {
        let Self { minutes_before, hours_before, issues_from, levels_from } = self;
        format!(
            "((bucket < {minutes_before} AND bucket % {MINUTE} <> 0) \
             OR (bucket < {hours_before} AND bucket % {HOUR} <> 0) \
             OR (bucket < {issues_from} AND (series < 0 OR series > {OTHER_SERIES})) OR bucket < {levels_from})"
        )
    }
}

const fn is_issue(series: i64) -> bool {
    series < 0 || series > OTHER_SERIES
}

type Place = (i64, i64);

impl Connection {
    /// The next `limit` series of a project after a series, as a span.
    ///
    /// # Errors
    /// What the database said.
    pub async fn next_series(
        &mut self,
        project_id: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Option<SeriesSpan>, StoreError> {
        self.next_span("counts", "series", project_id, after, limit).await
    }

    /// The next keys of a project in a table of counts by key and bucket, after one; `None` where there are no more.
    pub(super) async fn next_span(
        &mut self,
        table: &str,
        key: &str,
        project_id: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Option<SeriesSpan>, StoreError> {
        let beyond = after.map_or(String::new(), |last| format!("AND {key} > {last} "));
        let find = format!(
            "SELECT DISTINCT {key} FROM {table} WHERE project_id = {project_id} {beyond}ORDER BY {key} LIMIT {limit}"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
        Ok(Some(SeriesSpan { project_id, first: first.int(0)?, last: last.int(0)? }))
    }

    /// Places of a span in such a table of which a condition is true, at most `limit`.
    pub(super) async fn places_of(
        &mut self,
        table: &str,
        key: &str,
        span: SeriesSpan,
        condition: &str,
        limit: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let SeriesSpan { project_id, first, last } = span;
        let find = format!(
            "SELECT {key}, bucket FROM {table} WHERE project_id = {project_id} AND {key} >= {first} \
             AND {key} <= {last} AND {condition} ORDER BY {key}, bucket LIMIT {limit}"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// Puts up to `limit` rows of a span where they belong by their age. Sums never change.
    ///
    /// # Errors
    /// What the database said; then nothing has changed, unless the commit's own answer was lost.
    pub async fn widen_counts(
        &mut self,
        span: SeriesSpan,
        ages: &CountAges,
        limit: usize,
    ) -> Result<CountsWidened, StoreError> {
        let project_id = span.project_id;
        let found = self.places_of("counts", "series", span, &ages.misplaced(), limit).await?;
        if found.is_empty() {
            return Ok(CountsWidened::default());
        }
        let exactly = exactly(project_id, "series", &found);
        self.begin(STATEMENT_TIMEOUT).await?;
        let mut done = self.move_counts(project_id, &exactly, ages).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        done.more = found.len() == limit;
        Ok(done)
    }

    /// Within a transaction: locks exactly these rows, reads them, deletes them, adds them where they belong.
    async fn move_counts(
        &mut self,
        project_id: i64,
        exactly: &str,
        ages: &CountAges,
    ) -> Result<CountsWidened, StoreError> {
        let lock = self.dialect().for_update();
        let read = format!(
            "SELECT series, bucket, event_count FROM counts WHERE {exactly} ORDER BY series, bucket{lock}"
        );
        let mut sums: BTreeMap<Place, i64> = BTreeMap::new();
        let mut done = CountsWidened::default();
        let rows = self.select(read, STATEMENT_TIMEOUT).await?;
        for row in &rows {
            let (series, bucket, count) = (row.int(0)?, row.int(1)?, row.int(2)?);
            match ages.place(series, bucket) {
                None => done.dropped += 1,
                Some(place) => {
                    done.widened += 1;
                    *sums.entry((series, place)).or_default() += count;
                }
            }
        }
        self.change(format!("DELETE FROM counts WHERE {exactly}"), STATEMENT_TIMEOUT).await?;
        let rows: Vec<[Value<'_>; 4]> = sums
            .into_iter()
            .map(|((series, bucket), count)| [project_id.into(), series.into(), bucket.into(), count.into()])
            .collect();
        self.add_counts(&rows).await?;
        Ok(done)
    }
}

/// A condition on rows by project, this column and bucket that a server answers by the primary key alone, so that nothing else is locked.
pub(super) fn exactly(project_id: i64, column: &str, found: &[Place]) -> String {
    let mut sql = format!("project_id = {project_id} AND (");
    for (position, same) in found.chunk_by(|one, next| one.0 == next.0).enumerate() {
        let or = if position == 0 { "" } else { " OR " };
        let buckets: Vec<String> = same.iter().map(|place| place.1.to_string()).collect();
        let _ = write!(sql, "{or}({column} = {} AND bucket IN ({}))", same[0].0, buckets.join(","));
    }
    sql.push(')');
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: CountAges =
        CountAges { minutes_before: 36_000, hours_before: 21_600, issues_from: 7_200, levels_from: 3_600 };

    #[test]
    fn a_row_is_placed_by_its_age_and_kind() {
        assert_eq!(AGES.place(2, 36_010), Some(36_010), "young rows stay");
        assert_eq!(AGES.place(2, 35_990), Some(35_940));
        assert_eq!(AGES.place(2, 21_590), Some(18_000));
        assert_eq!(AGES.place(2, 7_190), Some(3_600), "levels are kept longer");
        assert_eq!(AGES.place(99, 7_190), None);
        assert_eq!(AGES.place(-99, 7_190), None);
        assert_eq!(AGES.place(2, 3_590), None);
    }

    #[test]
    fn rows_are_named_one_by_one() {
        let found = [(1, 10), (1, 20), (7, 10)];
        let expected =
            "project_id = 3 AND ((series = 1 AND bucket IN (10,20)) OR (series = 7 AND bucket IN (10)))";
        assert_eq!(exactly(3, "series", &found), expected);
    }
}
