//! Alerts that were said and are not over: one row for each channel that was told.

use std::collections::BTreeMap;

use super::STATEMENT_TIMEOUT;
use super::alert_outbox::AlertState;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::error::StoreError;
use super::issues::LEVEL_SERIES;
use super::value::{Row, Value};
use crate::timestamp::Timestamp;

/// Alerts that may be open at a time; further ones end without a word.
pub const MAX_OPEN_ALERTS: i64 = 2_000;

/// Names what an alert is about within its rule.
pub type Topic = [u8; 32];

/// An alert a channel is told of.
#[derive(Clone, Debug)]
pub struct OpeningAlert<'a> {
    /// What it is about.
    pub topic: Topic,
    /// The channel's id as text; empty where there was none.
    pub channel: &'a str,
    /// The project.
    pub project_id: i64,
    /// The kind of alert.
    pub kind: &'static str,
    /// The message's slot in the outbox.
    pub slot: [u8; 32],
    /// When it was found.
    pub opened_at: Timestamp,
    /// When its condition was true last.
    pub last_true_at: Timestamp,
    /// The message as JSON.
    pub message: &'a str,
}

/// An alert that is open on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAlert {
    /// What it is about.
    pub topic: Topic,
    /// The channel's id as text; empty where there was none.
    pub channel: String,
    /// The project.
    pub project_id: i64,
    /// The kind of alert.
    pub kind: String,
    /// When it was found.
    pub opened_at: Timestamp,
    /// When its condition was last known to be true.
    pub last_true_at: Timestamp,
    /// The first message about it, as JSON.
    pub message: String,
    /// What became of its first and its latest message; `None` when that was deleted.
    pub said: [Option<AlertState>; 2],
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

fn read_open(row: &Row) -> Result<OpenAlert, StoreError> {
    let state = |column| row.optional_int(column)?.map(AlertState::of).transpose();
    Ok(OpenAlert {
        topic: row.array(0)?,
        channel: row.text(1)?,
        project_id: row.int(2)?,
        kind: row.text(3)?,
        opened_at: Timestamp::from_millis(row.int(4)?),
        last_true_at: Timestamp::from_millis(row.int(5)?),
        message: row.text(6)?,
        said: [state(7)?, state(8)?],
    })
}

fn listed(topics: &[Topic]) -> String {
    topics.iter().map(|topic| hex_literal(topic)).collect::<Vec<_>>().join(",")
}

/// The rows of alerts that were not true for a while; `None` for no kind.
fn quiet(kinds: &[(&'static str, Timestamp)], wrong_after: Timestamp) -> Option<String> {
    let wrong = wrong_after.as_millis();
    let due = |(kind, at): &(&str, Timestamp)| {
        let at = at.as_millis();
        format!("(open_alerts.kind = '{kind}' AND (last_true_at <= {at} OR last_true_at > {wrong}))")
    };
    let due: Vec<String> = kinds.iter().map(due).collect();
    let rows = format!(
        "open_alerts LEFT JOIN alert_outbox AS earlier ON earlier.slot = first_slot \
         LEFT JOIN alert_outbox AS later ON later.slot = last_slot \
         WHERE ({}) AND COALESCE(earlier.state, 1) <> 0 AND COALESCE(later.state, 1) <> 0",
        due.join(" OR ")
    );
    Some(rows).filter(|_| !due.is_empty())
}

impl Connection {
    /// Notes that channels were told, within the transaction that told them, where so many alerts are open already. Said
    /// again while it is open, one stays the same alert. Beyond [`MAX_OPEN_ALERTS`] nothing is noted.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn open_alerts(&mut self, alerts: &[OpeningAlert<'_>], open: i64) -> Result<(), StoreError> {
        let room = usize::try_from(MAX_OPEN_ALERTS - open).unwrap_or(0);
        if alerts.len() > room {
            tracing::warn!("too many alerts are open: the end of some will not be said");
        }
        let rows: Vec<[Value<'_>; 9]> = alerts
            .iter()
            .take(room)
            .map(|alert| {
                [
                    (&alert.topic).into(),
                    alert.channel.into(),
                    alert.project_id.into(),
                    alert.kind.into(),
                    (&alert.slot).into(),
                    (&alert.slot).into(),
                    alert.opened_at.as_millis().into(),
                    alert.last_true_at.as_millis().into(),
                    alert.message.into(),
                ]
            })
            .collect();
        let set = "last_slot = new(last_slot), last_true_at = new(last_true_at)";
        let tail = self.dialect().on_duplicate("topic, channel", set);
        let head = "INSERT INTO open_alerts (topic, channel, project_id, kind, first_slot, last_slot, opened_at, \
                    last_true_at, message)";
        self.insert_rows(head, &rows, &tail).await.map(drop)
    }

    /// Notes that these were still true at a time; what is not open stays so.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_still_true(&mut self, topics: &[Topic], at: Timestamp) -> Result<(), StoreError> {
        if topics.is_empty() {
            return Ok(());
        }
        let at = at.as_millis();
        let note = format!("UPDATE open_alerts SET last_true_at = {at} WHERE topic IN ({})", listed(topics));
        self.change(note, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// What open alerts of these kinds are about that were last true at or before the time given with them, or after
    /// `wrong_after`; oldest first. Left out are those of which a message is still on its way to the channel.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quiet_topics(
        &mut self,
        kinds: &[(&'static str, Timestamp)],
        wrong_after: Timestamp,
    ) -> Result<Vec<Topic>, StoreError> {
        let Some(quiet) = quiet(kinds, wrong_after) else { return Ok(Vec::new()) };
        let find = format!(
            "SELECT topic, MIN(last_true_at) AS since FROM {quiet} GROUP BY topic ORDER BY since, topic \
             LIMIT {MAX_OPEN_ALERTS}"
        );
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(|row| row.array(0)).collect()
    }

    /// Those alerts, about these topics, oldest first, at most `limit`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quiet_alerts(
        &mut self,
        kinds: &[(&'static str, Timestamp)],
        wrong_after: Timestamp,
        topics: &[Topic],
        limit: usize,
    ) -> Result<Vec<OpenAlert>, StoreError> {
        let Some(quiet) = quiet(kinds, wrong_after).filter(|_| !topics.is_empty()) else {
            return Ok(Vec::new());
        };
        let find = format!(
            "SELECT topic, open_alerts.channel, open_alerts.project_id, open_alerts.kind, opened_at, last_true_at, \
             open_alerts.message, earlier.state, later.state FROM {quiet} AND topic IN ({}) \
             ORDER BY last_true_at, topic, open_alerts.channel LIMIT {limit}",
            listed(topics)
        );
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(read_open).collect()
    }

    /// What is open, each once on however many channels: project, kind, and the message of a user's own rule (else empty).
    ///
    /// # Errors
    /// What the database said.
    pub async fn list_open_alerts(
        &mut self,
        project_id: Option<i64>,
    ) -> Result<Vec<(i64, String, String)>, StoreError> {
        let of = project_id.map_or(String::new(), |id| format!("WHERE project_id = {id} "));
        let find = format!(
            "SELECT topic, project_id, kind, CASE WHEN kind = 'custom' THEN message ELSE '' END \
             FROM open_alerts {of}ORDER BY topic, channel LIMIT {MAX_OPEN_ALERTS}"
        );
        let mut seen: BTreeMap<Topic, (i64, String, String)> = BTreeMap::new();
        for row in self.select(find, STATEMENT_TIMEOUT).await? {
            seen.insert(row.array(0)?, (row.int(1)?, row.text(2)?, row.text(3)?));
        }
        Ok(seen.into_values().collect())
    }

    /// The first and the latest message about a topic on each channel it is open on, as JSON; empty where it was deleted.
    ///
    /// # Errors
    /// What the database said.
    pub async fn open_messages(&mut self, topic: &Topic) -> Result<Vec<String>, StoreError> {
        let find = "SELECT open_alerts.message, COALESCE(later.message, '') FROM open_alerts \
                    LEFT JOIN alert_outbox AS later ON later.slot = last_slot WHERE topic = ?";
        let mut messages = Vec::new();
        for row in self.query(find, &[topic.into()], STATEMENT_TIMEOUT).await? {
            messages.extend([row.text(0)?, row.text(1)?]);
        }
        Ok(messages)
    }

    /// Takes an alert off the list; false when another instance did, or it was true again meanwhile.
    ///
    /// # Errors
    /// What the database said.
    pub async fn close_alert(&mut self, alert: &OpenAlert) -> Result<bool, StoreError> {
        let delete = "DELETE FROM open_alerts WHERE topic = ? AND channel = ? AND last_true_at = ?";
        let values: [Value<'_>; 3] =
            [(&alert.topic).into(), alert.channel.as_str().into(), alert.last_true_at.as_millis().into()];
        Ok(self.execute(delete, &values, STATEMENT_TIMEOUT).await? > 0)
    }

    /// Takes an alert off the list on every channel.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forget_open_alert(&mut self, topic: &Topic) -> Result<(), StoreError> {
        let delete = "DELETE FROM open_alerts WHERE topic = ?";
        self.execute(delete, &[topic.into()], STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Buckets that hold events of the series `series.0` to before `series.1` of a project, from `from` on, with their
    /// numbers; oldest first, at most `limit`; in epoch seconds.
    ///
    /// # Errors
    /// What the database said.
    pub async fn bucket_counts(
        &mut self,
        project_id: i64,
        series: (i64, i64),
        from: i64,
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let (first, end) = series;
        let find = format!(
            "SELECT bucket, CAST(SUM(event_count) AS SIGNED) FROM counts WHERE project_id = {project_id} \
             AND series >= {first} AND series < {end} AND bucket >= {from} GROUP BY bucket ORDER BY bucket LIMIT {limit}"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
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

    /// Events of the series `series.0` to before `series.1` of a project, in buckets from `from` to `to`, both included.
    ///
    /// # Errors
    /// What the database said.
    pub async fn span_count(
        &mut self,
        project_id: i64,
        series: (i64, i64),
        from: i64,
        to: i64,
    ) -> Result<SpanCount, StoreError> {
        let (first, end) = series;
        let find = format!(
            "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED), COALESCE(MIN(bucket), {from}), \
             COALESCE(MAX(bucket), {to}) FROM counts WHERE project_id = {project_id} AND series >= {first} \
             AND series < {end} AND bucket >= {from} AND bucket <= {to}"
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("a sum has a row".to_owned()))?;
        Ok(SpanCount { count: row.int(0)?, first: row.int(1)?, last: row.int(2)? })
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
