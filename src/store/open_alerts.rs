//! Alerts that were said and are not over: one row for each channel that was told.

use std::collections::BTreeMap;

use super::STATEMENT_TIMEOUT;
use super::alert_outbox::AlertState;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::error::StoreError;
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

    /// The same of each at a time of its own.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_true_at(&mut self, topics: &[(Topic, Timestamp)]) -> Result<(), StoreError> {
        let note = |(topic, at): &(Topic, Timestamp)| {
            let (topic, at) = (hex_literal(topic), at.as_millis());
            format!("UPDATE open_alerts SET last_true_at = {at} WHERE topic = {topic}")
        };
        self.select_packets(topics.iter().map(note)).await.map(drop)
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

    /// Takes alerts off the list, in this order and in one packet. Gives those that were there: of the others another
    /// instance took some, and some were true again meanwhile.
    ///
    /// # Errors
    /// What the database said.
    pub async fn close_alerts<'a>(
        &mut self,
        alerts: &[&'a OpenAlert],
    ) -> Result<Vec<&'a OpenAlert>, StoreError> {
        let (dialect, lock) = (self.dialect(), self.dialect().for_update());
        let close = |(place, alert): (usize, &&OpenAlert)| {
            let (topic, channel) = (hex_literal(&alert.topic), dialect.text_literal(&alert.channel));
            let at = alert.last_true_at.as_millis();
            let this = format!("topic = {topic} AND channel = {channel} AND last_true_at = {at}");
            format!("SELECT {place} FROM open_alerts WHERE {this}{lock};DELETE FROM open_alerts WHERE {this}")
        };
        let rows = self.select_packets(alerts.iter().enumerate().map(close).collect::<Vec<_>>()).await?;
        let there = rows.iter().map(|row| row.narrow::<usize>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(there.into_iter().filter_map(|place| alerts.get(place).copied()).collect())
    }

    /// Takes an alert off the list on every channel.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forget_open_alert(&mut self, topic: &Topic) -> Result<(), StoreError> {
        let delete = "DELETE FROM open_alerts WHERE topic = ?";
        self.execute(delete, &[topic.into()], STATEMENT_TIMEOUT).await.map(drop)
    }
}
