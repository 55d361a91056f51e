//! Counts of events over spans of time, for alerts that are open and projects that are silent.

use std::collections::BTreeMap;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::issues::LEVEL_SERIES;
use super::value::Row;

/// Events that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedSpan {
    /// The project.
    pub project_id: i64,
    /// The series, the second not included.
    pub series: (i64, i64),
    /// The first bucket, in epoch seconds.
    pub from: i64,
    /// The last one, included.
    pub to: i64,
}

impl WantedSpan {
    fn condition(&self) -> String {
        let Self { project_id, series: (first, end), from, to } = self;
        format!(
            "project_id = {project_id} AND series >= {first} AND series < {end} AND bucket >= {from} \
             AND bucket <= {to}"
        )
    }
}

/// Events of a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanCount {
    /// How many.
    pub count: i64,
    /// The first bucket that holds any, in epoch seconds.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

impl Connection {
    /// Buckets of each of these spans that hold events, with their numbers; oldest first, at most `limit` of each; in epoch
    /// seconds. One round trip for many.
    ///
    /// # Errors
    /// What the database said.
    pub async fn bucket_counts(
        &mut self,
        wanted: &[WantedSpan],
        limit: usize,
    ) -> Result<Vec<Vec<(i64, i64)>>, StoreError> {
        let find = |(place, span): (usize, &WantedSpan)| {
            format!(
                "SELECT {place}, bucket, CAST(SUM(event_count) AS SIGNED) FROM counts WHERE {} \
                 GROUP BY bucket ORDER BY bucket LIMIT {limit}",
                span.condition()
            )
        };
        let mut counts = vec![Vec::new(); wanted.len()];
        for row in self.select_packets(wanted.iter().enumerate().map(find)).await? {
            if let Some(of) = counts.get_mut(row.narrow::<usize>(0)?) {
                of.push((row.int(1)?, row.int(2)?));
            }
        }
        Ok(counts)
    }

    /// Events of each of these projects since a time of its own, in epoch seconds; a project without any is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn events_since(
        &mut self,
        since: &BTreeMap<i64, i64>,
    ) -> Result<BTreeMap<i64, i64>, StoreError> {
        let of = |(project, from): (&i64, &i64)| {
            format!(
                "SELECT {project}, CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM counts \
                 WHERE project_id = {project} AND series >= 0 AND series < {LEVEL_SERIES} AND bucket >= {from}"
            )
        };
        let sql = since.iter().map(of).collect::<Vec<_>>().join(";");
        if sql.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// Events of each of these spans. One round trip for many.
    ///
    /// # Errors
    /// What the database said.
    pub async fn span_counts(&mut self, wanted: &[WantedSpan]) -> Result<Vec<SpanCount>, StoreError> {
        let find = |span: &WantedSpan| {
            let WantedSpan { from, to, .. } = span;
            format!(
                "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED), COALESCE(MIN(bucket), {from}), \
                 COALESCE(MAX(bucket), {to}) FROM counts WHERE {}",
                span.condition()
            )
        };
        let rows = self.select_packets(wanted.iter().map(find)).await?;
        let read = |row: &Row| Ok(SpanCount { count: row.int(0)?, first: row.int(1)?, last: row.int(2)? });
        rows.iter().map(read).collect()
    }

    /// The last bucket of each of these projects that holds events, in epoch seconds; a few look-ups by the key each.
    ///
    /// # Errors
    /// What the database said.
    pub async fn last_event_buckets(&mut self, projects: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        let of = |project: &i64| {
            let of = |level| {
                format!(
                    "SELECT MAX(bucket) AS last FROM counts WHERE project_id = {project} AND series = {level}"
                )
            };
            let levels: Vec<String> = (0..LEVEL_SERIES).map(of).collect();
            format!("SELECT {project}, MAX(last) FROM ({}) AS levels", levels.join(" UNION ALL "))
        };
        let sql = projects.iter().map(of).collect::<Vec<_>>().join(";");
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        let read = |row: &Row| Ok(row.optional_int(1)?.map(|last| (row.int(0), last)));
        let found: Vec<_> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        found.into_iter().flatten().map(|(project, last)| Ok((project?, last))).collect()
    }

    /// Events of a project by hour, from the hour `from` to before `to`, both in hours since the epoch.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hourly_events(
        &mut self,
        project_id: i64,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let divide = self.dialect().divide();
        let find = format!(
            "SELECT bucket {divide} 3600 AS hour, CAST(SUM(event_count) AS SIGNED) FROM counts \
             WHERE project_id = {project_id} AND series >= 0 AND series < {LEVEL_SERIES} \
             AND bucket >= {} AND bucket < {} GROUP BY hour ORDER BY hour",
            from * 3_600,
            to * 3_600
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }
}
