//! What callers say about issues: filters of a list, and decisions.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::Level;
use crate::http::json::Fields;
use crate::issue::{IssueAction, IssueId, IssueStatus};
use crate::store::{IssueFilter, IssueSort};
use crate::timestamp::Timestamp;

/// Issues on a page when none are asked for.
const DEFAULT_LIMIT: usize = 50;
/// Issues on a page at most.
const MAX_LIMIT: usize = 100;
/// Issues changed at once at most.
const MAX_CHANGED: usize = 500;
/// Longest text to look for, in characters.
const MAX_TEXT_CHARS: usize = 200;
/// Longest time in words, in characters.
const MAX_TIME_CHARS: usize = 64;
/// Longest mute.
const MAX_MUTE_MS: i64 = 366 * 86_400_000;
/// Most events an hour a mute may name.
const MAX_PER_HOUR: u32 = 1_000_000;

fn wrong(name: &str, why: &str) -> ApiError {
    ApiError::InvalidParameter(format!("{name} {why}."))
}

/// Reads the query of a list; its projects are left to the caller.
///
/// # Errors
/// `InvalidParameter` naming the parameter.
pub fn filter(query: &str) -> Result<IssueFilter, ApiError> {
    let mut filter = IssueFilter {
        scopes: Vec::new(),
        status: Some(IssueStatus::Open),
        levels: Vec::new(),
        title: String::new(),
        sort: IssueSort::LastSeen,
        after: None,
        limit: DEFAULT_LIMIT,
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
    {
        match name.as_ref() {
            "status" if value == "all" => filter.status = None,
            "status" => {
                let status = IssueStatus::ALL.into_iter().find(|status| status.name() == value);
                let why = "must be open, resolved, muted or all";
                filter.status = Some(status.ok_or_else(|| wrong("status", why))?);
            }
            "sort" => {
                let sort = IssueSort::ALL.into_iter().find(|sort| sort.name() == value);
                filter.sort = sort.ok_or_else(|| wrong("sort", "must be last_seen, first_seen or count"))?;
            }
            "level" => {
                let levels = value.split(',').take(Level::ALL.len()).map(|name| Level::parse(name.trim()));
                let levels: Option<Vec<Level>> = levels.collect();
                filter.levels = levels.ok_or_else(|| wrong("level", "must be a list of levels"))?;
            }
            "q" if value.chars().count() > MAX_TEXT_CHARS => {
                return Err(wrong("q", "must have at most 200 characters"));
            }
            "q" => filter.title = value.into_owned(),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                filter.limit = limit.ok_or_else(|| wrong("limit", "must be a whole number from 1 to 100"))?;
            }
            "cursor" => {
                let after = value
                    .split_once('.')
                    .and_then(|(value, id)| Some((value.parse::<i64>().ok()?, IssueId::parse(id)?)));
                filter.after =
                    Some(after.ok_or_else(|| wrong("cursor", "must be a next_cursor as it was given"))?);
            }
            _ => {}
        }
    }
    Ok(filter)
}

/// Reads how long an issue is muted.
///
/// # Errors
/// `InvalidField`.
pub fn mute(fields: &mut Fields, now: Timestamp) -> Result<IssueAction, ApiError> {
    let until = fields.text("until", 1..=MAX_TIME_CHARS)?;
    let per_hour = fields.whole("until_per_hour", 1..=MAX_PER_HOUR)?;
    match (until, per_hour) {
        (Some(until), None) => {
            let until = Timestamp::parse_query(&until, now)
                .filter(|until| (1..=MAX_MUTE_MS).contains(&(until.as_millis() - now.as_millis())));
            let why = "must be a time within the next 366 days: RFC 3339, epoch seconds or milliseconds, or now+24h";
            until.map(IssueAction::MuteUntil).ok_or_else(|| fields.wrong("until", why))
        }
        (None, Some(most)) => Ok(IssueAction::MuteUntilPerHour(most)),
        _ => Err(fields.wrong("until", "say either until or until_per_hour")),
    }
}

/// Reads a decision about several issues.
///
/// # Errors
/// `InvalidField`.
pub fn bulk(mut fields: Fields, now: Timestamp) -> Result<(Vec<IssueId>, IssueAction), ApiError> {
    let listed = fields.array("ids")?.unwrap_or_default();
    if listed.is_empty() || listed.len() > MAX_CHANGED {
        return Err(fields.wrong("ids", "must list 1 to 500 issues"));
    }
    let ids: Option<Vec<IssueId>> = listed.iter().map(|one| one.as_str().and_then(IssueId::parse)).collect();
    let ids = ids.ok_or_else(|| fields.wrong("ids", "must be ids of issues"))?;
    let action = match fields.text("action", 1..=16)?.as_deref() {
        Some("resolve") => IssueAction::Resolve,
        Some("reopen") => IssueAction::Reopen,
        Some("mute") => mute(&mut fields, now)?,
        _ => return Err(fields.wrong("action", "must be resolve, reopen or mute")),
    };
    fields.finish()?;
    Ok((ids, action))
}

/// A decision as the audit log has it.
#[must_use]
pub fn action_json(action: IssueAction) -> Value {
    match action {
        IssueAction::Resolve => json!("resolve"),
        IssueAction::Reopen => json!("reopen"),
        IssueAction::MuteUntil(until) => json!({ "mute_until": until.to_string() }),
        IssueAction::MuteUntilPerHour(most) => json!({ "mute_until_per_hour": most }),
    }
}
