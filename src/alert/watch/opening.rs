//! Noting what channels are told of, as they are told.

use sha2::{Digest, Sha256};

use super::super::NewAlert;
use super::{AlertKind, OVERFLOW_QUIET_SEC, quiet_ms};
use crate::store::{Connection, OpeningAlert, OutboxRow, StoreError, Topic};
use crate::timestamp::Timestamp;

/// Names what alerts of a rule and group are about.
pub(super) fn topic(rule: &str, group: &str) -> Topic {
    let mut hash = Sha256::new_with_prefix("tekno-open-alert-v1");
    for part in [rule.as_bytes(), group.as_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Notes, within the transaction that put these messages of alerts into the outbox, that they are open, those of a kind
/// that ends; so many are open already.
///
/// # Errors
/// What the database said.
pub(in crate::alert) async fn open(
    connection: &mut Connection,
    alerts: &[(&NewAlert, Vec<&OutboxRow>)],
    already: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ends = |alert: &NewAlert| !alert.message.resolved && quiet_ms(alert.message.kind).is_some();
    let mut openings = Vec::new();
    for (alert, added) in alerts.iter().filter(|(alert, _)| ends(alert)) {
        let message = &alert.message;
        // Its counts know better when it was true last; they are asked when it seems to be over.
        let last_true_at = match message.kind {
            AlertKind::OverflowStarted => {
                message.first_seen.unwrap_or(now.plus_millis(-OVERFLOW_QUIET_SEC * 1_000))
            }
            _ => message.received_until.unwrap_or(now),
        };
        openings.extend(added.iter().map(|row| OpeningAlert {
            topic: topic(&alert.rule, &alert.group),
            channel: &row.channel,
            project_id: message.project_id,
            kind: message.kind.name(),
            slot: row.slot,
            opened_at: now,
            last_true_at,
            message: &row.message,
        }));
    }
    connection.open_alerts(&openings, already).await
}
