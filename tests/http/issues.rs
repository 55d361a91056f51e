//! Issues as a person works with them: listed, explained, resolved, seen again, muted, forgotten.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Key, PATIENCE, Post, Running, everywhere};

const NONE: &Value = &Value::Null;

async fn issues(running: &Running, query: &str) -> Vec<Value> {
    let answer = running.admin(Method::GET, &format!("/issues?{query}"), NONE).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["issues"].as_array().unwrap().clone()
}

/// Waits until a list is as expected.
async fn until(running: &Running, query: &str, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let found = issues(running, query).await;
        if is(&found) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn send(running: &Running, key: &Key, name: &str, events: &[Value]) {
    // Like bodies are told apart: a signature counts once.
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            let mut event = event.clone();
            event["request_id"] = json!(name);
            event
        })
        .collect();
    let post = Post::bare(key, json!(events).to_string()).with("idempotency-key", name);
    assert_eq!(running.send(post).await.status, 200);
}

fn error(message: &str) -> Value {
    json!({ "level": "error", "message": message, "source": "shop", "release": "1.2.3" })
}

fn ids(issues: &[Value]) -> Vec<&str> {
    issues.iter().map(|issue| issue["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_issue_is_resolved_and_regresses_when_it_is_seen_again() {
    everywhere(async |running| {
        let key = running.project("web").await;
        send(running, &key, "one", &[error("card 17 declined"), error("card 18 declined")]).await;
        let found = until(running, "project_id=web", "it is there", |found| found.len() == 1).await;
        let issue = &found[0];
        assert_eq!(
            (&issue["status"], &issue["new"], &issue["regressed"]),
            (&json!("open"), &json!(true), &json!(false))
        );
        assert_eq!((&issue["count"], &issue["level"]), (&json!(2), &json!("error")));
        assert_eq!((&issue["first_release"], &issue["last_release"]), (&json!("1.2.3"), &json!("1.2.3")));
        let trend: Vec<i64> = serde_json::from_value(issue["trend"].clone()).unwrap();
        assert_eq!((trend.len(), trend.iter().sum::<i64>(), trend[23]), (24, 2, 2));
        let id = issue["id"].as_str().unwrap().to_owned();

        let resolved = running.admin(Method::PUT, &format!("/issues/{id}/resolve"), NONE).await;
        assert_eq!((resolved.status, &resolved.json()["issue"]["status"]), (200, &json!("resolved")));
        assert!(issues(running, "project_id=web").await.is_empty(), "open ones are listed");
        assert_eq!(ids(&issues(running, "status=resolved").await), [id.as_str()]);

        running.hand.advance(60_000);
        let again =
            json!({ "level": "error", "message": "card 19 declined", "source": "shop", "release": "1.2.4" });
        send(running, &key, "two", &[again]).await;
        let found = until(running, "", "it is back", |found| found.len() == 1).await;
        assert_eq!((&found[0]["status"], &found[0]["regressed"]), (&json!("open"), &json!(true)));
        assert_eq!((&found[0]["count"], &found[0]["last_release"]), (&json!(3), &json!("1.2.4")));
        assert_eq!(found[0]["first_release"], "1.2.3");
        let releases =
            |issue: &Value| (issue["resolved_release"].clone(), issue["regressed_release"].clone());
        assert_eq!(releases(&found[0]), (json!("1.2.3"), json!("1.2.4")));
        assert!(found[0]["regressed_at"].is_string());
        running.hand.advance(60_000);
        let mut later = error("card 20 declined");
        later["release"] = json!("1.2.5");
        send(running, &key, "three", &[later]).await;
        let found =
            until(running, "", "it is counted", |found| found.len() == 1 && found[0]["count"] == 4).await;
        assert_eq!(
            releases(&found[0]),
            (json!("1.2.3"), json!("1.2.4")),
            "the release it came back with stays"
        );

        let again = running.admin(Method::PUT, &format!("/issues/{id}/resolve"), NONE).await.json();
        assert_eq!(releases(&again["issue"]), (json!("1.2.5"), Value::Null));
        assert_eq!(again["issue"]["regressed_at"], Value::Null);
        let open = running.admin(Method::PUT, &format!("/issues/{id}/reopen"), NONE).await.json();
        assert_eq!(releases(&open["issue"]), (Value::Null, Value::Null));
        assert_eq!((&open["issue"]["status"], &open["issue"]["regressed"]), (&json!("open"), &json!(false)));
    })
    .await;
}

#[tokio::test]
async fn an_issue_says_why_it_is_grouped_so_and_shows_an_event() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let stack =
            "TypeError: x is undefined\n    at pay (/srv/app/pay.js:10:5)\n    at node:internal/main:1:1";
        let mut thrown = error("x of order 1234567 is undefined");
        thrown["stack"] = json!(stack);
        send(running, &key, "thrown", &[thrown]).await;
        let found = until(running, "", "it is there", |found| found.len() == 1).await;
        let id = found[0]["id"].as_str().unwrap();
        let shown = running.admin(Method::GET, &format!("/issues/{id}"), NONE).await.json();
        assert_eq!(shown["issue"]["id"], *id);
        assert_eq!(shown["sample"]["stack"], stack);
        let grouping = &shown["grouping"];
        assert_eq!((&grouping["by"], &grouping["exception"]), (&json!("stack"), &json!("TypeError")));
        assert_eq!(grouping["frames"], json!([{ "function": "pay", "file": "pay.js" }]));
        assert!(!grouping["template"].as_str().unwrap().contains("1234567"), "{grouping}");
        let why = &shown["why"];
        assert_eq!(
            (&why["kind"], &why["type"], &why["version"]),
            (&json!("stack"), &json!("TypeError"), &json!(2))
        );
        let library =
            json!({ "function": "", "file": "main", "used": false, "reason": "library code (node:)" });
        let pay = json!({ "function": "pay", "file": "pay.js", "used": true, "reason": "own code" });
        assert_eq!(why["frames"], json!([pay, library]));
        assert_eq!(
            why["hashed"],
            json!(["version 2", "source shop", "type TypeError", "frame pay in pay.js"])
        );
        assert_eq!(why["matches"], true);

        let mut own = error("whatever");
        own["fingerprint"] = json!(["my-group", 7]);
        send(running, &key, "own", &[own]).await;
        let found = until(running, "q=WHATEVER", "it is there", |found| found.len() == 1).await;
        let shown =
            running.admin(Method::GET, &format!("/issues/{}", found[0]["id"].as_str().unwrap()), NONE).await;
        let shown = shown.json();
        assert_eq!(shown["grouping"]["by"], "client");
        let why = &shown["why"];
        assert_eq!((&why["kind"], &why["matches"]), (&json!("client"), &json!(true)));
        assert_eq!(why["hashed"], json!(["version 2", "client my-group", "client 7"]));
    })
    .await;
}

#[tokio::test]
async fn a_client_s_list_with_default_adds_to_what_would_have_been() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let grouped = |fingerprint: Value| {
            let mut event = error("card 17 declined");
            event["fingerprint"] = fingerprint;
            event
        };
        let alike = [json!("{{ default }}"), json!(["{{ default }}"]), json!(null), json!([])];
        send(running, &key, "alike", &alike.map(grouped)).await;
        let apart =
            [json!(["{{ default }}", "eu"]), json!(["{{ default }}", "us"]), json!(["eu"]), json!("eu")];
        send(running, &key, "apart", &apart.map(grouped)).await;
        let found = until(running, "sort=count", "all are there", |found| found.len() == 4).await;
        let counts: Vec<i64> = found.iter().map(|issue| issue["count"].as_i64().unwrap()).collect();
        assert_eq!(counts, [4, 2, 1, 1]);
    })
    .await;
}

#[tokio::test]
async fn an_issue_says_whom_it_concerns_and_leads_from_event_to_event() {
    everywhere(async |running| {
        let key = running.project("web").await;
        for (number, (env, user)) in
            [("production", "ann"), ("production", "bob"), ("staging", "ann"), ("production", "ann")].iter().enumerate()
        {
            let mut event = error(&format!("card {number} declined"));
            event["env"] = json!(env);
            event["user_id"] = json!(user);
            send(running, &key, &format!("e{number}"), &[event, error("something else")]).await;
            running.hand.advance(1_000);
        }
        let found = until(running, "q=card", "all are there", |found| {
            found.first().is_some_and(|issue| issue["count"] == 4)
        })
        .await;
        let path = format!("/issues/{}", found[0]["id"].as_str().unwrap());
        let shown = running.admin(Method::GET, &path, NONE).await.json();
        let breakdown = &shown["breakdown"];
        assert_eq!((&breakdown["complete"], &breakdown["total"]), (&json!(true), &json!(4)));
        let share = |value: &str, count: i64| json!({ "value": value, "count": count, "share": f64::from(i32::try_from(count).unwrap()) / 4.0 });
        assert_eq!(breakdown["env"], json!([share("production", 3), share("staging", 1)]));
        assert_eq!(breakdown["user_id"], json!([share("ann", 3), share("bob", 1)]));
        assert_eq!(breakdown["source"], json!([share("shop", 4)]));
        assert_eq!(breakdown["release"], json!([share("1.2.3", 4)]));
        assert_eq!(breakdown["distinct"], json!({ "source": 1, "env": 2, "release": 1, "user_id": 2 }));
        assert_eq!(shown["sparkline"], shown["issue"]["trend"]);
        assert_eq!(shown["next"], Value::Null, "the latest is shown");
        assert_eq!(shown["sample"]["message"], "card 3 declined");

        let (mut walked, mut at) = (vec![shown["sample"]["id"].clone()], shown["previous"].clone());
        while let Some(event) = at.as_str() {
            let shown = running.admin(Method::GET, &format!("{path}?event={event}"), NONE).await.json();
            assert_eq!(shown["sample"]["id"], at);
            assert_eq!(shown["next"], *walked.last().unwrap());
            walked.push(at);
            at = shown["previous"].clone();
        }
        assert_eq!(walked.len(), 4);
        let listed = running.admin(Method::GET, &format!("/logs?q={}", shown["query"].as_str().unwrap()), NONE).await.json();
        let listed: Vec<&Value> = listed["logs"].as_array().unwrap().iter().map(|log| &log["id"]).collect();
        assert_eq!(walked.iter().collect::<Vec<_>>(), listed);
        let other = running.admin(Method::GET, "/logs?q=else&limit=1", NONE).await.json()["logs"][0]["id"].clone();
        for wrong in [other.as_str().unwrap(), "x", "00000000000000000000000000-0"] {
            assert_eq!(running.admin(Method::GET, &format!("{path}?event={wrong}"), NONE).await.status, 404, "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_muted_issue_opens_after_its_time_or_when_it_comes_too_often() {
    everywhere(async |running| {
        let key = running.project("web").await;
        send(running, &key, "one", &[error("disk is full")]).await;
        let found = until(running, "", "it is there", |found| found.len() == 1).await;
        let path = format!("/issues/{}/mute", found[0]["id"].as_str().unwrap());
        for wrong in [
            json!({}),
            json!({"until": "-1h"}),
            json!({"until_per_hour": 0}),
            json!({"until": "now+1h", "until_per_hour": 1}),
        ] {
            assert_eq!(running.admin(Method::PUT, &path, &wrong).await.status, 422, "{wrong}");
        }
        let muted = running.admin(Method::PUT, &path, &json!({ "until": "now+1h" })).await;
        assert_eq!(muted.json()["issue"]["status"], "muted", "{}", muted.body);
        assert_eq!((issues(running, "").await.len(), issues(running, "status=muted").await.len()), (0, 1));
        running.hand.advance(3_600_000);
        assert_eq!(issues(running, "").await.len(), 1, "the time is over");

        let muted = running.admin(Method::PUT, &path, &json!({ "until_per_hour": 3 })).await;
        assert_eq!(muted.json()["issue"]["muted_until_per_hour"], 3);
        send(running, &key, "two", &[error("disk is full"), error("disk is full")]).await;
        until(running, "status=muted", "both are counted", |found| found.iter().any(|one| one["count"] == 3))
            .await;
        let more = [error("disk is full"), error("disk is full")];
        send(running, &key, "three", &more).await;
        let open = until(running, "status=open", "four within the hour", |found| found.len() == 1).await;
        assert_eq!(open[0]["muted_until_per_hour"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_mute_by_the_hour_looks_at_the_last_hour_and_lifts_at_one_too_many() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let full = |number| vec![error("disk is full"); number];
        let counted = async |status: &str, count: i64| {
            let what = format!("{count} counted and {status}");
            until(running, &format!("status={status}"), &what, |found| {
                found.first().is_some_and(|issue| issue["count"] == count)
            })
            .await
        };
        send(running, &key, "noise", &full(5)).await;
        let found = counted("open", 5).await;
        let path = format!("/issues/{}/mute", found[0]["id"].as_str().unwrap());
        running.hand.advance(3_700_000);
        running.admin(Method::PUT, &path, &json!({ "until_per_hour": 3 })).await;
        send(running, &key, "three", &full(3)).await;
        counted("muted", 8).await;
        running.hand.advance(3_700_000);
        send(running, &key, "two", &full(2)).await;
        counted("muted", 10).await;
        send(running, &key, "one", &full(1)).await;
        counted("muted", 11).await;
        send(running, &key, "more", &full(1)).await;
        counted("open", 12).await;
        running.hand.advance(3_700_000);
        send(running, &key, "later", &full(1)).await;
        counted("open", 13).await;
    })
    .await;
}

#[tokio::test]
async fn a_deleted_issue_is_made_anew_by_its_next_event_and_its_events_stay() {
    everywhere(async |running| {
        let key = running.project("web").await;
        send(running, &key, "one", &[error("disk is full"), error("disk is full")]).await;
        let found = until(running, "", "it is there", |found| found.len() == 1).await;
        let path = format!("/issues/{}", found[0]["id"].as_str().unwrap());
        assert_eq!(running.admin(Method::PUT, &format!("{path}/resolve"), NONE).await.status, 200);
        assert_eq!(running.admin(Method::DELETE, &path, NONE).await.status, 204);
        let logs = running.admin(Method::GET, "/logs?q=disk", NONE).await.json();
        assert_eq!(logs["logs"].as_array().unwrap().len(), 2);
        running.hand.advance(60_000);
        send(running, &key, "two", &[error("disk is full")]).await;
        let found = until(running, "", "it is back", |found| found.len() == 1).await;
        let issue = &found[0];
        let state = (&issue["count"], &issue["new"], &issue["regressed"], &issue["resolved_release"]);
        assert_eq!(state, (&json!(1), &json!(true), &json!(false), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_paged_and_changed_many_at_once() {
    everywhere(async |running| {
        let (web, api) = (running.project("web").await, running.project("api").await);
        let words = ["apple", "berry", "cherry", "date", "elder"];
        for (count, word) in words.iter().enumerate() {
            running.hand.advance(60_000);
            send(running, &web, word, &vec![error(&format!("no {word}")); count + 1]).await;
        }
        send(
            running,
            &api,
            "fatal",
            &[json!({ "level": "fatal", "message": "all %_gone", "source": "api" })],
        )
        .await;
        until(running, "", "all are there", |found| found.len() == 6).await;
        let by_count = issues(running, "project_id=web&sort=count&limit=100").await;
        let counts: Vec<i64> = by_count.iter().map(|issue| issue["count"].as_i64().unwrap()).collect();
        assert_eq!(counts, [5, 4, 3, 2, 1]);
        for sort in ["last_seen", "first_seen", "count"] {
            let whole = issues(running, &format!("sort={sort}")).await;
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = running
                    .admin(Method::GET, &format!("/issues?sort={sort}&limit=2&cursor={cursor}"), NONE)
                    .await
                    .json();
                paged.extend(page["issues"].as_array().unwrap().clone());
                let Some(next) = page["next_cursor"].as_str() else { break };
                next.clone_into(&mut cursor);
            }
            assert_eq!(ids(&paged), ids(&whole), "{sort}");
        }
        assert_eq!(issues(running, "level=fatal").await.len(), 1);
        assert_eq!(issues(running, "q=ERR").await.len(), 2, "berry and cherry");
        assert_eq!(issues(running, "q=%25_g").await.len(), 1, "wildcards are themselves");
        assert_eq!(issues(running, "q=p%25e").await.len(), 0);
        for wrong in ["sort=name", "status=new", "limit=0", "limit=101", "cursor=1", "level=loud"] {
            let refused = running.admin(Method::GET, &format!("/issues?{wrong}"), NONE).await;
            assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{wrong}");
        }

        let other = running.admin(Method::GET, "/issues", NONE).await.json()["other"].clone();
        assert_eq!(other, json!({ "events_24h": 0, "max_issues": 10_000, "max_new_issues_a_minute": 200 }));

        let all = issues(running, "").await;
        let mut named: Vec<&str> = ids(&all);
        named.push("99-00000000000000ab");
        let changed =
            running.admin(Method::PUT, "/issues", &json!({ "ids": named, "action": "resolve" })).await;
        assert_eq!(changed.json(), json!({ "changed": 6 }));
        assert!(issues(running, "").await.is_empty());
        let gone = format!("/issues/{}", named[0]);
        assert_eq!(running.admin(Method::DELETE, &gone, NONE).await.status, 204);
        assert_eq!(running.admin(Method::DELETE, &gone, NONE).await.status, 404);
        assert_eq!(running.admin(Method::GET, &gone, NONE).await.status, 404);
        assert_eq!(issues(running, "status=all").await.len(), 5);
        for id in ["1", "1-ab", "01-00000000000000ab", "1-00000000000000AB"] {
            assert_eq!(running.admin(Method::GET, &format!("/issues/{id}"), NONE).await.status, 404, "{id}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_read_key_sees_issues_of_its_project_and_changes_none() {
    everywhere(async |running| {
        let (web, api) = (running.project("web").await, running.project("api").await);
        send(running, &web, "one", &[error("mine")]).await;
        send(running, &api, "two", &[error("theirs")]).await;
        let all = until(running, "", "both are there", |found| found.len() == 2).await;
        let id_of =
            |project: &str| all.iter().find(|issue| issue["project"] == project).unwrap()["id"].clone();
        let (mine, theirs) = (id_of("web"), id_of("api"));
        let (mine, theirs) = (mine.as_str().unwrap(), theirs.as_str().unwrap());
        let bearer = format!("Bearer {}", running.key(web.project_id, "read").await.text);
        let ask = async |method: Method, path: String| {
            running.request(method, &path, &[("authorization", &bearer)], Vec::new()).await
        };
        let listed = ask(Method::GET, "/issues".to_owned()).await.json();
        assert_eq!(ids(listed["issues"].as_array().unwrap()), [mine]);
        assert_eq!(ask(Method::GET, format!("/issues/{mine}")).await.status, 200);
        assert_eq!(ask(Method::GET, format!("/issues/{theirs}")).await.status, 404);
        assert_eq!(ask(Method::PUT, format!("/issues/{mine}/resolve")).await.status, 401);
        assert_eq!(ask(Method::DELETE, format!("/issues/{mine}")).await.status, 401);
    })
    .await;
}
