//! The last question of a run with faults: does the ledger add up, and to what was found event by event?

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::Client;

/// How long the ledger may take once all is counted: what is in memory is written once a second.
const QUIET: Duration = Duration::from_mins(1);

/// Waits until both sums of a project's ledger hold and say that `stored` events are there (in the database or in the
/// spool of the instance asked), none missing, and nothing was deleted.
pub async fn check_ledger(client: &Client, project_id: i64, stored: usize) {
    let started = Instant::now();
    loop {
        let (status, ledger) = client.get(&format!("/stats/ledger?project_id={project_id}&from=-48h")).await;
        if status == 200 && adds_up(&ledger, stored) {
            return;
        }
        assert!(
            started.elapsed() < QUIET,
            "the ledger does not add up to {stored} events: {status} {ledger}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn adds_up(ledger: &Value, stored: usize) -> bool {
    let totals = &ledger["totals"];
    let number = |name: &str| totals[name].as_i64().unwrap_or_else(|| panic!("{name} in {ledger}"));
    let received: i64 = ["accepted", "duplicate", "rejected", "limited", "refused"].map(number).iter().sum();
    let gone: i64 = ["purged", "deleted", "in_spool", "quarantined"].map(number).iter().sum();
    let stored = i64::try_from(stored).unwrap();
    number("received") == received
        && number("stored") == number("accepted") - gone
        && number("accepted") == stored
        && number("stored") + number("in_spool") == stored
        && ledger["balance"]["balanced"] == true
}
