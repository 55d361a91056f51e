//! Alert rules, for an admin: those that are there by themselves, and those that replace them.

use std::sync::Arc;

use poem::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::alert::{ChannelId, RuleId, RuleSet, RuleState, Setting};
use crate::error::ApiError;
use crate::http::alert_rule_input as input;
use crate::http::audit;
use crate::http::json::{self, Fields};
use crate::http::route::{Call, Reply};
use crate::project::ProjectRef;
use crate::store::{MAX_QUERIES, MAX_QUERIES_OF_ONE, MAX_RULES, RuleError, StoredRule};

/// `GET /admin/alerts/rules?project_id=`: the rules that apply to a project; without one, those of every project, and
/// what single projects have of their own. Each with how it stands.
///
/// # Errors
/// 400 naming the parameter, 503 while the storage is away.
pub async fn list(call: Call) -> Reply {
    let project_id = asked_project(call.request.uri().query().unwrap_or(""))?;
    let set = stored_rules(&call).await?;
    let rules = match project_id {
        None => set.all(),
        Some(id) => {
            let missing = || ApiError::InvalidParameter("project_id: there is no such project.".to_owned());
            call.state.store.project(&ProjectRef::Id(id)).await?.ok_or_else(missing)?;
            set.of_project(id)
        }
    };
    let states = set.states(&mut *call.state.store.read().await?, project_id).await?;
    let shown = |rule: &Arc<Setting>| {
        let mut shown = rule_json(rule);
        shown["state"] = state_json(states.get(&rule.key()).copied().unwrap_or_default());
        shown
    };
    let rules: Vec<Value> = rules.iter().map(shown).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "rules": rules })))
}

/// `POST /admin/alerts/rules`: a rule in place of the default, or a query.
///
/// # Errors
/// 409 when the project has one of its kind, 422 naming the field, 503.
pub async fn create(mut call: Call) -> Reply {
    let setting = input::new_rule(Fields::parse(&json::read(&mut call).await?)?)?;
    check(&call, &setting).await?;
    let made = create_recorded(&call, &setting).await?;
    let id = made.map_err(|taken| {
        let kind = setting.kind.name();
        ApiError::RuleExists(format!("Rule {taken} is the {kind} rule there already; change that one."))
    })?;
    let rule = find(&call, id).await?;
    Ok(json::reply(StatusCode::CREATED, &json!({ "rule": rule_json(&rule) })))
}

/// `PUT /admin/alerts/rules/{id}`: changes the fields given. A default is changed by storing the rule of every project.
///
/// # Errors
/// 404, 422 naming the field, 503.
pub async fn update(mut call: Call) -> Reply {
    let bytes = json::read(&mut call).await?;
    let id = input::rule_id(call.param("id"))?;
    let fields = Fields::parse(&bytes)?;
    let id = match id {
        RuleId::Stored(id) => {
            let before = find(&call, id).await?;
            store_change(&call, id, input::rule_change(fields, before)?).await?
        }
        RuleId::Default(kind) => {
            let set = stored_rules(&call).await?;
            // Whoever shows the default may not have heard that somebody replaced it.
            let before = set.of(0, kind);
            let changed = input::rule_change(fields, (*before).clone())?;
            match before.id {
                RuleId::Stored(id) => store_change(&call, id, changed).await?,
                RuleId::Default(_) => {
                    check(&call, &changed).await?;
                    match create_recorded(&call, &changed).await? {
                        Ok(id) => id,
                        Err(taken) => store_change(&call, taken, changed).await?,
                    }
                }
            }
        }
    };
    let rule = find(&call, id).await?;
    Ok(json::reply(StatusCode::OK, &json!({ "rule": rule_json(&rule) })))
}

/// `DELETE /admin/alerts/rules/{id}`: what applied before it applies again.
///
/// # Errors
/// 404, 422 for a default, 503.
pub async fn delete(call: Call) -> Reply {
    let RuleId::Stored(id) = input::rule_id(call.param("id"))? else {
        let why = "id: a default can't be deleted; turn it off with \"enabled\": false.";
        return Err(ApiError::InvalidField(why.to_owned()));
    };
    let rule = find(&call, id).await?;
    let recorded =
        audit::record(&call, "alert_rule.delete", format!("alert rule {id}"), given(&rule)).await?;
    let deleted = call.state.store.delete_alert_rule(id).await.map_err(ApiError::from);
    let found = audit::note(recorded, deleted, |found| json!({ "found": found })).await?;
    if found { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}

/// Stores a rule, audited; `Err` within has the number of the rule that is there already.
async fn create_recorded(call: &Call, setting: &Setting) -> Result<Result<i64, i64>, ApiError> {
    let recorded = audit::record(call, "alert_rule.create", "", given(setting)).await?;
    let made = match call.state.store.create_alert_rule(&stored(call, 0, setting)).await {
        Ok(id) => Ok(Ok(id)),
        Err(RuleError::Taken(id)) => Ok(Err(id)),
        Err(RuleError::TooMany) => {
            Err(ApiError::InvalidField(format!("kind: this service holds at most {MAX_RULES} rules.")))
        }
        Err(RuleError::TooManyQueries) => Err(ApiError::InvalidField(format!(
            "kind: there are at most {MAX_QUERIES_OF_ONE} queries for a project, as many for every project, and \
             {MAX_QUERIES} in all."
        ))),
        Err(RuleError::Store(error)) => Err(error.into()),
    };
    audit::note(recorded, made, |made| match made {
        Ok(id) => json!({ "rule_id": id }),
        Err(id) => json!({ "taken_by": id }),
    })
    .await
}

async fn store_change(call: &Call, id: i64, setting: Setting) -> Result<i64, ApiError> {
    check(call, &setting).await?;
    let recorded =
        audit::record(call, "alert_rule.update", format!("alert rule {id}"), given(&setting)).await?;
    let changed = call.state.store.update_alert_rule(&stored(call, id, &setting)).await;
    let found =
        audit::note(recorded, changed.map_err(ApiError::from), |found| json!({ "found": found })).await?;
    if found { Ok(id) } else { Err(ApiError::NotFound) }
}

/// What has to be there for a rule: its project and its channels.
async fn check(call: &Call, setting: &Setting) -> Result<(), ApiError> {
    let wrong = |text: String| Err(ApiError::InvalidField(text));
    if let Some(id) = setting.project_id
        && call.state.store.project(&ProjectRef::Id(id)).await?.is_none()
    {
        return wrong("project_id: there is no such project.".to_owned());
    }
    let Some(wanted) = &setting.channels else { return Ok(()) };
    let known = call.state.channels.load(&call.state.store).await?;
    for id in wanted {
        let Some(channel) = known.iter().find(|record| record.id == *id) else {
            return wrong(format!("channels: there is no channel {id}."));
        };
        // One project's titles are nothing for another one's channel.
        if channel.project_id.is_some() && channel.project_id != setting.project_id {
            return wrong(format!(
                "channels: channel {id} is of one project, and gets what rules of that project say alone."
            ));
        }
    }
    Ok(())
}

fn stored(call: &Call, id: i64, setting: &Setting) -> StoredRule {
    let now = call.state.clock.now();
    StoredRule {
        id,
        project_id: setting.project_id,
        kind: setting.kind.name().to_owned(),
        name: setting.name.clone(),
        enabled: setting.enabled,
        settings: setting.stored_text(),
        created_at: now,
        updated_at: now,
    }
}

async fn stored_rules(call: &Call) -> Result<RuleSet, ApiError> {
    Ok(RuleSet::new(0, &call.state.store.alert_rules().await?))
}

async fn find(call: &Call, id: i64) -> Result<Setting, ApiError> {
    let all = call.state.store.alert_rules().await?;
    all.iter().find(|rule| rule.id == id).and_then(Setting::of_stored).ok_or(ApiError::NotFound)
}

fn asked_project(query: &str) -> Result<Option<i64>, ApiError> {
    let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "project_id");
    let Some((_, text)) = asked.filter(|(_, text)| !text.is_empty()) else { return Ok(None) };
    match ProjectRef::parse(&text) {
        Some(ProjectRef::Id(id)) => Ok(Some(id)),
        _ => Err(ApiError::InvalidParameter("project_id: must be a project's number.".to_owned())),
    }
}

fn state_json(state: RuleState) -> Value {
    let RuleState { open, last_said_at, suppressed } = state;
    json!({ "open": open, "last_said_at": last_said_at.map(|at| at.to_string()), "suppressed": suppressed })
}

/// For the audit log: the rule as it is shown.
fn given(setting: &Setting) -> Value {
    let mut given = rule_json(setting);
    if let Some(fields) = given.as_object_mut() {
        for name in ["id", "source", "created_at", "updated_at"] {
            fields.remove(name);
        }
        fields.retain(|_, value| !value.is_null());
    }
    given
}

fn rule_json(setting: &Setting) -> Value {
    let has = |name: &str| setting.kind.has(name);
    let id = match setting.id {
        RuleId::Stored(id) => json!(id),
        RuleId::Default(kind) => json!(kind.name()),
    };
    let channel = |id: &ChannelId| match id {
        ChannelId::Stored(id) => json!(id),
        ChannelId::Environment(_) => json!(id.to_string()),
    };
    let environments =
        json!({ "include": setting.environments.include, "exclude": setting.environments.exclude });
    json!({
        "id": id,
        "project_id": setting.project_id,
        "kind": setting.kind.name(),
        "name": setting.name,
        "enabled": setting.enabled,
        "source": if setting.times.is_some() { "custom" } else { "default" },
        "levels": setting.level_names().filter(|_| has("levels")),
        "environments": has("environments").then_some(environments),
        "issues": has("issues").then(|| setting.issues_json()),
        "cooldown_sec": setting.cooldown_sec,
        "n": has("n").then_some(setting.n),
        "window_sec": has("window_sec").then_some(setting.window_sec),
        "share": setting.share.filter(|_| has("share")),
        "grace_sec": has("grace_sec").then_some(setting.grace_sec),
        "q": has("q").then_some(&setting.q),
        "channels": setting.channels.as_ref().map(|ids| ids.iter().map(channel).collect::<Vec<_>>()),
        "created_at": setting.times.map(|(created, _)| created.to_string()),
        "updated_at": setting.times.map(|(_, updated)| updated.to_string()),
    })
}
