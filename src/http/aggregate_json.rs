//! Histograms, facets and patterns as this API shows them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::event::Level;
use crate::project::Project;
use crate::search::facets::Facet;
use crate::search::histogram::Histogram;
use crate::search::patterns::{Pattern, Patterns};

/// Buckets in order, each with its counts above zero. By a field, a bucket has `other` and `none` where they aren't
/// zero, and the whole has the values from the most frequent on.
#[must_use]
pub fn histogram_json(histogram: &Histogram, zone: &str) -> Map<String, Value> {
    let Histogram { by, buckets, series, other, none, approximate } = histogram;
    let at = |counts: &[u64], index: usize| counts.get(index).copied().filter(|count| *count > 0);
    let bucket =
        |(index, (from, to)): (usize, (crate::timestamp::Timestamp, crate::timestamp::Timestamp))| {
            let counts =
                series.iter().filter_map(|series| Some((&*series.value, at(&series.counts, index)?)));
            let counts: Map<String, Value> =
                counts.map(|(value, count)| (value.to_owned(), json!(count))).collect();
            let mut bucket = json!({ "from": from.to_string(), "to": to.to_string(), "counts": counts });
            for (name, counts) in [("other", other), ("none", none)] {
                if let Some(count) = at(counts, index) {
                    bucket[name] = json!(count);
                }
            }
            bucket
        };
    let mut map = Map::new();
    map.insert("from".to_owned(), json!(buckets.from().to_string()));
    map.insert("to".to_owned(), json!(buckets.to().to_string()));
    map.insert("tz".to_owned(), json!(zone));
    map.insert("step_seconds".to_owned(), json!(buckets.step()));
    map.insert("by".to_owned(), json!(by));
    map.insert("values".to_owned(), series.iter().map(|series| json!(series.value)).collect());
    map.insert("buckets".to_owned(), buckets.spans().enumerate().map(bucket).collect());
    map.insert("total".to_owned(), json!(histogram.total()));
    map.insert("approximate".to_owned(), json!(approximate));
    map
}

/// One object a field.
#[must_use]
pub fn facets_json(facets: &[Facet]) -> Value {
    let facet = |facet: &Facet| {
        let Facet { field, values, distinct, other, missing, approximate } = facet;
        let values: Vec<Value> =
            values.iter().map(|(value, count)| json!({ "value": value, "count": count })).collect();
        json!({
            "field": field,
            "values": values,
            "distinct": distinct,
            "other": other,
            "missing": missing,
            "approximate": approximate,
        })
    };
    facets.iter().map(facet).collect()
}

/// The patterns, and how many events have another; `total` is the number of events counted.
#[must_use]
pub fn patterns_json(patterns: &Patterns, total: u64, projects: &[Arc<Project>]) -> Map<String, Value> {
    let Patterns { patterns, distinct, other, approximate } = patterns;
    let mut map = Map::new();
    let shown = patterns.iter().map(|pattern| pattern_json(pattern, total, projects));
    map.insert("patterns".to_owned(), shown.collect());
    map.insert("distinct".to_owned(), json!(distinct));
    map.insert("other".to_owned(), json!(other));
    map.insert("approximate".to_owned(), json!(approximate));
    map
}

fn pattern_json(pattern: &Pattern, total: u64, projects: &[Arc<Project>]) -> Value {
    let levels = Level::ALL.into_iter().zip(pattern.levels).filter(|(_, count)| *count > 0);
    let levels: Map<String, Value> =
        levels.map(|(level, count)| (level.name().to_owned(), json!(count))).collect();
    let project = projects.iter().find(|project| project.id == pattern.project_id);
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    let share = pattern.count as f64 / total.max(1) as f64;
    json!({
        "template": pattern.template,
        "count": pattern.count,
        "share": share,
        "level": pattern.level().name(),
        "levels": levels,
        "sample": pattern.newest.id.to_string(),
        "project_id": pattern.project_id,
        "project": project.map(|project| project.slug.as_str()),
        "first_seen": pattern.first_seen.to_string(),
        "last_seen": pattern.newest.ts.to_string(),
        "fingerprints": pattern.fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
