//! What alert rules look at: sums of recent counts, and what some rules count themselves because `counts` doesn't know it.

use std::collections::BTreeMap;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::counts::{SeriesSpan, exactly};
use super::error::StoreError;
use super::value::Value;

/// Sums asked for at once.
pub const SPANS: usize = 2;
/// Sums since each of the times asked for.
pub type SpanSums = [i64; SPANS];
/// Series of one question.
const SERIES_A_QUERY: usize = 500;

/// Which counts of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCounts {
    /// The project.
    pub project_id: i64,
    /// Series of `counts`; those below [`super::LEVEL_SERIES`] are levels.
    pub series: Vec<i64>,
    /// Buckets at or after each of these, in epoch seconds.
    pub since: [i64; SPANS],
    /// Only series of which there were so many since the first of these times.
    pub at_least: i64,
}

impl WantedCounts {
    fn series_of(&self) -> impl Iterator<Item = &[i64]> {
        self.series.chunks(SERIES_A_QUERY)
    }
}

/// What one rule counted of one project in one bucket of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleCountKey {
    /// The project.
    pub project_id: i64,
    /// The rule.
    pub rule_id: i64,
    /// Epoch seconds, a multiple of ten.
    pub bucket: i64,
}

/// Events a rule looked for, and all it looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Those it looked for.
    pub matched: i64,
    /// All of them, where the rule asks for a share.
    pub seen: i64,
}

impl std::ops::AddAssign for RuleCount {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.seen += other.seen;
    }
}

/// A rule's counts of a project: in its window, and in the longer time that says what is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedRuleCount {
    /// The project.
    pub project_id: i64,
    /// The rule.
    pub rule_id: i64,
    /// First bucket of the window, epoch seconds.
    pub window: i64,
    /// First bucket of the longer time.
    pub usual: i64,
    /// Last bucket of both; [`i64::MAX`] where they go on.
    pub until: i64,
}

/// A span of a project's counts and a longer time before it that ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPast {
    /// The project.
    pub project_id: i64,
    /// Series of `counts`.
    pub series: Vec<i64>,
    /// First bucket of the span, epoch seconds.
    pub window: i64,
    /// First bucket of the longer time.
    pub usual: i64,
    /// Last bucket of both.
    pub until: i64,
}

/// What is counted in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastSum {
    /// Events in the span.
    pub inside: i64,
    /// Events in the longer time, the span included.
    pub longer: i64,
    /// Minutes before the span that have any.
    pub minutes: i64,
}

/// The sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSums {
    /// In the window.
    pub inside: RuleCount,
    /// Events it looked for in the longer time, the window included.
    pub matched: i64,
}

impl Connection {
    /// Sums of counts by project and series, many in one round trip; what there are no counts of is left out. Reads the
    /// buckets of the longest span of each series, by the primary key.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn recent_counts(
        &mut self,
        wanted: &[WantedCounts],
    ) -> Result<BTreeMap<(i64, i64), SpanSums>, StoreError> {
        let of = |(wanted, series): (&WantedCounts, &[i64])| {
            let WantedCounts { project_id, since, at_least, .. } = wanted;
            let sum = |since: &i64| {
                format!("CAST(SUM(CASE WHEN bucket >= {since} THEN event_count ELSE 0 END) AS SIGNED)")
            };
            let sums: Vec<String> = since.iter().map(sum).collect();
            let series: Vec<String> = series.iter().map(i64::to_string).collect();
            let least = since.iter().min().copied().unwrap_or(i64::MAX);
            format!(
                "SELECT project_id, series, {} FROM counts WHERE project_id = {project_id} AND series IN ({}) \
                 AND bucket >= {least} GROUP BY project_id, series HAVING {} >= {at_least}",
                sums.join(", "),
                series.join(","),
                sums[0]
            )
        };
        let parts = |wanted| WantedCounts::series_of(wanted).map(move |series| (wanted, series));
        let queries: Vec<String> = wanted.iter().flat_map(parts).map(of).collect();
        let mut found = BTreeMap::new();
        for row in self.select_packets(queries).await? {
            let mut sums = SpanSums::default();
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum = row.int(column + 2)?;
            }
            found.insert((row.int(0)?, row.int(1)?), sums);
        }
        Ok(found)
    }

    /// Sums of counts between given times, in the order asked, many in one round trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn past_sums(&mut self, wanted: &[WantedPast]) -> Result<Vec<PastSum>, StoreError> {
        let divide = self.dialect().divide();
        let of = |one: &WantedPast| {
            let WantedPast { project_id, series, window, usual, until } = one;
            let series: Vec<String> = series.iter().map(i64::to_string).collect();
            format!(
                "SELECT CAST(COALESCE(SUM(CASE WHEN bucket >= {window} THEN event_count ELSE 0 END), 0) AS SIGNED), \
                 CAST(COALESCE(SUM(event_count), 0) AS SIGNED), \
                 COUNT(DISTINCT CASE WHEN bucket < {window} THEN bucket {divide} 60 END) FROM counts \
                 WHERE project_id = {project_id} AND series IN ({}) AND bucket >= {usual} AND bucket <= {until}",
                series.join(",")
            )
        };
        let asked: Vec<String> = wanted.iter().map(of).collect();
        let rows = self.select_packets(asked).await?;
        let read = |row: &super::value::Row| {
            Ok(PastSum { inside: row.int(0)?, longer: row.int(1)?, minutes: row.int(2)? })
        };
        rows.iter().map(read).collect()
    }

    /// Adds to what rules counted, within the caller's transaction, many rows in one statement.
    ///
    /// # Errors
    /// What the database said.
    pub async fn add_rule_counts(
        &mut self,
        counts: &BTreeMap<RuleCountKey, RuleCount>,
    ) -> Result<(), StoreError> {
        let rows: Vec<[Value<'_>; 5]> = counts
            .iter()
            .map(|(key, count)| {
                [key.project_id, key.rule_id, key.bucket, count.matched, count.seen].map(Value::from)
            })
            .collect();
        let set =
            "matched = alert_rule_counts.matched + new(matched), seen = alert_rule_counts.seen + new(seen)";
        let tail = self.dialect().on_duplicate("project_id, rule_id, bucket", set);
        let insert = "INSERT INTO alert_rule_counts (project_id, rule_id, bucket, matched, seen)";
        self.insert_rows(insert, &rows, &tail).await.map(drop)
    }

    /// Sums of what rules counted, in the order asked, many in one round trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn rule_counts(&mut self, wanted: &[WantedRuleCount]) -> Result<Vec<RuleSums>, StoreError> {
        let of = |one: &WantedRuleCount| {
            let WantedRuleCount { project_id, rule_id, window, usual, until } = one;
            let inside = |column: &str| {
                format!(
                    "CAST(COALESCE(SUM(CASE WHEN bucket >= {window} THEN {column} ELSE 0 END), 0) AS SIGNED)"
                )
            };
            format!(
                "SELECT {}, {}, CAST(COALESCE(SUM(matched), 0) AS SIGNED) FROM alert_rule_counts \
                 WHERE project_id = {project_id} AND rule_id = {rule_id} AND bucket >= {usual} AND bucket <= {until}",
                inside("matched"),
                inside("seen")
            )
        };
        let asked: Vec<String> = wanted.iter().map(of).collect();
        let rows = self.select_packets(asked).await?;
        let read = |row: &super::value::Row| {
            let inside = RuleCount { matched: row.int(0)?, seen: row.int(1)? };
            Ok(RuleSums { inside, matched: row.int(2)? })
        };
        rows.iter().map(read).collect()
    }

    /// Up to `limit` rules of a project that counted events themselves, after a number; `None` where there are no more.
    ///
    /// # Errors
    /// What the database said.
    pub async fn next_counting_rules(
        &mut self,
        project_id: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Option<SeriesSpan>, StoreError> {
        self.next_span("alert_rule_counts", "rule_id", project_id, after, limit).await
    }

    /// Deletes up to `limit` rows of what these rules counted in buckets before a time; gives how many there were.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_old_rule_counts(
        &mut self,
        span: SeriesSpan,
        before: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let condition = format!("bucket < {before}");
        let found = self.places_of("alert_rule_counts", "rule_id", span, &condition, limit).await?;
        if !found.is_empty() {
            let exactly = exactly(span.project_id, "rule_id", &found);
            self.change(format!("DELETE FROM alert_rule_counts WHERE {exactly}"), STATEMENT_TIMEOUT).await?;
        }
        Ok(found.len())
    }
}
