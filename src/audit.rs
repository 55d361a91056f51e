//! The audit log: who changed what as an admin, when, and how it ended.
//!
//! [`record`] writes its row before the change is made, so that no change goes unseen however the process dies; a row
//! that still says `begun` is of a change that may or may not have happened. Secrets, event contents and full client
//! addresses never get into it. Maintenance keeps [`MAX_AGE_DAYS`] and the newest [`MAX_ROWS`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::{uuid_at, uuid_time};
use crate::store::{AuditRow, Store, StoreError};
use crate::timestamp::Timestamp;

/// Rows older than this are deleted.
pub const MAX_AGE_DAYS: i64 = 90;
/// Rows beyond the newest so many are deleted.
pub const MAX_ROWS: usize = 10_000;
/// Longest target, in characters.
const MAX_TARGET_CHARS: usize = 128;
/// Longest parameters or result, in bytes of JSON; what is longer is left out and said so.
const MAX_JSON_BYTES: usize = 16 * 1024;

/// By which right an admin acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// `ADMIN_TOKEN`.
    AdminToken,
    /// A session on the page.
    Session,
    /// The command line.
    Cli,
}

impl Actor {
    /// The name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminToken => "admin_token",
            Self::Session => "session",
            Self::Cli => "cli",
        }
    }
}

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// By which right.
    pub actor: Actor,
    /// The client's network as [`network`] writes it; empty for the command line.
    pub network: String,
    /// The id of the request; empty for the command line.
    pub request_id: String,
}

impl Origin {
    /// The command line.
    #[must_use]
    pub const fn cli() -> Self {
        Self { actor: Actor::Cli, network: String::new(), request_id: String::new() }
    }
}

/// A change that is about to be made.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is done, such as `project.delete`.
    pub action: &'static str,
    /// To what, such as `project 7`.
    pub target: String,
    /// How; no secrets.
    pub parameters: Value,
}

/// A row that waits for its result.
#[must_use = "the row says `begun` until its result is noted"]
pub struct Recorded {
    store: Store,
    id: Uuid,
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Recorded").field(&self.id).finish()
    }
}

/// Writes that a change is about to be made. The change must not be made when this fails.
///
/// # Errors
/// What the database said.
pub async fn record(
    store: &Store,
    origin: &Origin,
    change: Change,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let id = next_id(now);
    let Change { action, target, parameters } = change;
    let row = AuditRow {
        id,
        actor: origin.actor.name().to_owned(),
        origin: origin.network.clone(),
        request_id: origin.request_id.clone(),
        action: action.to_owned(),
        target: target.chars().take(MAX_TARGET_CHARS).collect(),
        parameters: fitting(&parameters),
        result: json!({ "state": "begun" }).to_string(),
    };
    store.add_audit_row(&row).await?;
    Ok(Recorded { store: store.clone(), id })
}

/// A `UUIDv7` with a counter where it may have one, so that rows of one millisecond stay in the order of this process.
fn next_id(now: Timestamp) -> Uuid {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let [_, high, middle, low] = WRITTEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let mut bytes = *uuid_at(now).as_bytes();
    // 4 bits of version and 2 of variant stay; the counter's lower 22 bits are what is between and after them.
    bytes[6] = (bytes[6] & 0xf0) | (high >> 2 & 0x0f);
    bytes[7] = high << 6 | middle >> 2;
    bytes[8] = (bytes[8] & 0xc0) | (middle << 4 & 0x30) | low >> 4;
    bytes[9] = low << 4;
    Uuid::from_bytes(bytes)
}

impl Recorded {
    /// Notes that the change was made. Where that fails the row goes on saying `begun`: the change stands.
    pub async fn done(self, mut result: Value) {
        if let Some(fields) = result.as_object_mut() {
            fields.insert("state".to_owned(), json!("done"));
        }
        self.note(&result).await;
    }

    /// Notes that the change was refused or failed; after a failure of the database it may have happened.
    pub async fn failed(self, code: &str) {
        self.note(&json!({ "state": "failed", "code": code })).await;
    }

    async fn note(self, result: &Value) {
        if let Err(error) = self.store.note_audit_result(self.id, &fitting(result)).await {
            tracing::warn!(%error, "the audit log doesn't say how a change ended");
        }
    }
}

fn fitting(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= MAX_JSON_BYTES { text } else { json!({ "left_out_bytes": text.len() }).to_string() }
}

/// A row for the admin API.
#[must_use]
pub fn row_json(row: &AuditRow) -> Value {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let given = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({
        "id": row.id.to_string(),
        "at": uuid_time(&row.id).to_string(),
        "actor": row.actor,
        "network": given(&row.origin),
        "request_id": given(&row.request_id),
        "action": row.action,
        "target": row.target,
        "parameters": read(&row.parameters),
        "result": read(&row.result),
    })
}

/// A client's address cut to its network, /24 or /48: enough to tell the office from elsewhere, too little to tell a
/// person.
#[must_use]
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_to_its_network() {
        let cut = |text: &str| network(text.parse().unwrap());
        assert_eq!(cut("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(cut("::ffff:203.0.113.77"), "203.0.113.0/24");
        assert_eq!(cut("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48");
    }

    #[test]
    fn rows_of_one_moment_stay_in_order() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let ids: Vec<Uuid> = (0..10_000).map(|_| next_id(now)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| uuid_time(id) == now && id.get_version_num() == 7));
    }

    #[test]
    fn what_is_too_long_is_left_out_and_said_so() {
        assert_eq!(fitting(&json!({ "q": "x" })), r#"{"q":"x"}"#);
        let long = fitting(&json!("x".repeat(MAX_JSON_BYTES)));
        assert_eq!(long, format!(r#"{{"left_out_bytes":{}}}"#, MAX_JSON_BYTES + 2));
    }
}
