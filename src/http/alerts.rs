//! Channels for alerts, and what became of alerts, for an admin.
//!
//! Addresses and keys are shown masked. A channel of the environment is listed, can be tested, and is changed where it
//! is set.

use poem::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::alert::{AlertKind, AlertMessage, ChannelId, ChannelRecord};
use crate::error::ApiError;
use crate::event::uuid_at;
use crate::http::alert_input;
use crate::http::audit;
use crate::http::json::{self, Fields};
use crate::http::route::{Call, Reply};
use crate::store::{AlertRecord, AlertState, HistoryQuery, MAX_CHANNELS, StoredChannel};

/// Messages of the history in a reply, unless asked for fewer or more.
const HISTORY_LIMIT: usize = 100;
/// The most.
const MAX_HISTORY_LIMIT: usize = 500;

/// `GET /admin/alerts/channels`.
///
/// # Errors
/// 503 while the storage is away.
pub async fn list_channels(call: Call) -> Reply {
    let channels = call.state.channels.load(&call.state.store).await?;
    let channels: Vec<Value> = channels.iter().map(channel_json).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "channels": channels })))
}

/// `POST /admin/alerts/channels`. A webhook's secret that was made here is in this reply and in no other.
///
/// # Errors
/// 422 naming the field, 503.
pub async fn create_channel(mut call: Call) -> Reply {
    let fields = Fields::parse(&json::read(&mut call).await?)?;
    let state = &call.state;
    let mut input = alert_input::new_channel(fields)?;
    let made_secret = input.make_secret();
    alert_input::check(&state.channels, &state.outbound, input.kind, &input.settings)?;
    if let Some(project_id) = input.project_id {
        existing_project(&call, project_id).await?;
    }
    let now = state.clock.now();
    let new = StoredChannel {
        id: 0,
        project_id: input.project_id,
        kind: input.kind.name().to_owned(),
        name: input.name.clone(),
        enabled: input.enabled,
        reason: String::new(),
        sealed: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    let seal = |id| state.channels.seal(id, input.kind, &input.settings);
    let full = || ApiError::InvalidField(format!("This service holds at most {MAX_CHANNELS} channels."));
    let given = json!({
        "kind": input.kind.name(),
        "name": input.name,
        "project_id": input.project_id,
        "enabled": input.enabled,
        "settings": input.settings.masked(input.kind),
    });
    let recorded = audit::record(&call, "alert_channel.create", "", given).await?;
    let made = state.store.create_alert_channel(new, seal).await.map_err(ApiError::from);
    let made = made.and_then(|made| made.ok_or_else(full));
    let made = audit::note(recorded, made, |made| json!({ "channel_id": made.id })).await?;
    let record = find(&call, ChannelId::Stored(made.id)).await?;
    let mut shown = json!({ "channel": channel_json(&record) });
    if let Some(secret) = made_secret {
        shown["secret"] = json!(secret);
    }
    Ok(json::reply(StatusCode::CREATED, &shown))
}

/// `PUT /admin/alerts/channels/{id}`: changes the fields given; a channel that was turned off by its receiver is on
/// again with `"enabled": true`.
///
/// # Errors
/// 404, 422 naming the field, 503.
pub async fn update_channel(mut call: Call) -> Reply {
    let bytes = json::read(&mut call).await?;
    let id = stored_id(&call)?;
    let record = find(&call, ChannelId::Stored(id)).await?;
    let state = &call.state;
    let change = alert_input::channel_change(Fields::parse(&bytes)?, record)?;
    let (record, names_project) = (change.record, change.names_project);
    alert_input::check(&state.channels, &state.outbound, record.kind, &record.settings)?;
    if let Some(project_id) = record.project_id.filter(|_| names_project) {
        existing_project(&call, project_id).await?;
    }
    let (created_at, _) = record.times.ok_or(ApiError::Internal)?;
    let given = json!({
        "name": record.name,
        "project_id": record.project_id,
        "enabled": record.enabled,
        "settings": record.settings.masked(record.kind),
    });
    let stored = StoredChannel {
        id,
        project_id: record.project_id,
        kind: record.kind.name().to_owned(),
        name: record.name,
        enabled: record.enabled,
        reason: if record.enabled { String::new() } else { record.reason },
        sealed: state.channels.seal(id, record.kind, &record.settings),
        created_at,
        updated_at: state.clock.now(),
    };
    let recorded = audit::record(&call, "alert_channel.update", channel_target(id), given).await?;
    let changed = state.store.update_alert_channel(&stored).await.map_err(ApiError::from);
    if !audit::note(recorded, changed, |found| json!({ "found": found })).await? {
        return Err(ApiError::NotFound);
    }
    // What waits for it may be due.
    state.outbox.ring();
    let record = find(&call, ChannelId::Stored(id)).await?;
    Ok(json::reply(StatusCode::OK, &json!({ "channel": channel_json(&record) })))
}

/// `DELETE /admin/alerts/channels/{id}`: what waits for it is given up.
///
/// # Errors
/// 404, 422 for a channel of the environment, 503.
pub async fn delete_channel(call: Call) -> Reply {
    let id = stored_id(&call)?;
    let recorded = audit::record(&call, "alert_channel.delete", channel_target(id), json!({})).await?;
    let deleted = call.state.store.delete_alert_channel(id).await.map_err(ApiError::from);
    let found = audit::note(recorded, deleted, |found| json!({ "found": found })).await?;
    call.state.outbox.ring();
    if found { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}

/// `POST /admin/alerts/channels/{id}/test`: sends a message past the outbox and gives what the channel answered. It is
/// sent to a channel that is turned off too.
///
/// # Errors
/// 404, 503.
pub async fn test_channel(mut call: Call) -> Reply {
    Fields::parse(&json::read(&mut call).await?)?.finish()?;
    let id = ChannelId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let record = find(&call, id).await?;
    let state = &call.state;
    let now = state.clock.now();
    let answer = match &record.channel {
        Ok(channel) => {
            let mut message = AlertMessage::new(
                AlertKind::Test,
                record.project_id.unwrap_or(0),
                "Tekno Logger",
                "this channel works",
                now,
            );
            message.id = uuid_at(now);
            message.link = state.config.public_url.as_ref().map(|url| format!("{url}/ui/alerts"));
            message.mute = Some("An admin asked for this message; nothing happened.".to_owned());
            channel.deliver(&state.outbound, &message, now).await.json()
        }
        Err(why) => {
            json!({ "delivered": false, "status": null, "detail": why, "answer": "", "retry_after_ms": null })
        }
    };
    Ok(json::reply(StatusCode::OK, &answer))
}

/// `GET /admin/alerts/history?project_id=&state=&limit=&cursor=`: messages, newest first.
///
/// # Errors
/// 400 naming the parameter, 503.
pub async fn history(call: Call) -> Reply {
    let query = history_query(call.request.uri().query().unwrap_or(""))?;
    let found = call.state.store.alert_history(query).await?;
    let next = found.last().filter(|_| found.len() == query.limit).map(|last| last.id.to_string());
    let shown: Vec<Value> = found.iter().map(record_json).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "history": shown, "next_cursor": next })))
}

fn history_query(text: &str) -> Result<HistoryQuery, ApiError> {
    let mut query = HistoryQuery { limit: HISTORY_LIMIT, ..HistoryQuery::default() };
    let wrong = |name: &str, why: &str| ApiError::InvalidParameter(format!("{name}: {why}."));
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match &*name {
            "project_id" => {
                let id = value.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == *value);
                query.project_id = Some(id.ok_or_else(|| wrong("project_id", "must be a project's number"))?);
            }
            "state" => {
                let states =
                    [AlertState::Waiting, AlertState::Delivered, AlertState::Dead, AlertState::Unsent];
                let state = states.into_iter().find(|state| state.name() == value);
                let state =
                    state.ok_or_else(|| wrong("state", "must be waiting, delivered, dead or unsent"))?;
                query.state = Some(state);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_HISTORY_LIMIT).contains(limit));
                query.limit = limit.ok_or_else(|| wrong("limit", "must be 1 to 500"))?;
            }
            "cursor" => {
                let before = Uuid::try_parse(&value).ok();
                let before =
                    before.ok_or_else(|| wrong("cursor", "must be a next_cursor as it was given"))?;
                query.before = Some(before);
            }
            _ => {}
        }
    }
    Ok(query)
}

fn channel_target(id: i64) -> String {
    format!("alert channel {id}")
}

/// The number of a channel that can be changed here.
fn stored_id(call: &Call) -> Result<i64, ApiError> {
    match ChannelId::parse(call.param("id")) {
        Some(ChannelId::Stored(id)) => Ok(id),
        Some(ChannelId::Environment(_)) => {
            Err(ApiError::InvalidField("This channel is set by the environment; change it there.".to_owned()))
        }
        None => Err(ApiError::NotFound),
    }
}

async fn find(call: &Call, id: ChannelId) -> Result<ChannelRecord, ApiError> {
    let environment = call.state.channels.environment().iter().find(|record| record.id == id);
    if let Some(record) = environment {
        return Ok(record.clone());
    }
    let all = call.state.channels.load(&call.state.store).await?;
    all.into_iter().find(|record| record.id == id).ok_or(ApiError::NotFound)
}

async fn existing_project(call: &Call, id: i64) -> Result<(), ApiError> {
    let found = call.state.store.project(&crate::project::ProjectRef::Id(id)).await?;
    let missing = || ApiError::InvalidField("project_id: there is no such project.".to_owned());
    found.map(drop).ok_or_else(missing)
}

fn channel_json(record: &ChannelRecord) -> Value {
    let id = match record.id {
        ChannelId::Stored(id) => json!(id),
        ChannelId::Environment(_) => json!(record.id.to_string()),
    };
    json!({
        "id": id,
        "project_id": record.project_id,
        "kind": record.kind.name(),
        "name": record.name,
        "enabled": record.enabled,
        "reason": record.reason,
        "source": if record.times.is_some() { "database" } else { "environment" },
        "read_only": record.times.is_none(),
        "destination": record.channel.as_ref().ok().map(crate::alert::Channel::destination),
        "problem": record.channel.as_ref().err(),
        "settings": record.settings.masked(record.kind),
        "created_at": record.times.map(|(created, _)| created.to_string()),
        "updated_at": record.times.map(|(_, updated)| updated.to_string()),
    })
}

fn record_json(record: &AlertRecord) -> Value {
    let waits = record.state == AlertState::Waiting;
    json!({
        "id": record.id,
        "project_id": record.project_id,
        "rule": record.rule,
        "kind": record.kind,
        "title": record.title,
        "channel": (!record.channel.is_empty()).then_some(&record.channel),
        "state": record.state.name(),
        "attempts": record.attempts,
        "detail": record.detail,
        "created_at": record.created_at.to_string(),
        "next_attempt_at": waits.then(|| record.due_at.to_string()),
        "finished_at": record.finished_at.map(|at| at.to_string()),
    })
}
