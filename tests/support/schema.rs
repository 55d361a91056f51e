//! What of JSON Schema the description of the API uses: types, texts to choose from, members, lists, references, and one
//! of several. A keyword beyond that is a problem of the schema, so that nothing in it goes unchecked. Members that are
//! not described are a problem of the value, unless `additionalProperties` says otherwise.

use serde_json::Value;

/// Keywords without a say about what is right.
const SAYINGS: [&str; 4] = ["description", "default", "example", "format"];
/// Bounds of what is sent, not of what is answered.
const BOUNDS: [&str; 5] = ["minimum", "maximum", "maxLength", "maxItems", "pattern"];

/// What is wrong with a value by a schema of a document; empty when all is right.
pub fn problems(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, said) in schema.as_object().into_iter().flatten() {
        match keyword.as_str() {
            "$ref" => {
                let target = said.as_str().and_then(|place| document.pointer(place.trim_start_matches('#')));
                match target {
                    Some(target) => check(document, target, value, at, found),
                    None => found.push(format!("{at}: there is no {said}")),
                }
            }
            "type" => {
                let kinds = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
                if !kinds.iter().any(|kind| is_of(value, kind.as_str().unwrap_or(""))) {
                    found.push(format!("{at}: {value} is no {said}"));
                }
            }
            "enum" if said.as_array().is_some_and(|all| all.contains(value)) => {}
            "enum" => found.push(format!("{at}: {value} is none of {said}")),
            "required" => {
                for name in said.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        found.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, said, item, &format!("{at}[{index}]"), found);
                }
            }
            "oneOf" => {
                let tried = said.as_array().into_iter().flatten();
                let tried: Vec<_> = tried.map(|schema| problems(document, schema, value)).collect();
                if tried.iter().filter(|problems| problems.is_empty()).count() != 1 {
                    found.push(format!("{at}: {value} is not exactly one of {said}: {tried:?}"));
                }
            }
            "properties" | "additionalProperties" => {}
            other if SAYINGS.contains(&other) || BOUNDS.contains(&other) => {}
            other => found.push(format!("{at}: the schema says {other}, which nobody checks")),
        }
    }
    check_members(document, schema, value, at, found);
}

fn check_members(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let others = &schema["additionalProperties"];
    if schema.get("properties").is_none() && others.is_null() {
        return;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), others) {
            (Some(described), _) => check(document, described, member, &at, found),
            (None, Value::Bool(true)) => {}
            (None, Value::Null | Value::Bool(false)) => found.push(format!("{at} is not described")),
            (None, others) => check(document, others, member, &at, found),
        }
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_is_wrong_is_found() {
    let document = serde_json::json!({
        "Level": { "enum": ["info", "error"] },
        "Event": {
            "type": "object", "required": ["id"],
            "properties": { "id": { "type": "string" }, "level": { "$ref": "#/Level" }, "n": { "type": ["integer", "null"] },
                            "tags": { "type": "array", "items": { "type": "string" } }, "any": {} },
        },
        "Some": { "oneOf": [{ "type": "null" }, { "$ref": "#/Event" }] },
        "Counts": { "type": "object", "additionalProperties": { "type": "integer" } },
    });
    let wrong = |name: &str, value: Value| problems(&document, &document[name], &value).len();
    for (name, text, count) in [
        ("Event", r#"{"id":"a","level":"info","n":null,"tags":["x"],"any":[1]}"#, 0),
        ("Event", r#"{"level":"loud","n":1.5,"tags":[1,2],"more":0}"#, 6),
        ("Event", "[]", 1),
        ("Some", "null", 0),
        ("Some", r#"{"id":7}"#, 1),
        ("Counts", r#"{"a":1,"b":"2"}"#, 1),
    ] {
        assert_eq!(wrong(name, serde_json::from_str(text).unwrap()), count, "{text}");
    }
    let unknown = serde_json::json!({ "allOf": [] });
    assert_eq!(problems(&document, &unknown, &Value::Null).len(), 1);
}
