//! What an admin may say about an alert rule.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::alert::{ChannelId, RuleId, RuleKind, Selection, Setting, check_query};
use crate::error::ApiError;
use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::http::json::Fields;
use crate::issue::IssueId;
use crate::search::event_filter::LevelSet;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 128;
/// Longest name of an environment, as events have it.
const MAX_ENVIRONMENT_CHARS: usize = 256;
/// Longest query, in characters.
const MAX_QUERY_CHARS: usize = crate::search::language::MAX_CHARS;
/// Names in a list at most.
const MAX_LISTED: usize = 50;
/// Events that are worth a message at least.
const N: RangeInclusive<u32> = 1..=1_000_000;
/// Seconds of a window …
const WINDOW_SEC: RangeInclusive<u32> = 10..=3_600;
/// … which are a multiple of these.
const WINDOW_STEP: u32 = 10;
/// Seconds without events.
const GRACE_SEC: RangeInclusive<u32> = 60..=86_400;
const OVERFLOW_GRACE_SEC: RangeInclusive<u32> = 60..=3_600;
/// Seconds in which the same is said once.
const COOLDOWN_SEC: RangeInclusive<u32> = 60..=86_400;
/// The same of a regression, which is one each time.
const REGRESSION_COOLDOWN_SEC: RangeInclusive<u32> = 0..=86_400;
/// A part of something.
const SHARE: RangeInclusive<f64> = 0.01..=1.0;
/// What some kinds have and others haven't.
const OF_KINDS: [&str; 8] =
    ["levels", "environments", "issues", "n", "window_sec", "share", "grace_sec", "q"];

/// Reads the body of a creation; its id and times are not those of a rule yet.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn new_rule(mut fields: Fields) -> Result<Setting, ApiError> {
    let kind = fields.text("kind", 1..=32)?.ok_or_else(|| fields.wrong("kind", "is missing"))?;
    let kind = RuleKind::from_name(&kind).ok_or_else(|| {
        let names = RuleKind::ALL.map(RuleKind::name).join(", ");
        fields.wrong("kind", &format!("must be one of {names}"))
    })?;
    let mut setting = Setting::default_of(kind);
    setting.project_id = fields.whole("project_id", 1..=u32::MAX)?.map(i64::from);
    read_settings(&mut fields, &mut setting)?;
    if kind == RuleKind::Query {
        if setting.q.is_empty() {
            return Err(fields.wrong("q", "is missing"));
        }
        if setting.name == kind.name() {
            setting.name = setting.q.chars().take(MAX_NAME_CHARS).collect();
        }
    }
    fields.finish()?;
    Ok(setting)
}

/// Reads the body of a change: what isn't there stays; `null` takes a setting back to its default.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn rule_change(mut fields: Fields, mut setting: Setting) -> Result<Setting, ApiError> {
    if fields.text("kind", 1..=32)?.is_some_and(|kind| kind != setting.kind.name()) {
        return Err(fields.wrong("kind", "can't be changed: make another rule"));
    }
    let names_project = fields.has("project_id");
    let project_id = fields.whole("project_id", 1..=u32::MAX)?.map(i64::from);
    if names_project && project_id != setting.project_id {
        return Err(fields.wrong("project_id", "can't be changed: make another rule"));
    }
    read_settings(&mut fields, &mut setting)?;
    fields.finish()?;
    Ok(setting)
}

fn read_settings(fields: &mut Fields, setting: &mut Setting) -> Result<(), ApiError> {
    let kind = setting.kind;
    let none = Setting::default_of(kind);
    for name in OF_KINDS.into_iter().filter(|name| !kind.has(name)) {
        // A rule is given back as it was shown: there it is null.
        if fields.has(name) && !fields.take_null(name) {
            return Err(fields.wrong(name, &format!("is no setting of {}", kind.name())));
        }
    }
    if fields.has("name") {
        setting.name = fields.text("name", 1..=MAX_NAME_CHARS)?.unwrap_or(none.name);
    }
    setting.enabled = fields.flag("enabled")?.unwrap_or(setting.enabled);
    let cooldown = if kind == RuleKind::Regression { REGRESSION_COOLDOWN_SEC } else { COOLDOWN_SEC };
    whole(fields, "cooldown_sec", cooldown, &mut setting.cooldown_sec, none.cooldown_sec)?;
    whole(fields, "n", N, &mut setting.n, none.n)?;
    whole(fields, "window_sec", WINDOW_SEC, &mut setting.window_sec, none.window_sec)?;
    if !setting.window_sec.is_multiple_of(WINDOW_STEP) {
        return Err(fields.wrong("window_sec", "must be a multiple of 10"));
    }
    let grace = if kind == RuleKind::OverflowEnded { OVERFLOW_GRACE_SEC } else { GRACE_SEC };
    whole(fields, "grace_sec", grace, &mut setting.grace_sec, none.grace_sec)?;
    if fields.has("share") {
        setting.share = fields.part("share", SHARE)?.or(none.share);
    }
    if fields.has("levels") {
        setting.levels = levels(fields)?;
    }
    if fields.has("environments") {
        setting.environments = selection(fields, "environments", "environments.", |text| {
            let fits = (1..=MAX_ENVIRONMENT_CHARS).contains(&text.chars().count());
            fits.then(|| text.to_owned())
        })?;
    }
    if fields.has("issues") {
        let project_id = setting.project_id;
        setting.issues = selection(fields, "issues", "issues.", |text| fingerprint(text, project_id))?;
    }
    if fields.has("q") {
        setting.q = query(fields)?;
    }
    if fields.has("channels") {
        setting.channels = channels(fields)?;
    }
    Ok(())
}

/// Reads a number if it is there; `null` is its default.
fn whole(
    fields: &mut Fields,
    name: &str,
    range: RangeInclusive<u32>,
    place: &mut u32,
    none: u32,
) -> Result<(), ApiError> {
    if fields.has(name) {
        *place = fields.whole(name, range)?.unwrap_or(none);
    }
    Ok(())
}

fn levels(fields: &mut Fields) -> Result<Option<LevelSet>, ApiError> {
    let Some(given) = fields.array("levels")? else { return Ok(None) };
    let read = |value: &Value| value.as_str().and_then(Level::parse);
    let read: Option<Vec<Level>> = given.iter().take(MAX_LISTED).map(read).collect();
    match read.filter(|levels| !levels.is_empty()) {
        Some(levels) => Ok(Some(levels.into_iter().collect())),
        None => {
            Err(fields
                .wrong("levels", "must be a list of levels such as error, or null for those of the kind"))
        }
    }
}

fn selection<T>(
    fields: &mut Fields,
    name: &str,
    within: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Selection<T>, ApiError> {
    let Some(mut lists) = fields.object(name, within)? else { return Ok(Selection::default()) };
    let mut list = |part: &str| {
        let given = lists.array(part)?.unwrap_or_default();
        let values: Option<Vec<T>> =
            given.iter().map(|value| value.as_str().map(str::trim).and_then(&read)).collect();
        match values.filter(|values| values.len() <= MAX_LISTED) {
            Some(values) => Ok(values),
            None if name == "issues" => Err(lists
                .wrong(part, &format!("must be a list of at most {MAX_LISTED} issues, each 16 hex digits"))),
            None => Err(lists.wrong(part, &format!("must be a list of at most {MAX_LISTED} names"))),
        }
    };
    let (include, exclude) = (list("include")?, list("exclude")?);
    lists.finish()?;
    Ok(Selection { include, exclude })
}

/// An issue as the API names it, or its fingerprint alone.
fn fingerprint(text: &str, project_id: Option<i64>) -> Option<Fingerprint> {
    match IssueId::parse(text) {
        Some(id) => project_id.is_none_or(|own| own == id.project_id).then_some(id.fingerprint),
        None => Fingerprint::parse(text),
    }
}

fn query(fields: &mut Fields) -> Result<String, ApiError> {
    let text = fields.text("q", 1..=MAX_QUERY_CHARS)?.ok_or_else(|| fields.wrong("q", "is missing"))?;
    check_query(&text).map_err(|why| fields.wrong("q", &why))?;
    Ok(text)
}

fn channels(fields: &mut Fields) -> Result<Option<Vec<ChannelId>>, ApiError> {
    let Some(given) = fields.array("channels")? else { return Ok(None) };
    let read = |value: &Value| match value {
        Value::Number(number) => ChannelId::parse(&number.to_string()),
        Value::String(text) => ChannelId::parse(text),
        _ => None,
    };
    let mut ids: Vec<ChannelId> = given
        .iter()
        .take(MAX_LISTED + 1)
        .map(read)
        .collect::<Option<_>>()
        .filter(|ids: &Vec<ChannelId>| ids.len() <= MAX_LISTED)
        .ok_or_else(|| {
            fields.wrong(
                "channels",
                &format!("must be a list of at most {MAX_LISTED} ids of channels, or null for all"),
            )
        })?;
    ids.sort_unstable();
    ids.dedup();
    Ok(Some(ids))
}

/// Names the rule a path means.
///
/// # Errors
/// 404.
pub fn rule_id(text: &str) -> Result<RuleId, ApiError> {
    RuleId::parse(text).ok_or(ApiError::NotFound)
}
