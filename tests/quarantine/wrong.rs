//! When it is the database that is wrong, or the quarantine has no room: nothing is acknowledged, nothing quarantined, and
//! all of it passes once that is over.

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::quarantine::{FIRST_ALLOWANCE, MAX_EVENTS, PROJECT_SHARE};

use crate::refusing::{Site, bad, batch, good, messages};

async fn is_red(site: &Site, text: &str) {
    let ready = site.running.admin(Method::GET, "/readyz", &Value::Null).await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let why = ready.json()["checks"]["quarantine"]["detail"].to_string();
    assert!(why.contains(text), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_every_block_has_nothing_quarantined() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse("blocks", "1 = 1").await;
        for number in 0..5 {
            let name = format!("b{number}");
            let answer = site.send(&key, &name, &batch(&name, 40, &[1])).await;
            assert_eq!(answer.refusal(), (503, "storage_unavailable".to_owned()));
            assert!(answer.header("retry-after").is_some());
        }
        assert_eq!(site.database.count("quarantine", key.project_id).await, 0);
        is_red(site, "refuses every block").await;
        site.allow("blocks").await;
        for number in 0..5 {
            let name = format!("b{number}");
            assert_eq!(site.send(&key, &name, &batch(&name, 40, &[1])).await.counts(), (40, 40, false));
        }
        assert_eq!(site.stored(&key).await.len(), 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_against_one_project_holds_up_that_project_alone() {
    Site::everywhere(async |site| {
        let (shop, blog) = (site.running.project("shop").await, site.running.project("blog").await);
        site.refuse("blocks", &format!("NEW.project_id = {}", shop.project_id)).await;
        let mut sending = Vec::new();
        for number in 0..16 {
            let key = if number % 2 == 0 { &shop } else { &blog };
            let name = format!("b{number}");
            sending.push(async move { (key.project_id, site.send(key, &name, &batch(&name, 5, &[])).await) });
        }
        for (project_id, answer) in futures_util::future::join_all(sending).await {
            let expected = if project_id == shop.project_id { 503 } else { 200 };
            assert_eq!(answer.status, expected, "{}", answer.body);
        }
        assert_eq!((site.stored(&shop).await.len(), site.stored(&blog).await.len()), (0, 40));
        assert_eq!(site.quarantine("", 100).await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_more_than_it_takes_is_not_believed() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        // The harmless event passes, and nothing else does.
        site.refuse("blocks", "NEW.raw_bytes > 300").await;
        let large = |name: &str, count: usize| -> Vec<Value> {
            (0..count).map(|index| good(&format!("{name} {index} {}", "x".repeat(300)))).collect()
        };
        let all = usize::try_from(FIRST_ALLOWANCE).unwrap() + 1;
        let answer = site.send(&key, "many", &large("many", all)).await;
        assert_eq!(answer.refusal(), (503, "storage_unavailable".to_owned()), "one more than is allowed");
        assert_eq!(site.quarantine("", 100).await.len(), 0);
        is_red(site, "refused more than it took").await;
        let mut quarantined = 0;
        for number in 0..10 {
            let name = format!("some{number}");
            let answer = site.send(&key, &name, &large(&name, 30)).await;
            quarantined += answer.json()["quarantined"].as_u64().unwrap_or(0);
        }
        assert_eq!(quarantined, 90, "no more than allowed: 3 batches");
        assert_eq!(site.quarantine("", 100).await.len(), 90);
        // What it takes makes room for what it refuses.
        let small: Vec<Value> = (0..40).map(|index| good(&format!("s {index}"))).collect();
        for (number, events) in small.chunks(1).enumerate() {
            assert_eq!(site.send(&key, &format!("small{number}"), events).await.status, 200);
        }
        assert_eq!(site.send(&key, "some9", &large("some9", 30)).await.json()["quarantined"], 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_can_not_be_quarantined_is_not_acknowledged_and_others_are() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        site.refuse("quarantine", "1 = 1").await;
        let mut sending = Vec::new();
        for number in 0..12 {
            let name = format!("b{number}");
            let bad_at: &[usize] = if number % 4 == 0 { &[2] } else { &[] };
            sending
                .push(async move { site.send(&key_of(site).await, &name, &batch(&name, 5, bad_at)).await });
        }
        let answers = futures_util::future::join_all(sending).await;
        for (number, answer) in answers.iter().enumerate() {
            let expected = if number % 4 == 0 { 503 } else { 200 };
            assert_eq!(answer.status, expected, "{number}: {}", answer.body);
        }
        assert_eq!(site.stored(&key).await.len(), 9 * 5, "nothing of the others either");
        site.allow("quarantine").await;
        let answer = site.send(&key, "b0", &batch("b0", 5, &[2])).await;
        assert_eq!((answer.counts(), &answer.json()["quarantined"]), ((5, 5, false), &json!(1)));
        assert!(site.stored(&key).await.is_superset(&messages("b0", [0, 1, 3, 4])));
    })
    .await;
}

/// The key of the project `shop`, made anew: any of its keys will do.
async fn key_of(site: &Site) -> crate::running::Key {
    let project = site.running.admin(Method::GET, "/admin/projects/shop", &Value::Null).await.json();
    site.running.key(project["project"]["id"].as_i64().unwrap(), "server").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_fills_its_share_of_the_quarantine_and_no_more() {
    Site::everywhere(async |site| {
        let (shop, blog) = (site.running.project("shop").await, site.running.project("blog").await);
        site.refuse_old().await;
        let share = MAX_EVENTS / PROJECT_SHARE;
        let mut rows = Vec::new();
        for number in 0..share - 1 {
            let received = crate::running::START_SECONDS * 1_000;
            rows.push(format!("(X'{number:032x}', 0, {}, {received}, 0, 0, '', 1, 1, X'00')", shop.project_id));
        }
        for rows in rows.chunks(1_000) {
            let list = rows.join(",");
            let columns = "batch, event_index, project_id, received_at, quarantined_at, error_number, reason, \
                           raw_bytes, stored_bytes, body";
            site.database.rows(&format!("INSERT INTO quarantine ({columns}) VALUES {list}")).await;
        }
        let two = [bad("two 0"), good("two 1"), bad("two 2")];
        let full = site.send(&shop, "two", &two).await;
        assert_eq!(full.refusal(), (503, "storage_unavailable".to_owned()));
        is_red(site, "full").await;
        assert_eq!(site.stored(&shop).await.len(), 0);
        let last = site.send(&shop, "last", &[bad("last 0")]).await;
        assert_eq!(last.json()["quarantined"], 1, "there was room for one");
        assert_eq!(site.send(&shop, "more", &[bad("more 0")]).await.status, 503);
        assert_eq!(site.send(&shop, "fine", &[good("fine 0")]).await.status, 200);
        let other = site.send(&blog, "two", &two).await;
        assert_eq!(other.json()["quarantined"], 2, "{}", other.body);
    })
    .await;
}
