//! The query string of an aggregate: what is asked of the events, beside which events are asked for.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::http::search_input::{self, SearchInput};
use crate::search::aggregate::{HistogramWish, ListWish, Wishes};
use crate::search::buckets::{DEFAULT_BUCKETS, MAX_BUCKETS, Zone};
use crate::search::facets::{FacetField, MAX_FIELDS};
use crate::timestamp::Timestamp;

/// Values of a field, or patterns, when no number is asked for.
const DEFAULT_TOP: usize = 10;
/// Values of a field, or patterns, at most.
const MAX_TOP: usize = 100;
/// Fields when none are asked for.
const DEFAULT_FIELDS: &str = "level,source,env,release,user_id";
/// What is the affair of an aggregate.
const OWN: [&str; 6] = ["include", "buckets", "by", "tz", "fields", "top"];
/// What a page's link has beside its filters and is of no matter here.
const OF_LISTS: [&str; 3] = ["limit", "cursor", "order"];

/// Which answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/logs/histogram`.
    Histogram,
    /// `/logs/facets`.
    Facets,
    /// `/logs/patterns`.
    Patterns,
    /// `/logs` with `include`.
    List,
}

/// An aggregate as asked for.
pub struct AggregateInput {
    /// Which events.
    pub search: SearchInput,
    /// What of them.
    pub wishes: Wishes,
}

/// Whether a query string asks `/logs` for more than the list.
#[must_use]
pub fn includes_aggregates(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "include" && !value.is_empty())
}

/// Reads a query string; `project_id` is the caller's affair.
///
/// # Errors
/// `InvalidParameter` naming the parameter and what it may be.
pub fn parse(kind: Kind, query: &str, now: Timestamp) -> Result<AggregateInput, ApiError> {
    let mut own: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
    {
        if let Some(name) = OWN.into_iter().find(|own| *own == name) {
            if own.insert(name, value.into_owned()).is_some() {
                return Err(wrong(name, "is given twice"));
            }
        } else if kind == Kind::List || !OF_LISTS.contains(&&*name) {
            rest.append_pair(&name, &value);
        }
    }
    let search = search_input::parse(&rest.finish(), now)?;
    let take = |name: &str| own.get(name).map(String::as_str);
    let wanted = match kind {
        Kind::Histogram => vec!["histogram"],
        Kind::Facets => vec!["facets"],
        Kind::Patterns => vec!["patterns"],
        Kind::List => included(take("include").unwrap_or(""))?,
    };
    let wishes = Wishes {
        histogram: wanted
            .contains(&"histogram")
            .then(|| histogram(take("buckets"), take("by"), take("tz")))
            .transpose()?,
        facets: if wanted.contains(&"facets") {
            fields(take("fields").unwrap_or(DEFAULT_FIELDS))?
        } else {
            Vec::new()
        },
        patterns: wanted.contains(&"patterns"),
        list: (kind == Kind::List).then_some(ListWish {
            order: search.order,
            after: search.after,
            limit: search.limit,
        }),
        top: take("top").map_or(Ok(DEFAULT_TOP), |top| number("top", top, MAX_TOP))?,
    };
    Ok(AggregateInput { search, wishes })
}

fn included(value: &str) -> Result<Vec<&str>, ApiError> {
    let known = ["histogram", "facets", "patterns"];
    let parts: Vec<&str> = value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| !known.contains(part)) {
        return Err(wrong("include", "must be a list of histogram, facets and patterns"));
    }
    Ok(parts)
}

fn histogram(buckets: Option<&str>, by: Option<&str>, zone: Option<&str>) -> Result<HistogramWish, ApiError> {
    let buckets = buckets.map_or(Ok(DEFAULT_BUCKETS), |buckets| number("buckets", buckets, MAX_BUCKETS))?;
    let zone = zone.map_or_else(|| Some(Zone::default()), Zone::parse);
    let zone = zone.ok_or_else(|| {
        wrong("tz", "must be the name of a time zone such as Europe/Berlin, or an offset such as +02:00")
    })?;
    let by = by.map(|by| field("by", by)).transpose()?.filter(|by| !by.is_level());
    Ok(HistogramWish { buckets, zone, by })
}

fn fields(value: &str) -> Result<Vec<FacetField>, ApiError> {
    let mut fields: Vec<FacetField> = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()).take(MAX_FIELDS + 1) {
        let field = field("fields", name)?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    if fields.is_empty() || fields.len() > MAX_FIELDS {
        return Err(wrong("fields", &format!("must list 1 to {MAX_FIELDS} fields")));
    }
    Ok(fields)
}

fn field(parameter: &str, name: &str) -> Result<FacetField, ApiError> {
    let known = "must name level, source, env, release, user_id, request_id, tags, fingerprint, project or a path as ctx.path";
    Some(name)
        .filter(|name| name.chars().count() <= search_input::MAX_CHARS)
        .and_then(FacetField::parse)
        .ok_or_else(|| wrong(parameter, known))
}

fn number(name: &str, value: &str, most: usize) -> Result<usize, ApiError> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| wrong(name, &format!("must be a whole number from 1 to {most}")))
}

fn wrong(name: &str, why: &str) -> ApiError {
    ApiError::InvalidParameter(format!("{name} {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn refused(kind: Kind, query: &str) -> String {
        match parse(kind, query, NOW) {
            Err(ApiError::InvalidParameter(detail)) => detail,
            other => panic!("{query}: {:?}", other.map(|input| input.wishes)),
        }
    }

    #[test]
    fn every_wrong_value_is_refused_by_its_name() {
        for (kind, query, name) in [
            (Kind::Histogram, "buckets=0", "buckets"),
            (Kind::Histogram, "buckets=1001", "buckets"),
            (Kind::Histogram, "buckets=many", "buckets"),
            (Kind::Histogram, "by=message", "by"),
            (Kind::Histogram, "by=ctx", "by"),
            (Kind::Histogram, "tz=Mars/Olympus", "tz"),
            (Kind::Histogram, "tz=UTC&tz=UTC", "tz"),
            (Kind::Histogram, "level=loud", "level"),
            (Kind::Facets, "fields=nothing", "fields"),
            (Kind::Facets, "fields=,", "fields"),
            (
                Kind::Facets,
                "fields=ctx.a,ctx.b,ctx.c,ctx.d,ctx.e,ctx.f,ctx.g,ctx.h,ctx.i,ctx.j,ctx.k",
                "fields",
            ),
            (Kind::Facets, "top=101", "top"),
            (Kind::Patterns, "top=0", "top"),
            (Kind::Patterns, "from=never", "from"),
            (Kind::List, "include=everything", "include"),
            (Kind::List, "include=facets&limit=0", "limit"),
        ] {
            assert!(refused(kind, query).starts_with(name), "{query}: {}", refused(kind, query));
        }
    }

    #[test]
    fn the_parameters_of_a_list_are_of_no_matter_to_an_aggregate() {
        let input = parse(Kind::Patterns, "limit=7&cursor=abc&order=asc&level=error", NOW).unwrap();
        assert_eq!(input.search.warnings, Vec::<String>::new());
        assert!(input.search.criteria.levels.is_some() && input.wishes.list.is_none());
        let input = parse(Kind::Histogram, "levle=error", NOW).unwrap();
        assert_eq!(input.search.warnings.len(), 1);
    }

    #[test]
    fn a_plus_that_was_not_escaped_is_still_an_offset() {
        for query in ["tz=+02:00", "tz=%2B02:00"] {
            let wishes = parse(Kind::Histogram, query, NOW).unwrap().wishes;
            assert_eq!(wishes.histogram.unwrap().zone.name(), "+02:00", "{query}");
        }
    }

    #[test]
    fn what_is_not_asked_for_has_its_default() {
        let wishes = parse(Kind::List, "include=histogram,facets", NOW).unwrap().wishes;
        let histogram = wishes.histogram.unwrap();
        assert_eq!((histogram.buckets, histogram.zone.name(), wishes.top), (120, "UTC", 10));
        let names: Vec<&str> = wishes.facets.iter().map(FacetField::name).collect();
        assert_eq!(names.join(","), DEFAULT_FIELDS);
        assert!(!wishes.patterns);
        assert_eq!(wishes.list.unwrap().limit, 100);
    }
}
