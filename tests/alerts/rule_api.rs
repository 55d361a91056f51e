//! Rules by the API: defaults nobody made, what replaces them, and what is wrong with a setting.

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Running, everywhere, on_sqlite};

pub const RULES: &str = "/admin/alerts/rules";

/// The rules that apply to a project, or all.
pub async fn listed(running: &Running, query: &str) -> Vec<Value> {
    let answer = running.admin(Method::GET, &format!("{RULES}{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["rules"].as_array().unwrap().clone()
}

/// Makes a rule.
pub async fn made(running: &Running, body: Value) -> Value {
    let answer = running.admin(Method::POST, RULES, &body).await;
    assert_eq!(answer.status, 201, "{body}: {}", answer.body);
    answer.json()["rule"].clone()
}

/// Changes a rule.
pub async fn changed(running: &Running, id: &Value, body: Value) -> Value {
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let answer = running.admin(Method::PUT, &format!("{RULES}/{id}"), &body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.json()["rule"].clone()
}

pub async fn deleted(running: &Running, id: &Value) {
    assert_eq!(running.admin(Method::DELETE, &format!("{RULES}/{id}"), &Value::Null).await.status, 204);
}

fn of_kind<'a>(rules: &'a [Value], kind: &str) -> Vec<&'a Value> {
    rules.iter().filter(|rule| rule["kind"] == kind).collect()
}

#[tokio::test]
async fn defaults_are_there_without_a_row_and_say_all_their_settings() {
    everywhere(async |running| {
        let rules = listed(running, "").await;
        let kinds: Vec<&str> = rules.iter().map(|rule| rule["kind"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "new_issue",
                "regression",
                "spike",
                "error_rate",
                "heartbeat",
                "overflow_started",
                "overflow_ended",
                "near_cap"
            ]
        );
        let everything = json!({ "include": [], "exclude": [] });
        assert_eq!(
            rules[2],
            json!({
                "id": "spike", "project_id": null, "kind": "spike", "name": "spike", "enabled": true,
                "source": "default", "levels": null, "environments": everything, "issues": everything,
                "cooldown_sec": 900, "n": 5, "window_sec": 60, "share": null, "grace_sec": null, "q": null,
                "channels": null, "created_at": null, "updated_at": null,
                "state": { "open": 0, "last_said_at": null, "suppressed": 0 }
            })
        );
        assert_eq!(
            (&rules[3]["n"], &rules[3]["share"], &rules[3]["environments"]),
            (&json!(50), &Value::Null, &everything)
        );
        assert_eq!((&rules[4]["grace_sec"], &rules[6]["grace_sec"]), (&json!(600), &json!(3_600)));
        assert_eq!((&rules[7]["share"], &rules[1]["cooldown_sec"]), (&json!(0.8), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn a_projects_rule_beats_that_of_all_projects_which_beats_the_default_until_it_is_deleted() {
    everywhere(async |running| {
        let project = running.project("web").await.project_id;
        let of_web = format!("?project_id={project}");
        let n = async || of_kind(&listed(running, &of_web).await, "spike")[0]["n"].clone();
        let all = changed(running, &json!("spike"), json!({ "n": 7 })).await;
        assert_eq!(
            (&all["source"], &all["project_id"], &all["n"]),
            (&json!("custom"), &Value::Null, &json!(7))
        );
        assert!(all["id"].is_i64() && all["created_at"].is_string(), "{all}");
        assert_eq!(n().await, 7);
        let own =
            made(running, json!({ "kind": "spike", "project_id": project, "n": 9, "window_sec": 120 })).await;
        assert_eq!(n().await, 9);
        let again =
            running.admin(Method::POST, RULES, &json!({ "kind": "spike", "project_id": project })).await;
        assert_eq!(again.refusal(), (409, "rule_exists".to_owned()));
        // Whoever still shows the default changes what has replaced it.
        assert_eq!(changed(running, &json!("spike"), json!({ "enabled": false })).await["id"], all["id"]);
        let rules = listed(running, "").await;
        assert_eq!(of_kind(&rules, "spike").len(), 2, "no default beside them: {rules:?}");
        let window = changed(running, &own["id"], json!({ "n": null })).await;
        assert_eq!((&window["n"], &window["window_sec"]), (&json!(5), &json!(120)), "null is the default");
        deleted(running, &own["id"]).await;
        assert_eq!(n().await, 7);
        deleted(running, &all["id"]).await;
        assert_eq!(of_kind(&listed(running, "").await, "spike")[0]["id"], "spike");
        assert_eq!(
            running.admin(Method::DELETE, &format!("{RULES}/{}", all["id"]), &Value::Null).await.status,
            404
        );
        let refused = running.admin(Method::DELETE, &format!("{RULES}/spike"), &Value::Null).await;
        assert_eq!(refused.refusal(), (422, "invalid_field".to_owned()));
        let audit = running.admin(Method::GET, "/admin/audit", &Value::Null).await.json();
        let actions: Vec<&str> =
            audit["entries"].as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
        for action in ["alert_rule.create", "alert_rule.update", "alert_rule.delete"] {
            assert!(actions.contains(&action), "{action}: {actions:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rule_names_no_channel_of_another_project() {
    on_sqlite(&[], async |running| {
        let (one, two) = (running.project("one").await.project_id, running.project("two").await.project_id);
        let mut ids = Vec::new();
        for project in [json!(one), Value::Null] {
            let body = json!({ "kind": "discord", "name": "c", "project_id": project, "url": "https://discord.com/api/webhooks/1/x" });
            let answer = running.admin(Method::POST, "/admin/alerts/channels", &body).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            ids.push(answer.json()["channel"]["id"].clone());
        }
        let of = |project: Value, channel: &Value| json!({ "kind": "spike", "project_id": project, "channels": [channel] });
        for project in [json!(two), Value::Null] {
            let answer = running.admin(Method::POST, RULES, &of(project, &ids[0])).await;
            assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()));
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with("channels: "), "{detail}");
        }
        made(running, of(json!(one), &ids[0])).await;
        made(running, of(json!(two), &ids[1])).await;
        let everywhere = made(running, of(Value::Null, &ids[1])).await;
        let path = format!("{RULES}/{}", everywhere["id"]);
        let moved = running.admin(Method::PUT, &path, &json!({ "channels": [ids[0]] })).await;
        assert_eq!(moved.status, 422, "{}", moved.body);
    })
    .await;
}

#[tokio::test]
async fn a_rule_is_given_back_as_it_was_shown() {
    everywhere(async |running| {
        let project = running.project("web").await.project_id;
        let body = json!({
            "kind": "query", "project_id": project, "name": "declined", "q": "declined level:error",
            "n": 3, "window_sec": 300, "cooldown_sec": 60, "levels": ["error", "fatal"],
            "environments": { "include": ["production"], "exclude": ["staging"] },
            "issues": { "include": [format!("{project}-00000000000000ab")], "exclude": [] }
        });
        let rule = made(running, body.clone()).await;
        for (name, value) in body.as_object().unwrap() {
            if name != "issues" {
                assert_eq!(&rule[name], value, "{name}");
            }
        }
        assert_eq!(rule["issues"]["include"], json!(["00000000000000ab"]));
        let mut again = rule.clone();
        for name in ["id", "source", "created_at", "updated_at"] {
            again.as_object_mut().unwrap().remove(name);
        }
        let same = changed(running, &rule["id"], again).await;
        assert_eq!(
            (&same["q"], &same["issues"], &same["share"]),
            (&rule["q"], &rule["issues"], &Value::Null)
        );
        assert_eq!(listed(running, &format!("?project_id={project}")).await.len(), 9);
        assert_eq!(made(running, json!({ "kind": "query", "q": "timeout" })).await["name"], "timeout");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_by_the_fields_name() {
    on_sqlite(&[], async |running| {
        for (body, field) in [
            (json!({}), "kind"),
            (json!({ "kind": "hunch" }), "kind"),
            (json!({ "kind": "spike", "project_id": 999 }), "project_id"),
            (json!({ "kind": "spike", "n": 0 }), "n"),
            (json!({ "kind": "spike", "n": 1_000_001 }), "n"),
            (json!({ "kind": "spike", "n": "5" }), "n"),
            (json!({ "kind": "spike", "window_sec": 15 }), "window_sec"),
            (json!({ "kind": "spike", "window_sec": 3_610 }), "window_sec"),
            (json!({ "kind": "spike", "cooldown_sec": 59 }), "cooldown_sec"),
            (json!({ "kind": "spike", "cooldown_sec": 86_401 }), "cooldown_sec"),
            (json!({ "kind": "spike", "share": 0.5 }), "share"),
            (json!({ "kind": "spike", "environments": { "include": [1] } }), "environments.include"),
            (json!({ "kind": "heartbeat", "environments": { "include": ["a"] } }), "environments"),
            (json!({ "kind": "spike", "q": "x" }), "q"),
            (json!({ "kind": "spike", "issues": { "include": ["7"] } }), "issues.include"),
            (json!({ "kind": "spike", "issues": { "only": [] } }), "issues.only"),
            (json!({ "kind": "error_rate", "share": 1.1 }), "share"),
            (json!({ "kind": "error_rate", "levels": [] }), "levels"),
            (json!({ "kind": "error_rate", "levels": ["loud"] }), "levels"),
            (json!({ "kind": "heartbeat", "grace_sec": 59 }), "grace_sec"),
            (json!({ "kind": "heartbeat", "n": 5 }), "n"),
            (json!({ "kind": "near_cap", "channels": [77] }), "channels"),
            (json!({ "kind": "near_cap", "channels": (1..=51).collect::<Vec<_>>() }), "channels"),
            (json!({ "kind": "near_cap", "channels": "none" }), "channels"),
            (json!({ "kind": "near_cap", "name": "" }), "name"),
            (json!({ "kind": "near_cap", "nonsense": 1 }), "nonsense"),
            (json!({ "kind": "query" }), "q"),
            (json!({ "kind": "query", "q": "(declined" }), "q"),
            (json!({ "kind": "query", "q": "message:/[/" }), "q"),
            (json!({ "kind": "query", "q": "ts:>-5m" }), "q"),
            (json!({ "kind": "query", "q": "x".repeat(1_001) }), "q"),
        ] {
            let answer = running.admin(Method::POST, RULES, &body).await;
            assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{body}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with(&format!("{field}: ")), "{body}: {detail}");
        }
        assert_eq!(listed(running, "").await.len(), 8, "nothing was stored");
        let put = async |id: &str, body| running.admin(Method::PUT, &format!("{RULES}/{id}"), &body).await;
        assert_eq!(put("spike", json!({ "kind": "query" })).await.status, 422);
        assert_eq!(put("spike", json!({ "project_id": 1 })).await.status, 422);
        for id in ["query", "77", "007", "x"] {
            assert_eq!(put(id, json!({ "n": 7 })).await.status, 404, "{id}");
        }
        let list = running.admin(Method::GET, &format!("{RULES}?project_id=x"), &Value::Null).await;
        assert_eq!(list.refusal(), (400, "invalid_parameter".to_owned()));
        assert_eq!(running.request(Method::GET, RULES, &[], "").await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn queries_are_bounded_by_project_and_in_all() {
    on_sqlite(&[], async |running| {
        for number in 0..5 {
            let project = running.project(&format!("p-{number}")).await.project_id;
            for _ in 0..20 {
                made(running, json!({ "kind": "query", "project_id": project, "q": "x" })).await;
            }
            let one_more = json!({ "kind": "query", "project_id": project, "q": "x" });
            let refused = running.admin(Method::POST, RULES, &one_more).await;
            assert_eq!(refused.refusal(), (422, "invalid_field".to_owned()));
        }
        let refused = running.admin(Method::POST, RULES, &json!({ "kind": "query", "q": "x" })).await;
        assert_eq!(refused.refusal(), (422, "invalid_field".to_owned()), "a hundred in all");
    })
    .await;
}
