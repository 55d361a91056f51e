//! Issues: lists of them, and what a person decides about them. One in full is in [`super::issue_detail`].

use std::sync::Arc;

use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::Level;
use crate::http::audit;
use crate::http::issue_input;
use crate::http::json;
use crate::http::route::{Call, Reply};
use crate::http::search::{readable_projects, turn};
use crate::issue::{Issue, IssueAction, IssueId, Resolution};
use crate::project::{Project, ProjectRef};
use crate::store::{CountScope, IssueSort, MAX_ISSUES, MAX_NEW_ISSUES_A_MINUTE};
use crate::timestamp::Timestamp;

/// Bars of an issue's trend: one an hour.
pub const TREND_HOURS: usize = 24;

/// `GET /issues`.
///
/// # Errors
/// 400 naming the parameter, 404 for a project the caller doesn't have, 503.
pub async fn list(call: Call) -> Reply {
    let now = call.state.clock.now();
    let projects = readable_projects(&call)?;
    let mut filter = issue_input::filter(call.request.uri().query().unwrap_or(""))?;
    filter.scopes = projects.iter().map(|project| (project.id, project.kept_since(now))).collect();
    let asked = filter.limit;
    // One more tells whether there is a further page.
    filter.limit += 1;
    let _turn = turn(&call).await?;
    let mut session = call.state.store.read().await?;
    let mut issues = session.list_issues(&filter, now).await?;
    let more = issues.len() > asked;
    issues.truncate(asked);
    let ids: Vec<IssueId> = issues.iter().map(|issue| issue.id).collect();
    let trends = session.issue_trends(&ids, now, TREND_HOURS).await?;
    let resolutions = session.resolutions(&resolved(&issues)).await?;
    let beyond = session.events_beyond_issues(&count_scopes(&projects, now), day_before(now)).await?;
    let next = issues.last().filter(|_| more).map(|last| cursor_after(filter.sort, last));
    let shown = issues.iter().filter_map(|issue| {
        let mut shown = issue_json(issue, resolutions.get(&issue.id), &projects, now)?;
        shown["trend"] = json!(trends.get(&issue.id));
        Some(shown)
    });
    let other = json!({
        "events_24h": beyond,
        "max_issues": MAX_ISSUES,
        "max_new_issues_a_minute": MAX_NEW_ISSUES_A_MINUTE,
    });
    let body = json!({ "issues": shown.collect::<Vec<_>>(), "next_cursor": next, "other": other });
    Ok(json::reply(StatusCode::OK, &body))
}

/// Those that a release may be known of that they were resolved in.
fn resolved(issues: &[Issue]) -> Vec<IssueId> {
    issues.iter().filter(|issue| issue.resolved_at.as_millis() > 0).map(|issue| issue.id).collect()
}

const fn day_before(now: Timestamp) -> i64 {
    now.as_seconds() - 86_400
}

fn count_scopes(projects: &[Arc<Project>], now: Timestamp) -> Vec<CountScope> {
    let scope = |project: &Arc<Project>| CountScope {
        project_id: project.id,
        since: project.kept_since(now).as_seconds(),
    };
    projects.iter().map(scope).collect()
}

fn cursor_after(sort: IssueSort, last: &Issue) -> String {
    format!("{}.{}", sort.value(last), last.id)
}

/// An issue without its trend; `None` when its project is not among these.
#[must_use]
pub fn issue_json(
    issue: &Issue,
    resolution: Option<&Resolution>,
    projects: &[Arc<Project>],
    now: Timestamp,
) -> Option<Value> {
    let project = projects.iter().find(|project| project.id == issue.id.project_id)?;
    let time = |at: Timestamp| (at.as_millis() > 0).then(|| at.to_string());
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let muted_until = time(issue.muted_until).filter(|_| issue.muted_until > now);
    Some(json!({
        "id": issue.id.to_string(),
        "project_id": project.id,
        "project": project.slug.as_str(),
        "fingerprint": issue.id.fingerprint.to_string(),
        "title": issue.title,
        "level": Level::name_of(issue.level),
        "source": issue.source,
        "status": issue.status(now).name(),
        "new": issue.is_new(now),
        "regressed": issue.is_regressed(),
        "first_seen": issue.first_seen.to_string(),
        "last_seen": issue.last_seen.to_string(),
        "last_received": issue.last_received.to_string(),
        "count": issue.event_count,
        "first_release": text(&issue.first_release),
        "last_release": text(&issue.last_release),
        "resolved_at": time(issue.resolved_at),
        "resolved_release": resolution.and_then(|one| text(&one.resolved_release)),
        "regressed_at": resolution.and_then(|one| time(one.regressed_at)),
        "regressed_release": resolution.and_then(|one| text(&one.regressed_release)),
        "muted_until": muted_until,
        "muted_until_per_hour": (issue.mute_per_hour > 0).then_some(issue.mute_per_hour),
        "sample": issue.sample,
    }))
}

/// `PUT /issues/{id}/resolve`.
///
/// # Errors
/// 400 and 422 for a body that says anything, 404, 503.
pub async fn resolve(mut call: Call) -> Reply {
    json::Fields::parse(&json::read(&mut call).await?)?.finish()?;
    change_one(call, IssueAction::Resolve).await
}

/// `PUT /issues/{id}/reopen`.
///
/// # Errors
/// As [`resolve`].
pub async fn reopen(mut call: Call) -> Reply {
    json::Fields::parse(&json::read(&mut call).await?)?.finish()?;
    change_one(call, IssueAction::Reopen).await
}

/// `PUT /issues/{id}/mute`: `{"until": time}` or `{"until_per_hour": N}`.
///
/// # Errors
/// 400, 422 naming the field, 404, 503.
pub async fn mute(mut call: Call) -> Reply {
    let mut fields = json::Fields::parse(&json::read(&mut call).await?)?;
    let action = issue_input::mute(&mut fields, call.state.clock.now())?;
    fields.finish()?;
    change_one(call, action).await
}

async fn change_one(call: Call, action: IssueAction) -> Reply {
    let id = IssueId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let changed = change(&call, &[id], action).await?;
    if changed == 0 { Err(ApiError::NotFound) } else { show_changed(&call, id).await }
}

async fn show_changed(call: &Call, id: IssueId) -> Reply {
    let project = call.state.directory.project(&ProjectRef::Id(id.project_id)).ok_or(ApiError::NotFound)?;
    let mut session = call.state.store.read().await?;
    let issue = session.issue(id).await?.ok_or(ApiError::NotFound)?;
    let resolutions = session.resolutions(&[id]).await?;
    drop(session);
    let shown = issue_json(&issue, resolutions.get(&id), &[project], call.state.clock.now());
    Ok(json::reply(StatusCode::OK, &json!({ "issue": shown })))
}

/// `PUT /issues`: `{"ids": […], "action": "resolve" | "reopen" | "mute", …}`; those that aren't there are passed over.
///
/// # Errors
/// 400, 422 naming the field, 503.
pub async fn change_many(mut call: Call) -> Reply {
    let bytes = json::read(&mut call).await?;
    let (ids, action) = issue_input::bulk(json::Fields::parse(&bytes)?, call.state.clock.now())?;
    let changed = change(&call, &ids, action).await?;
    Ok(json::reply(StatusCode::OK, &json!({ "changed": changed })))
}

async fn change(call: &Call, ids: &[IssueId], action: IssueAction) -> Result<u64, ApiError> {
    let store = &call.state.store;
    let named: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let given = json!({ "ids": named, "do": issue_input::action_json(action) });
    let recorded = audit::record(call, "issues.change", "", given).await?;
    let changed = store.work().await?.change_issues(ids, action, call.state.clock.now()).await?;
    recorded.done(json!({ "changed": changed })).await;
    Ok(changed)
}

/// `DELETE /issues/{id}`: forgets the issue; its events stay, and the next one makes it anew.
///
/// # Errors
/// 404 and 503.
pub async fn delete(call: Call) -> Reply {
    let id = IssueId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let store = &call.state.store;
    let recorded = audit::record(&call, "issue.delete", format!("issue {id}"), json!({})).await?;
    let found = store.work().await?.delete_issue(id).await?;
    recorded.done(json!({ "found": found })).await;
    if found { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}
