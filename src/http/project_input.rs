//! What an admin may say about a project: bounds, defaults, and the slug made from a name.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::ApiError;
use crate::http::json::Fields;
use crate::project::{MAX_SLUG_CHARS, ProjectSlug, RETENTION_DAYS, ScrubSettings};
use crate::store::{NewProject, ProjectChange};

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 128;
/// Most further keys to scrub.
pub const MAX_EXTRA_KEYS: usize = 64;
/// Longest of them, in characters.
pub const MAX_EXTRA_KEY_CHARS: usize = 64;

const SLUG_RULE: &str = "must be 1 to 64 of a-z, 0-9 and -, and not a number";

/// Reads the body of a creation. `name` or `slug` is required, each is made from the other.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn new_project(mut fields: Fields, default_retention_days: u16) -> Result<NewProject, ApiError> {
    let name = fields.text("name", 1..=MAX_NAME_CHARS)?;
    let slug = match (slug(&mut fields)?, &name) {
        (Some(slug), _) => slug,
        (None, None) => return Err(fields.wrong("name", "is missing")),
        (None, Some(name)) => ProjectSlug::from_name(name)
            .ok_or_else(|| fields.wrong("slug", "can't be made from this name; give one"))?,
    };
    let new = NewProject {
        name: name.unwrap_or_else(|| slug.as_str().to_owned()),
        slug,
        retention_days: retention_days(&mut fields)?.unwrap_or(default_retention_days),
        minute_cap: fields.whole("minute_cap", 1..=u32::MAX)?,
        scrub: scrub(&mut fields)?.unwrap_or_default(),
    };
    fields.finish()?;
    Ok(new)
}

/// Reads the body of a change. `"minute_cap": null` goes back to the service's default; any other `null` changes
/// nothing. `scrub` is replaced as a whole.
///
/// # Errors
/// `InvalidField` naming the field.
pub fn project_change(mut fields: Fields) -> Result<ProjectChange, ApiError> {
    let names_cap = fields.has("minute_cap");
    let minute_cap = fields.whole("minute_cap", 1..=u32::MAX)?;
    let change = ProjectChange {
        name: fields.text("name", 1..=MAX_NAME_CHARS)?,
        slug: slug(&mut fields)?,
        retention_days: retention_days(&mut fields)?,
        minute_cap: names_cap.then_some(minute_cap),
        scrub: scrub(&mut fields)?,
    };
    fields.finish()?;
    Ok(change)
}

fn slug(fields: &mut Fields) -> Result<Option<ProjectSlug>, ApiError> {
    let Some(text) = fields.text("slug", 1..=MAX_SLUG_CHARS)? else { return Ok(None) };
    ProjectSlug::parse(&text).map(Some).ok_or_else(|| fields.wrong("slug", SLUG_RULE))
}

fn retention_days(fields: &mut Fields) -> Result<Option<u16>, ApiError> {
    let range = u32::from(*RETENTION_DAYS.start())..=u32::from(*RETENTION_DAYS.end());
    let days = fields.whole("retention_days", range)?;
    Ok(days.map(|days| u16::try_from(days).expect("the range of days is one of u16")))
}

fn scrub(fields: &mut Fields) -> Result<Option<ScrubSettings>, ApiError> {
    let Some(mut scrub) = fields.object("scrub", "scrub.")? else { return Ok(None) };
    let off = scrub.flag("off")?.unwrap_or(false);
    let given = scrub.array("extra_keys")?.unwrap_or_default();
    let wrong = |scrub: &Fields| {
        let rule = format!("must be at most {MAX_EXTRA_KEYS} texts of 1 to {MAX_EXTRA_KEY_CHARS} characters");
        scrub.wrong("extra_keys", &rule)
    };
    if given.len() > MAX_EXTRA_KEYS {
        return Err(wrong(&scrub));
    }
    let keys: Option<BTreeSet<String>> = given.iter().map(extra_key).collect();
    let extra_keys = keys.ok_or_else(|| wrong(&scrub))?.into_iter().collect();
    scrub.finish()?;
    Ok(Some(ScrubSettings { off, extra_keys }))
}

fn extra_key(value: &Value) -> Option<String> {
    let key = value.as_str()?.trim().to_lowercase();
    let plain = !key.chars().any(char::is_control);
    (plain && (1..=MAX_EXTRA_KEY_CHARS).contains(&key.chars().count())).then_some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).expect("an object")
    }

    fn detail(result: Result<impl std::fmt::Debug, ApiError>) -> String {
        match result {
            Err(ApiError::InvalidField(detail)) => detail,
            other => panic!("expected invalid_field, not {other:?}"),
        }
    }

    #[test]
    fn a_project_takes_its_slug_from_its_name_and_defaults_from_the_settings() {
        let new = new_project(fields(r#"{"name":"  Web Shop (EU) "}"#), 3).unwrap();
        assert_eq!((new.name.as_str(), new.slug.as_str()), ("Web Shop (EU)", "web-shop-eu"));
        assert_eq!((new.retention_days, new.minute_cap, new.scrub), (3, None, ScrubSettings::default()));
    }

    #[test]
    fn a_wrong_field_is_named() {
        let wrong = [
            ("{}", "name"),
            (r#"{"name":""}"#, "name"),
            (r#"{"name":7}"#, "name"),
            (r#"{"name":"a\u0000b"}"#, "name"),
            (r#"{"name":"日本"}"#, "slug"),
            (r#"{"name":"2024"}"#, "slug"),
            (r#"{"name":"a","slug":"A"}"#, "slug"),
            (r#"{"name":"a","slug":"12"}"#, "slug"),
            (r#"{"name":"a","slug":"a/../b"}"#, "slug"),
            (r#"{"name":"a","retention_days":0}"#, "retention_days"),
            (r#"{"name":"a","retention_days":91}"#, "retention_days"),
            (r#"{"name":"a","retention_days":1.5}"#, "retention_days"),
            (r#"{"name":"a","retention_days":"3"}"#, "retention_days"),
            (r#"{"name":"a","minute_cap":0}"#, "minute_cap"),
            (r#"{"name":"a","minute_cap":-1}"#, "minute_cap"),
            (r#"{"name":"a","minute_cap":4294967296}"#, "minute_cap"),
            (r#"{"name":"a","scrub":true}"#, "scrub"),
            (r#"{"name":"a","scrub":{"off":1}}"#, "scrub.off"),
            (r#"{"name":"a","scrub":{"extra_keys":[""]}}"#, "scrub.extra_keys"),
            (r#"{"name":"a","scrub":{"extra_keys":[7]}}"#, "scrub.extra_keys"),
            (r#"{"name":"a","scrub":{"on":true}}"#, "scrub.on"),
            (r#"{"name":"a","color":"red"}"#, "color"),
        ];
        for (body, field) in wrong {
            let detail = detail(new_project(fields(body), 3));
            assert!(detail.starts_with(&format!("{field}: ")), "{body}: {detail}");
        }
    }

    #[test]
    fn scrub_keys_are_lower_case_once_each_and_bounded() {
        let new =
            new_project(fields(r#"{"name":"a","scrub":{"extra_keys":["SSN","ssn"," Iban "]}}"#), 3).unwrap();
        assert_eq!(new.scrub.extra_keys, ["iban", "ssn"]);
        let many: Vec<String> = (0..=MAX_EXTRA_KEYS).map(|number| format!("\"k{number}\"")).collect();
        let body = format!(r#"{{"name":"a","scrub":{{"extra_keys":[{}]}}}}"#, many.join(","));
        detail(new_project(fields(&body), 3));
    }

    #[test]
    fn a_change_touches_only_what_is_given() {
        assert_eq!(project_change(fields("{}")).unwrap(), ProjectChange::default());
        assert_eq!(project_change(fields(r#"{"minute_cap":null}"#)).unwrap().minute_cap, Some(None));
        assert_eq!(project_change(fields(r#"{"minute_cap":9}"#)).unwrap().minute_cap, Some(Some(9)));
        assert_eq!(project_change(fields(r#"{"name":null}"#)).unwrap().name, None);
        detail(project_change(fields(r#"{"id":9}"#)));
    }

    proptest! {
        #[test]
        fn any_name_gives_a_good_slug_or_none(name in "\\PC{0,200}") {
            if let Some(slug) = ProjectSlug::from_name(&name) {
                prop_assert_eq!(ProjectSlug::parse(slug.as_str()), Some(slug));
            }
        }
    }
}
