//! `GET /stats/ledger`: what was received and what became of it, by hour of receipt, with both sums and whether they hold.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::http::guard::Reader;
use crate::http::json;
use crate::http::route::{Call, Reply};
use crate::http::search::{readable_projects, reader, turn};
use crate::http::search_input::time;
use crate::ledger::{Account, KEPT_DAYS, Kind, hour_of};
use crate::project::{Project, ProjectRef};
use crate::spool::{SILENT_AFTER_MS, Spool};
use crate::store::{Accounts, LedgerQuery, SpoolReport, StoreError, Waiting};
use crate::timestamp::Timestamp;

const HOUR: i64 = 3_600;
/// Hours shown when no range is asked for.
const DEFAULT_HOURS: i64 = 24;
/// Most hours shown: as many as are kept, and the one that runs.
const MAX_HOURS: i64 = KEPT_DAYS * 24 + 1;
/// What the numbers can't know.
const NOTE: &str = "accepted, stored, purged, deleted and quarantined are exact. The others are counted in memory and written \
                    once a second: a process that is killed, or stops while the database is away, loses what it had not \
                    written. in_spool is this instance's spool alone; in_other_spools is what other instances told within the last \
                    90 seconds, of what is nowhere else.";
/// Stretches listed at most in which no instance was awake with its database.
const MAX_UNSEEN: usize = 100;
/// Other spools listed at most.
const MAX_SPOOLS: usize = 100;

/// `GET /stats/ledger`.
///
/// # Errors
/// 400 naming the parameter, 404 for a project the caller doesn't have, 503.
pub async fn ledger(call: Call) -> Reply {
    let now = call.state.clock.now();
    let asked = readable_projects(&call)?;
    let is_everything = reader(&call)? == Reader::All && !names_project(&call);
    let ids: Vec<i64> = asked.iter().map(|project| project.id).collect();
    let (from, to) = range(call.request.uri().query().unwrap_or(""), now)?;
    let query = LedgerQuery { projects: (!is_everything).then_some(ids.as_slice()), from, to };
    let _turn = turn(&call).await?;
    // The spool first: what is on its way from there to the database is then met at least once.
    let waiting = waiting(&call, &query).await?;
    let mut snapshot = call.state.store.snapshot().await?;
    let mut accounts = snapshot.accounts(&query).await?;
    let ours = call.state.spool.as_ref().and_then(Spool::id);
    let reports = snapshot.spool_reports(&query, ours.as_deref()).await?;
    let unseen = snapshot.uncovered(from / 60, to.min(now.as_seconds()) / 60, MAX_UNSEEN).await?;
    snapshot.end().await;
    for Waiting { project_id, hour, events } in waiting {
        accounts.hours.entry(hour).or_default().in_spool += events;
        accounts.projects.entry(project_id).or_default().in_spool += events;
    }
    for SpoolReport { waiting, .. } in reports.iter().filter(|report| report.told_ms_ago < SILENT_AFTER_MS) {
        accounts.hours.entry(waiting.hour).or_default().told_elsewhere += waiting.events;
        accounts.projects.entry(waiting.project_id).or_default().told_elsewhere += waiting.events;
    }
    let mut shown = shown(&accounts, from, to);
    shown["other_spools"] = other_spools(&reports);
    let stretch = |(from, to): &(i64, i64)| json!({ "from": seconds(from * 60), "to": seconds(to * 60) });
    shown["unseen"] = unseen.iter().map(stretch).collect();
    if is_everything {
        let name = |id| call.state.directory.project(&ProjectRef::Id(id));
        shown["projects"] =
            accounts.projects.iter().map(|(id, one)| project_json(*id, name(*id).as_deref(), one)).collect();
    }
    Ok(json::reply(StatusCode::OK, &shown))
}

fn names_project(call: &Call) -> bool {
    let query = call.request.uri().query().unwrap_or("");
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "project_id" && !value.is_empty())
}

/// Whole hours: from that of `from` to that of `to`, both included.
fn range(query: &str, now: Timestamp) -> Result<(i64, i64), ApiError> {
    let (mut from, mut to) = (None, now);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (name.as_ref(), value.is_empty()) {
            ("from", false) => from = Some(time("from", &value, now)?),
            ("to", false) => to = time("to", &value, now)?,
            _ => {}
        }
    }
    let end = hour_of(to) + HOUR;
    let begin = from.map_or(end - DEFAULT_HOURS * HOUR, hour_of);
    let hours = (end - begin) / HOUR;
    if begin < 0 || !(1..=MAX_HOURS).contains(&hours) {
        let detail = format!("from must be before to, by at most {KEPT_DAYS} days.");
        return Err(ApiError::InvalidParameter(detail));
    }
    Ok((begin, end))
}

/// Events in this instance's spool by project and hour, of what is asked for.
async fn waiting(call: &Call, query: &LedgerQuery<'_>) -> Result<Vec<Waiting>, StoreError> {
    let Some(spool) = call.state.spool.as_ref().and_then(Spool::source) else { return Ok(Vec::new()) };
    let mut waiting = spool.read().await?.waiting_events(query.from, query.to).await?;
    waiting.retain(|one| query.projects.is_none_or(|own| own.contains(&one.project_id)));
    Ok(waiting)
}

fn shown(accounts: &Accounts, from: i64, to: i64) -> Value {
    let mut totals = Account::default();
    accounts.hours.values().for_each(|account| totals.merge(account));
    let hours: Vec<Value> = accounts
        .hours
        .iter()
        .map(|(hour, account)| {
            let mut shown = account_json(account);
            shown["hour"] = json!(seconds(*hour));
            shown["balanced"] = json!(account.is_balanced());
            shown
        })
        .collect();
    json!({
        "from": seconds(from),
        "to": seconds(to),
        "hours": hours,
        "totals": account_json(&totals),
        "balance": balance_json(&totals, accounts),
        "note": NOTE,
    })
}

/// What other instances told to have in their spools, of the hours and projects asked for, the newest first; also those
/// that were not heard of since.
fn other_spools(reports: &[SpoolReport]) -> Value {
    let mut spools: Vec<(&str, i64, i64)> = Vec::new();
    for SpoolReport { spool, waiting, told_ms_ago } in reports {
        match spools.iter_mut().find(|(id, ..)| id == spool) {
            Some((_, events, _)) => *events += waiting.events,
            None => spools.push((spool, waiting.events, *told_ms_ago)),
        }
    }
    let shown = spools.iter().take(MAX_SPOOLS).map(
        |(_, events, ago)| json!({ "events": events, "told_ms_ago": ago, "silent": *ago >= SILENT_AFTER_MS }),
    );
    Value::Array(shown.collect())
}

fn project_json(id: i64, project: Option<&Project>, account: &Account) -> Value {
    let mut shown = account_json(account);
    shown["project_id"] = json!(id);
    shown["project"] = json!(project.map(|project| project.slug.as_str()));
    shown["balanced"] = json!(account.is_balanced());
    shown
}

fn account_json(account: &Account) -> Value {
    let by_reason = |kind| -> Map<String, Value> {
        account.reasons(kind).map(|(reason, amount)| (reason.to_owned(), json!(amount))).collect()
    };
    json!({
        "received": account.received(),
        "accepted": account.accepted(),
        "duplicate": account.sum(Kind::Duplicate),
        "rejected": account.sum(Kind::Rejected),
        "limited": account.sum(Kind::Limited),
        "refused": account.sum(Kind::Refused),
        "stored": account.accounted_stored(),
        "purged": account.sum(Kind::Purged),
        "deleted": account.sum(Kind::Deleted),
        "in_spool": account.in_spool,
        "in_other_spools": account.in_other_spools(),
        "quarantined": account.sum(Kind::Quarantined),
        "reasons": {
            "rejected": by_reason(Kind::Rejected),
            "limited": by_reason(Kind::Limited),
            "refused": by_reason(Kind::Refused),
            "deleted": by_reason(Kind::Deleted),
        },
        "refused_requests": by_reason(Kind::Requests),
    })
}

/// Each sum with what it is compared to: what the writers' memory says was received, what the blocks hold.
fn balance_json(totals: &Account, accounts: &Accounts) -> Value {
    let sum = |counted: i64, accounted: i64| json!({ "counted": counted, "accounted": accounted, "difference": counted - accounted });
    let all = |accounts: &BTreeMap<i64, Account>| accounts.values().all(Account::is_balanced);
    json!({
        "received": sum(totals.received(), totals.accounted_received()),
        "stored": sum(totals.in_blocks, totals.accounted_stored()),
        "missing": totals.missing(),
        "uncounted": totals.uncounted(),
        "balanced": totals.is_balanced() && all(&accounts.hours) && all(&accounts.projects),
    })
}

fn seconds(at: i64) -> String {
    Timestamp::from_millis(at * 1_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_123_000);

    #[test]
    fn a_range_is_whole_hours_and_has_its_bound() {
        let this_hour = 1_800_000_000;
        assert_eq!(range("", NOW).unwrap(), (this_hour - 23 * HOUR, this_hour + HOUR));
        assert_eq!(range("from=now", NOW).unwrap(), (this_hour, this_hour + HOUR));
        assert_eq!(range("from=-1h&to=-59m", NOW).unwrap(), (this_hour - HOUR, this_hour));
        assert!(range("from=-92d", NOW).is_ok());
        for wrong in ["from=-94d", "from=now&to=-2h", "from=x", "to=1970-01-01T00:00:00Z"] {
            assert!(matches!(range(wrong, NOW), Err(ApiError::InvalidParameter(_))), "{wrong}");
        }
    }
}
