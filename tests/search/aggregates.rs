//! Histogram, facets and patterns against plain counts of what `/logs` lists, on every database at hand.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tekno_logger::timestamp::Timestamp;

use crate::model::{Filter, Random, ids, millis, text};
use crate::random::{SLUGS, fill};
use crate::reading::{START, Service};
use crate::support::TestDatabase;

const SEARCHES: u64 = 60;
const MINUTE: i64 = 60_000;
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "%2B05:45",
    "-00:01",
];
const FIELDS: [&str; 9] =
    ["level", "source", "env", "user_id", "request_id", "tags", "release", "project", "ctx.deep.list"];

async fn answer(service: &Service, path: &str) -> Value {
    let answer = service.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let json = answer.json();
    let scanned = if json.get("scanned").is_some() { &json["scanned"] } else { &json };
    assert_eq!(scanned["complete"], json!(true), "{path}: {json}");
    json
}

fn at(value: &Value) -> i64 {
    Timestamp::parse_query(value.as_str().unwrap(), START).unwrap().as_millis()
}

/// The values of a field in an event as it is shown, in lower case, each once.
fn values(event: &Value, field: &str) -> Vec<String> {
    let value = field.split('.').fold(event, |value, key| &value[key]);
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let shown = all.iter().filter(|value| !value.is_null());
    let mut shown: Vec<String> =
        shown.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_lowercase)).collect();
    let mut seen = Vec::new();
    shown.retain(|value| !seen.contains(value) && (seen.push(value.clone()), true).1);
    shown
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().map_or(0, |counts| counts.values().map(|count| count.as_u64().unwrap()).sum())
}

/// Every bucket's counts are those of the events in it, and the range asked for is covered.
fn check_histogram(histogram: &Value, by: &str, events: &[&Value], what: &str) {
    let (from, to) = (at(&histogram["from"]), at(&histogram["to"]));
    let buckets = histogram["buckets"].as_array().unwrap();
    assert!(buckets.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "{what}: no gap");
    if from < to {
        assert!(at(&buckets[0]["from"]) <= from && to <= at(&buckets[buckets.len() - 1]["to"]), "{what}");
    }
    assert!(events.iter().all(|event| (from..to).contains(&millis(event))), "{what}: all are in the range");
    for bucket in buckets {
        let inside = |event: &&&Value| (at(&bucket["from"])..at(&bucket["to"])).contains(&millis(event));
        let mut plain: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for event in events.iter().filter(inside) {
            *plain.entry(values(event, by).into_iter().next()).or_default() += 1;
        }
        for (value, count) in bucket["counts"].as_object().unwrap() {
            let found = plain.remove(&Some(value.to_lowercase()));
            assert_eq!(Some(count.as_u64().unwrap()), found, "{what}: {value} in {bucket}");
        }
        assert_eq!(
            plain.remove(&None).unwrap_or(0),
            bucket["none"].as_u64().unwrap_or(0),
            "{what}: {bucket}"
        );
        assert_eq!(plain.values().sum::<u64>(), bucket["other"].as_u64().unwrap_or(0), "{what}: {bucket}");
    }
    let all: u64 = buckets
        .iter()
        .map(|b| sum(&b["counts"]) + b["other"].as_u64().unwrap_or(0) + b["none"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(all, events.len() as u64, "{what}: the sum is the number of events");
    assert_eq!(histogram["total"], json!(events.len()), "{what}");
}

fn check_facets(facets: &Value, events: &[&Value], what: &str) {
    for (facet, field) in facets.as_array().unwrap().iter().zip(FIELDS) {
        let mut plain: BTreeMap<String, u64> = BTreeMap::new();
        let mut missing = 0;
        for event in events {
            let found = values(event, field);
            missing += u64::from(found.is_empty());
            for value in found {
                *plain.entry(value).or_default() += 1;
            }
        }
        assert_eq!((&facet["field"], &facet["missing"]), (&json!(field), &json!(missing)), "{what}");
        assert_eq!(facet["distinct"], json!(plain.len()), "{what}: {field}");
        let shown = facet["values"].as_array().unwrap();
        let mut top: Vec<u64> = plain.values().copied().collect();
        top.sort_unstable_by(|left, right| right.cmp(left));
        top.truncate(10);
        let counts: Vec<u64> = shown.iter().map(|value| value["count"].as_u64().unwrap()).collect();
        assert_eq!(counts, top, "{what}: {field}");
        for value in shown {
            let name = value["value"].as_str().unwrap().to_lowercase();
            assert_eq!(plain.remove(&name), value["count"].as_u64(), "{what}: {field} {name}");
        }
        assert_eq!(facet["other"], json!(plain.values().sum::<u64>()), "{what}: {field}");
    }
}

fn check_patterns(patterns: &Value, events: &[&Value], what: &str) {
    let mut counted = 0;
    for pattern in patterns["patterns"].as_array().unwrap() {
        let own: Vec<&str> =
            pattern["fingerprints"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        let of_it: Vec<_> = events.iter().filter(|event| own.contains(&text(event, "fingerprint"))).collect();
        assert_eq!(pattern["count"], json!(of_it.len()), "{what}: {pattern}");
        assert_eq!(sum(&pattern["levels"]), of_it.len() as u64, "{what}: {pattern}");
        let sample =
            of_it.iter().find(|event| event["id"] == pattern["sample"]).expect("its sample is one of them");
        assert_eq!(
            (&sample["ts"], &sample["project"]),
            (&pattern["last_seen"], &pattern["project"]),
            "{what}"
        );
        let times = of_it.iter().map(|event| millis(event));
        assert_eq!(
            (at(&pattern["first_seen"]), at(&pattern["last_seen"])),
            (times.clone().min().unwrap(), times.max().unwrap()),
            "{what}"
        );
        counted += of_it.len();
    }
    assert_eq!(counted as u64 + patterns["other"].as_u64().unwrap(), events.len() as u64, "{what}");
}

/// How to look at what is found, and what the histogram is told apart by.
fn random_view(random: &mut Random) -> (String, &'static str) {
    let by = *random.pick(&[&"level", &"level", &"source", &"user_id", &"ctx.deep.list", &"project"]);
    let zone = random.pick(&ZONES);
    let buckets = 1 + random.below(200);
    (format!("buckets={buckets}&by={by}&tz={zone}&fields={}", FIELDS.join(",")), by)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_is_that_of_a_plain_filter() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let mut projects = Vec::new();
        for slug in SLUGS {
            projects.push(service.project(slug).await);
        }
        let mut random = Random::new(77);
        fill(&service, &projects, &mut random).await;
        let stored = service.pages("limit=1000&order=asc").await;
        let mut found_some = 0;
        for search in 0..SEARCHES {
            let filter = Filter::random(&mut random, &stored, &SLUGS);
            let (view, by) = random_view(&mut random);
            let query = format!("{}&{view}", filter.query);
            let what = format!("{}: search {search}: {query}", database.name);
            let events: Vec<&Value> = stored.iter().filter(|event| filter.matches(event)).collect();
            found_some += usize::from(!events.is_empty());
            let histogram = answer(&service, &format!("/logs/histogram?{query}")).await;
            check_histogram(&histogram, by, &events, &what);
            let facets = answer(&service, &format!("/logs/facets?{query}")).await;
            assert_eq!(facets["total"], json!(events.len()), "{what}");
            check_facets(&facets["fields"], &events, &what);
            let patterns = answer(&service, &format!("/logs/patterns?{query}")).await;
            check_patterns(&patterns, &events, &what);
            let both =
                answer(&service, &format!("/logs?{query}&limit=7&include=histogram,facets,patterns")).await;
            let plain = service.page(&format!("{}&limit=7", filter.query)).await;
            assert_eq!(
                (&both["logs"], &both["next_cursor"]),
                (&plain["logs"], &plain["next_cursor"]),
                "{what}"
            );
            assert_eq!(both["histogram"]["buckets"], histogram["buckets"], "{what}");
            assert_eq!(both["facets"], facets["fields"], "{what}");
            assert_eq!(both["patterns"]["patterns"], patterns["patterns"], "{what}");
        }
        // By level and time alone, so that headers are counted: ranges and buckets cut through blocks and minutes.
        for _ in 0..SEARCHES {
            let ends =
                [(); 2].map(|()| millis(&stored[random.below(stored.len())]) + [0, 1][random.below(2)]);
            let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let (buckets, zone) = (1 + random.below(1_000), random.pick(&ZONES));
            let query = format!("from={from}&to={to}&buckets={buckets}&tz={zone}");
            let inside = |event: &&Value| (from..to).contains(&millis(event));
            let events: Vec<&Value> = stored.iter().filter(inside).collect();
            let histogram = answer(&service, &format!("/logs/histogram?{query}")).await;
            check_histogram(&histogram, "level", &events, &format!("{}: {query}", database.name));
        }
        assert!(found_some > 25, "{}: only {found_some} searches found something", database.name);
        service.stop().await;
        database.remove().await;
    }
}

fn sum_of(histogram: &Value, level: &str) -> Option<u64> {
    let buckets = histogram["buckets"].as_array()?.iter();
    Some(buckets.map(|bucket| bucket["counts"][level].as_u64().unwrap_or(0)).sum())
}

/// Blocks read and blocks counted by their headers.
fn effort(json: &Value) -> (u64, u64) {
    (json["scanned"]["blocks"].as_u64().unwrap(), json["scanned"]["headers"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_alone_are_counted_but_at_edges_within_a_minute() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let start = START.as_millis();
        for minute in 0..30 {
            let event = |n: i64| json!({ "message": "m", "level": if n % 3 == 0 { "error" } else { "info" }, "ts": start + minute * MINUTE - n * 700 });
            service.post(&shop, &(0..40).map(event).collect::<Vec<Value>>()).await;
            service.hand.advance(MINUTE);
        }
        let minutes =
            |from: i64, to: i64| format!("from={}&to={}", start + from * MINUTE, start + to * MINUTE);
        let path = |query: &str| format!("/logs/histogram?{query}");
        let whole = answer(&service, &path(&format!("{}&buckets=20", minutes(0, 20)))).await;
        assert_eq!(effort(&whole).0, 0, "{name}: {whole}");
        let listed = service.pages(&minutes(0, 20)).await;
        check_histogram(&whole, "level", &listed.iter().collect::<Vec<_>>(), name);
        let errors = answer(&service, &path(&format!("{}&level=error&buckets=20", minutes(0, 20)))).await;
        assert_eq!(
            (effort(&errors).0, errors["total"].as_u64()),
            (0, sum_of(&whole, "error")),
            "{name}: {errors}"
        );
        let open = answer(&service, &path("buckets=5")).await;
        assert_eq!((effort(&open), open["total"].as_u64()), ((0, 30), Some(30 * 40)), "{name}: {open}");
        let cut = format!("from={}&to={}&buckets=10", start + 100_500, start + 10 * MINUTE - 10_000);
        let cut_open = answer(&service, &path(&cut)).await;
        let (blocks, headers) = effort(&cut_open);
        assert!((1..=4).contains(&blocks) && headers >= 6, "{name}: only at the edges: {cut_open}");
        let listed = service.pages(&cut).await;
        check_histogram(&cut_open, "level", &listed.iter().collect::<Vec<_>>(), name);
        let with_list =
            service.page(&format!("{}&buckets=20&limit=5&include=histogram", minutes(0, 20))).await;
        assert_eq!(with_list["scanned"]["blocks"], json!(1), "{name}: the list stops early: {with_list}");
        assert_eq!(with_list["histogram"]["buckets"], whole["buckets"], "{name}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_counted_nowhere() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let old = json!({ "message": "old news", "source": "old" });
        service.post(&shop, &[old.clone(), old]).await;
        service.hand.advance(1_000);
        service.post(&shop, &[json!({ "message": "young news", "source": "young" })]).await;
        service.hand.advance(3 * 86_400_000);
        for query in ["", "q=news", "from=-4d&buckets=3"] {
            for path in ["histogram", "facets", "patterns"] {
                let json = answer(&service, &format!("/logs/{path}?{query}")).await;
                assert_eq!(json["total"], json!(1), "{name}: {path} {query}: {json}");
                assert!(!json.to_string().contains("old"), "{name}: {json}");
            }
        }
        service.hand.advance(1_000);
        let none = answer(&service, "/logs/histogram").await;
        assert_eq!(none["total"], json!(0), "{name}: {none}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stored_and_odd_ranges_are_answered_too() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    for query in [
        "",
        "from=-1h",
        "to=-1h",
        "from=now&to=-1h",
        "from=0&to=9999-12-31T23:59:59Z&buckets=2",
        "project_id=",
    ] {
        let json = answer(&service, &format!("/logs/histogram?{query}")).await;
        assert_eq!(json["total"], json!(0), "{query}: {json}");
    }
    let shop = service.project("shop").await;
    service
        .post(&shop, &[json!({ "message": "first of all", "ts": 1_000 }), json!({ "message": "now" })])
        .await;
    for query in ["", "from=0", "to=now&buckets=1", "tz=America/New_York&buckets=1000"] {
        let json = answer(&service, &format!("/logs/histogram?{query}")).await;
        let listed = service.pages(if query == "to=now&buckets=1" { "to=now" } else { "" }).await;
        check_histogram(&json, "level", &listed.iter().collect::<Vec<_>>(), query);
    }
    for (path, name) in [
        ("histogram?buckets=0", "buckets"),
        ("histogram?by=stack", "by"),
        ("histogram?tz=Nowhere/Land", "tz"),
        ("facets?fields=message", "fields"),
        ("patterns?top=1000", "top"),
        ("patterns?level=loud", "level"),
    ] {
        let refused = service.get(&format!("/logs/{path}")).await;
        let json = refused.json();
        assert_eq!((refused.status, &json["code"]), (400, &json!("invalid_parameter")), "{path}");
        assert!(json["detail"].as_str().unwrap().starts_with(name), "{path}: {json}");
    }
    assert_eq!(service.get("/logs?include=all").await.status, 400);
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facet_counts_are_those_of_a_search_for_the_value() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    let mut random = Random::new(3);
    let events: Vec<Value> = (0..90)
        .map(|_| {
            let mut event = Map::from_iter([("message".to_owned(), json!("m"))]);
            for field in ["source", "release", "user_id"] {
                event.insert(
                    field.to_owned(),
                    json!(random.pick(&["A b", "a B", "é\"\\", "É\"\\", "x:y", "1.0"])),
                );
            }
            event.insert(
                "ctx".to_owned(),
                json!({ "Deep": { "n": [1, "ONE", "one"] }, "s": random.below(3) }),
            );
            Value::Object(event)
        })
        .collect();
    service.post(&shop, &events).await;
    let facets = answer(&service, "/logs/facets?fields=source,release,user_id,ctx.deep.N,ctx.s,level").await;
    for facet in facets["fields"].as_array().unwrap() {
        for value in facet["values"].as_array().unwrap() {
            let quoted = value["value"].as_str().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
            let q = format!("{}:\"{quoted}\"", facet["field"].as_str().unwrap());
            let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
            let found = service.pages(&format!("limit=1000&q={q}")).await;
            assert_eq!(value["count"], json!(found.len()), "{q}: {:?}", ids(&found).len());
        }
    }
    service.stop().await;
    database.remove().await;
}
