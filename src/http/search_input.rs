//! The query string of a search: every parameter in range or refused by name; unknown ones are ignored with a warning.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::ApiError;
use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::search::cursor::{Cursor, Order, Position};
use crate::search::event_filter::Criteria;
use crate::search::language::Query;
use crate::timestamp::Timestamp;

/// Events on a page.
const LIMIT: RangeInclusive<usize> = 1..=1_000;
/// Events on a page when none are asked for.
const DEFAULT_LIMIT: usize = 100;
/// Values in a list such as `source=a,b`.
const MAX_VALUES: usize = 32;
/// Characters of a value.
pub const MAX_CHARS: usize = 256;
/// Unknown parameters named in a warning.
const MAX_WARNINGS: usize = 8;

/// A search as asked for.
pub struct SearchInput {
    /// What must hold.
    pub criteria: Criteria,
    /// Which first.
    pub order: Order,
    /// The end of the page before.
    pub after: Option<Position>,
    /// Events at most.
    pub limit: usize,
    /// What was understood otherwise than it may have been meant.
    pub warnings: Vec<String>,
}

/// Reads a query string; `project_id` is the caller's affair.
///
/// # Errors
/// `InvalidParameter` naming the parameter and what it may be.
pub fn parse(query: &str, now: Timestamp) -> Result<SearchInput, ApiError> {
    let end_of_time = Timestamp::from_millis(i64::MAX);
    let mut input = SearchInput {
        criteria: Criteria::between(Timestamp::from_millis(0), end_of_time),
        order: Order::default(),
        after: None,
        limit: DEFAULT_LIMIT,
        warnings: Vec::new(),
    };
    let mut cursor = None;
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if value.is_empty() || name == "project_id" {
            continue;
        }
        if seen.contains(&name) {
            return Err(wrong(&name, "is given twice"));
        }
        if name == "cursor" {
            cursor = Some(value.into_owned());
        } else if !take(&mut input, &name, &value, now)? {
            if input.warnings.len() < MAX_WARNINGS {
                let name: String = name.chars().take(64).collect();
                input.warnings.push(format!("The parameter {name} is unknown and was ignored."));
            }
            // A query string has room for thousands of these; only known names are compared with each other.
            continue;
        }
        seen.push(name);
    }
    if let Some(cursor) = cursor {
        input.after = Some(position(&cursor, input.order)?);
    }
    input.criteria.narrow();
    Ok(input)
}

fn take(input: &mut SearchInput, name: &str, value: &str, now: Timestamp) -> Result<bool, ApiError> {
    let criteria = &mut input.criteria;
    match name {
        "level" => criteria.levels = Some(levels(value)?.into_iter().collect()),
        "from" => criteria.from = time(name, value, now)?,
        "to" => criteria.to = time(name, value, now)?,
        "source" => criteria.sources = list(name, value)?,
        "env" => criteria.envs = list(name, value)?,
        "user_id" => criteria.user_id = Some(text(name, value)?),
        "request_id" => criteria.request_id = Some(text(name, value)?),
        "fingerprint" => {
            let fingerprint = Fingerprint::parse(&value.to_ascii_lowercase());
            criteria.fingerprint = Some(fingerprint.ok_or_else(|| wrong(name, "must be 16 hex digits"))?);
        }
        "q" => {
            let (query, warnings) =
                Query::parse(value, now).map_err(|error| ApiError::InvalidParameter(format!("{error}.")))?;
            criteria.text = query;
            input.warnings.extend(warnings.into_iter().map(|warning| warning.text));
        }
        "limit" => {
            let limit = value.parse().ok().filter(|limit| LIMIT.contains(limit));
            input.limit = limit.ok_or_else(|| wrong(name, "must be a whole number from 1 to 1000"))?;
        }
        "order" => {
            input.order = match value {
                "desc" => Order::Descending,
                "asc" => Order::Ascending,
                _ => return Err(wrong(name, "must be desc or asc")),
            };
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn wrong(name: &str, why: &str) -> ApiError {
    ApiError::InvalidParameter(format!("{name} {why}."))
}

fn levels(value: &str) -> Result<Vec<Level>, ApiError> {
    let level = |text: &str| {
        Level::parse(text.trim())
            .ok_or_else(|| wrong("level", "must be a list of trace, debug, info, warn, error and fatal"))
    };
    value.split(',').take(MAX_VALUES).map(level).collect()
}

/// A time as a client may write it, relative ones included.
///
/// # Errors
/// `InvalidParameter`.
pub fn time(name: &str, value: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    Timestamp::parse_query(value, now).ok_or_else(|| {
        wrong(name, "must be RFC 3339, epoch seconds or milliseconds, now, or relative as -15m")
    })
}

fn text(name: &str, value: &str) -> Result<String, ApiError> {
    if value.chars().count() > MAX_CHARS {
        return Err(wrong(name, "must have at most 256 characters"));
    }
    Ok(value.to_owned())
}

fn list(name: &str, value: &str) -> Result<Vec<String>, ApiError> {
    let values: Vec<&str> = value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if values.len() > MAX_VALUES {
        return Err(wrong(name, "must list at most 32 values"));
    }
    values.into_iter().map(|value| text(name, value)).collect()
}

/// The place a cursor of a search in this order stands for.
///
/// # Errors
/// `InvalidParameter`.
pub fn position(cursor: &str, order: Order) -> Result<Position, ApiError> {
    let cursor =
        Cursor::parse(cursor).ok_or_else(|| wrong("cursor", "must be a next_cursor as it was given"))?;
    if cursor.order != order {
        return Err(wrong("cursor", "belongs to a search in the other order"));
    }
    Ok(cursor.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn refused(query: &str) -> String {
        match parse(query, NOW) {
            Err(ApiError::InvalidParameter(detail)) => detail,
            other => panic!("{query}: {:?}", other.map(|input| input.criteria)),
        }
    }

    #[test]
    fn every_wrong_value_is_refused_by_its_name() {
        for (query, name) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=1e8", "limit"),
            ("level=loud", "level"),
            ("from=yesterday-ish", "from"),
            ("order=up", "order"),
            ("fingerprint=zz", "fingerprint"),
            ("cursor=abc", "cursor"),
            ("env=a&env=b", "env"),
        ] {
            assert!(refused(query).starts_with(name), "{query}: {}", refused(query));
        }
    }

    #[test]
    fn unknown_parameters_are_ignored_with_a_warning() {
        let input = parse("levle=error&limit=7", NOW).unwrap();
        assert_eq!(input.limit, 7);
        assert_eq!(input.warnings, ["The parameter levle is unknown and was ignored."]);
    }

    #[test]
    fn thousands_of_unknown_parameters_are_ignored_in_no_time() {
        let many = (0..10_000).map(|number| format!("{number:x}=1&")).collect::<Vec<_>>().concat();
        let input = parse(&format!("{many}{many}limit=7"), NOW).unwrap();
        assert_eq!((input.limit, input.warnings.len()), (7, MAX_WARNINGS));
    }

    #[test]
    fn relative_times_count_from_now() {
        let input = parse("from=-15m&to=now", NOW).unwrap();
        assert_eq!(input.criteria.from, NOW.plus_millis(-900_000));
        assert_eq!(input.criteria.to, NOW);
    }
}
