//! `GET /openapi.json`: what every route takes and gives, as `OpenAPI` 3.1.
//!
//! Paths, methods, access and parameters of the path come from the table of routes; the rest is written by hand in
//! `openapi/*.json`, by area. A text there stands for more, so that it stays readable: in place of a schema `string` for a
//! type, `Time` for a schema of the document, `[X]` for a list, `X?` for that or null; in place of a parameter its name,
//! `filters` for all of a search; in place of a response its schema, or what it says.

use std::sync::LazyLock;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use poem::Response;
use poem::http::{StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::http::route::{Access, Call, Reply, RouteSpec};
use crate::server::SharedMemory;

const BASE: &str = include_str!("openapi/base.json");
const AREAS: [&str; 3] = [
    include_str!("openapi/reading.json"),
    include_str!("openapi/administration.json"),
    include_str!("openapi/operation.json"),
];
/// Parameters that say which events are meant.
const FILTERS: [&str; 10] =
    ["project_id", "level", "from", "to", "source", "env", "user_id", "request_id", "fingerprint", "q"];
/// It changes with the version alone; its tag tells.
const CACHEABLE: &str = "public, max-age=300";

static DOCUMENT: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    let text = document(&super::routes()).to_string();
    let tag = format!("\"{}\"", &HEXLOWER.encode(&Sha256::digest(&text))[..16]);
    (text.into(), tag)
});

/// `GET /openapi.json`.
///
/// # Errors
/// None.
pub async fn show(call: Call) -> Reply {
    let (text, tag) = &*DOCUMENT;
    let reply = Response::builder()
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, CACHEABLE)
        .extension(SharedMemory);
    let known = call.request.headers().get_all(header::IF_NONE_MATCH).into_iter();
    let mut known = known.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    if known.any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*") {
        return Ok(reply.status(StatusCode::NOT_MODIFIED).finish());
    }
    Ok(reply.content_type("application/json").body(text.clone()))
}

/// The document of these routes. What the hand-written part says of a route that isn't there is left out.
#[must_use]
pub fn document(routes: &[RouteSpec]) -> Value {
    let mut document = parsed(BASE);
    let mut written = Map::new();
    for area in AREAS.map(parsed) {
        written.extend(area["paths"].as_object().cloned().unwrap_or_default());
        let schemas = area["schemas"].as_object().cloned().unwrap_or_default();
        if let Some(all) = document["components"]["schemas"].as_object_mut() {
            all.extend(schemas);
        }
    }
    let components = &mut document["components"];
    each(&mut components["schemas"], expand);
    each(&mut components["parameters"], |parameter| expand(&mut parameter["schema"]));
    let schemas = components["schemas"].as_object().cloned().unwrap_or_default();
    let mut paths = Map::new();
    for route in routes {
        let (path, method) = (written_path(route.path), route.method.as_str().to_lowercase());
        let by_hand = written.get(&path).and_then(|one| one.get(&method)).cloned().unwrap_or(json!({}));
        paths.entry(path).or_insert_with(|| json!({}))[method] = operation(by_hand, route, &schemas);
    }
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["paths"] = Value::Object(paths);
    document
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the files are part of the binary, and a test reads them")
}

/// `/logs/:id` as `/logs/{id}`.
fn written_path(path: &str) -> String {
    let segment = |text: &str| match text.strip_prefix([':', '*']) {
        Some(name) => format!("{{{name}}}"),
        None => text.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What is written of a route, with what its line in the table says.
fn operation(mut by_hand: Value, route: &RouteSpec, schemas: &Map<String, Value>) -> Value {
    let placeholders = route.path.split('/').filter_map(|segment| segment.strip_prefix([':', '*']));
    let mut parameters: Vec<Value> = placeholders
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for parameter in by_hand["parameters"].as_array().into_iter().flatten() {
        let named = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
        match parameter.as_str() {
            Some("filters") => parameters.extend(FILTERS.map(named)),
            Some(name) => parameters.push(named(name)),
            None => {
                let mut parameter = parameter.clone();
                expand(&mut parameter["schema"]);
                parameters.push(parameter);
            }
        }
    }
    by_hand["parameters"] = Value::Array(parameters);
    if let Some(mut schema) = by_hand.get("requestBody").cloned() {
        expand(&mut schema);
        by_hand["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    }
    let responses = by_hand["responses"].as_object().cloned().unwrap_or_default();
    let written = responses.into_iter().map(|(status, said)| {
        let response = response(&status, said, schemas);
        (status, response)
    });
    let problem = ("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    by_hand["responses"] = Value::Object(written.chain([problem]).collect());
    by_hand["security"] = security(route.access);
    by_hand
}

fn response(status: &str, said: Value, schemas: &Map<String, Value>) -> Value {
    let of_json = |mut schema: Value| {
        expand(&mut schema);
        let description = if status < "400" { "Done" } else { "It is not" };
        json!({ "description": description, "content": { "application/json": { "schema": schema } } })
    };
    match said {
        Value::String(name) if schemas.contains_key(&name) => of_json(Value::String(name)),
        Value::String(said) if status < "400" => json!({ "description": said }),
        Value::String(said) => {
            let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            json!({ "description": said, "content": { "application/problem+json": problem } })
        }
        mut said if said.get("content").is_some() => {
            each(&mut said["content"], |kind| kind.get_mut("schema").into_iter().for_each(expand));
            said
        }
        schema => of_json(schema),
    }
}

/// Who may call, each a way of its own.
fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Ingest => json!([{ "signature": [] }]),
        Access::Read | Access::Admin => json!([{ "admin_token": [] }, { "bearer": [] }, { "session": [] }]),
        Access::Metrics => json!([{ "admin_token": [] }, { "metrics_token": [] }, { "session": [] }]),
    }
}

/// Spells a schema out.
fn expand(schema: &mut Value) {
    if let Some(text) = schema.as_str() {
        *schema = spelled_out(text);
        return;
    }
    if let Some(properties) = schema.get_mut("properties") {
        each(properties, expand);
    }
    for name in ["items", "additionalProperties"] {
        schema.get_mut(name).into_iter().filter(|inner| !inner.is_boolean()).for_each(expand);
    }
    schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten().for_each(expand);
}

fn spelled_out(text: &str) -> Value {
    let is_name = |text: &str| text.starts_with(|first: char| first.is_ascii_uppercase());
    if let Some(items) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return json!({ "type": "array", "items": spelled_out(items) });
    }
    match text.strip_suffix('?') {
        Some(name) if is_name(name) => json!({ "oneOf": [spelled_out(name), { "type": "null" }] }),
        Some(kind) => json!({ "type": [kind, "null"] }),
        None if is_name(text) => json!({ "$ref": format!("#/components/schemas/{text}") }),
        None => json!({ "type": text }),
    }
}

fn each(object: &mut Value, change: impl FnMut(&mut Value)) {
    object.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(change);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let table: BTreeSet<(String, String)> = routes()
            .iter()
            .map(|route| (written_path(route.path), route.method.as_str().to_lowercase()))
            .collect();
        let mut described = BTreeSet::new();
        for area in AREAS.map(parsed) {
            for (path, methods) in area["paths"].as_object().unwrap() {
                for (method, operation) in methods.as_object().unwrap() {
                    assert!(
                        described.insert((path.clone(), method.clone())),
                        "{method} {path} stands there twice"
                    );
                    assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                    assert!(operation["responses"].is_object(), "{method} {path} has no responses");
                }
            }
        }
        assert_eq!(table, described, "the table of routes, and src/http/openapi/*.json");
    }

    #[test]
    fn all_that_is_named_is_there_and_all_that_is_there_is_named() {
        let document = document(&routes());
        let text = document.to_string();
        let mut named = BTreeSet::new();
        for place in text.split("\"$ref\":\"#/").skip(1) {
            let pointer = format!("/{}", place.split('"').next().unwrap());
            assert!(document.pointer(&pointer).is_some(), "{pointer}");
            named.insert(pointer);
        }
        for kind in ["schemas", "parameters", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let pointer = format!("/components/{kind}/{name}");
                assert!(named.contains(&pointer), "{pointer} is named by nothing");
            }
        }
    }

    #[test]
    fn it_takes_little_room_in_the_binary() {
        let bytes = BASE.len() + AREAS.iter().map(|area| area.len()).sum::<usize>();
        assert!(bytes <= 40 << 10, "{bytes} bytes");
    }

    #[test]
    fn short_forms_are_spelled_out() {
        for (short, long) in [
            ("string", json!({ "type": "string" })),
            ("integer?", json!({ "type": ["integer", "null"] })),
            ("[Time]", json!({ "type": "array", "items": { "$ref": "#/components/schemas/Time" } })),
            ("Event?", json!({ "oneOf": [{ "$ref": "#/components/schemas/Event" }, { "type": "null" }] })),
        ] {
            assert_eq!(spelled_out(short), long, "{short}");
        }
        assert_eq!(written_path("/admin/projects/:id/keys/:key_id"), "/admin/projects/{id}/keys/{key_id}");
        assert_eq!(written_path("/ui/*path"), "/ui/{path}");
    }
}
