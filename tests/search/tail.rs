//! Live tails of the running service: on one instance and across two, coming back, slow, revoked, stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tekno_logger::http::places::{MAX_TAILS, MAX_TAILS_EACH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::events::Events;
use crate::model::text;
use crate::proxy::behind_proxy;
use crate::reading::{PATIENCE, Service, TestProject, until};
use crate::support::{ADMIN_TOKEN, TestDatabase};

fn ask(service: &Service, query: &str) -> RequestBuilder {
    let request = service.client.get(format!("{}/logs/tail?{query}", service.base));
    request.header("X-Admin-Token", ADMIN_TOKEN)
}

fn ask_as(service: &Service, project: &TestProject, query: &str) -> RequestBuilder {
    service.client.get(format!("{}/logs/tail?{query}", service.base)).bearer_auth(&project.read_key)
}

fn messages(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| json!({ "message": format!("event {n}") })).collect()
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("event {n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_what_comes_after_it_began_as_the_list_shows_it() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        service.post(&shop, &[json!({ "message": "before" })]).await;
        let mut tail = Events::open(ask(&service, "")).await;
        let hostile = "</script>\r\n\r\nevent: log\ndata: {}\n\n\u{2028}\u{0}";
        service.post(&shop, &[json!({ "message": hostile, "level": "error", "ctx": { "n": 1.50 } })]).await;
        let shown = tail.log().await;
        assert_eq!(shown, service.page("level=error").await["logs"][0], "{name}");
        assert!(text(&shown, "message").contains("</script>"));
        service.post(&shop, &messages(0..5)).await;
        assert_eq!(tail.texts(5).await, names(0..5), "{name}: in the order of the batch");
        service.stop().await;
        assert_eq!(tail.end().await, "stopping", "{name}");
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_filters_as_the_list_does_and_each_reader_sees_its_own() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let (shop, other) = (service.project("shop").await, service.project("other").await);
    let mut everything = Events::open(ask(&service, "")).await;
    let mut found = Events::open(ask(&service, "q=%22card+declined%22+-retry&level=error,fatal")).await;
    let mut own = Events::open(ask_as(&service, &other, "")).await;
    let mut named = Events::open(ask(&service, "project_id=other&request_id=REQ-1")).await;
    for (project, message, level, request) in [
        (&shop, "Card declined", "error", "req-2"),
        (&shop, "card declined", "info", "req-1"),
        (&shop, "card declined, retry", "error", "req-3"),
        (&other, "theirs", "info", "req-1"),
        (&other, "CARD DECLINED too", "fatal", "req-4"),
    ] {
        let event = json!({ "message": message, "level": level, "request_id": request });
        service.post(project, &[event]).await;
        service.hand.advance(10);
    }
    assert_eq!(everything.texts(5).await.len(), 5);
    assert_eq!(found.texts(2).await, ["Card declined", "CARD DECLINED too"]);
    assert_eq!(own.texts(2).await, ["theirs", "CARD DECLINED too"]);
    assert_eq!(named.texts(1).await, ["theirs"]);
    let foreign = ask_as(&service, &other, "project_id=shop").send().await.unwrap();
    assert_eq!(foreign.status(), 404);
    for query in ["level=loud", "cursor=x", "from=never", "q=%22%22&q=x"] {
        assert_eq!(ask(&service, query).send().await.unwrap().status(), 400, "{query}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_two_instances_reach_a_tail_once_each() {
    let Some(database) = TestDatabase::server().await else { return };
    let (one, two) = (Service::start(&database).await, Service::start(&database).await);
    let shop = one.project("shop").await;
    two.state.reload_directory().await.unwrap();
    // What the other's clock is behind, a look goes back.
    two.hand.advance(9_000);
    let mut tail = Events::open(ask(&two, "")).await;
    let post = async |service: &Service, from: usize| {
        for n in 0..30 {
            let body = Value::from(messages(from + n * 10..from + n * 10 + 10)).to_string();
            let answer = service.try_post(&shop, &format!("batch-{from}-{n}"), body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            service.hand.advance(7);
        }
    };
    let read = async {
        let mut seen = BTreeSet::new();
        for _ in 0..900 {
            let log = tail.log().await;
            assert!(seen.insert(text(&log, "id").to_owned()), "shown twice: {log}");
        }
        seen
    };
    let ((), (), (), seen) = tokio::join!(post(&one, 0), post(&two, 300), post(&one, 600), read);
    let stored: BTreeSet<String> =
        one.pages("limit=1000").await.iter().map(|log| text(log, "id").to_owned()).collect();
    assert_eq!(seen, stored);
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let mut tail = Events::open(ask(&service, "")).await;
        // All in one millisecond: the ids alone tell no order.
        service.post(&shop, &messages(0..3)).await;
        service.post(&shop, &messages(3..6)).await;
        let mut last = Value::Null;
        let mut seen = BTreeSet::new();
        for _ in 0..4 {
            last = tail.log().await;
            seen.insert(text(&last, "message").to_owned());
        }
        drop(tail);
        service.post(&shop, &messages(6..8)).await;
        service.hand.advance(3_000);
        service.post(&shop, &messages(8..10)).await;
        let id = text(&last, "id");
        let mut again = Events::open(ask(&service, "cursor=ignored").header("Last-Event-ID", id)).await;
        service.post(&shop, &messages(10..12)).await;
        for _ in 0..8 {
            let log = again.log().await;
            assert!(seen.insert(text(&log, "message").to_owned()), "{name}: shown twice: {log}");
        }
        assert_eq!(seen, names(0..12).into_iter().collect(), "{name}");
        drop(again);
        let mut filtered = Events::open(ask(&service, &format!("q=%22event+9%22&cursor={id}"))).await;
        assert_eq!(filtered.texts(1).await, ["event 9"], "{name}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_comes_back_to_another_instance_and_after_a_long_time() {
    let Some(database) = TestDatabase::server().await else { return };
    let (one, two) = (Service::start(&database).await, Service::start(&database).await);
    let shop = one.project("shop").await;
    two.state.reload_directory().await.unwrap();
    let mut tail = Events::open(ask(&one, "")).await;
    one.post(&shop, &messages(0..3)).await;
    let last = tail.texts(2).await;
    assert_eq!(last, names(0..2));
    let second = one.page("q=%22event+1%22").await["logs"][0]["id"].as_str().unwrap().to_owned();
    drop(tail);
    for service in [&one, &two] {
        service.hand.advance(600_000);
    }
    one.post(&shop, &messages(3..5)).await;
    let mut again = Events::open(ask(&two, "").header("Last-Event-ID", &second)).await;
    let mut shown = again.texts(3).await;
    shown.sort();
    assert_eq!(shown, names(2..5));
    one.post(&shop, &messages(5..6)).await;
    assert_eq!(again.texts(1).await, names(5..6));
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_ends_when_its_reader_may_no_longer_read() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let (shop, other) = (service.project("shop").await, service.project("other").await);
    let admin = |method, path: &str| {
        service
            .client
            .request(method, format!("{}{path}", service.base))
            .header("X-Admin-Token", ADMIN_TOKEN)
            .header("content-type", "application/json")
    };
    let mut revoked = Events::open(ask_as(&service, &shop, "")).await;
    let removed = Events::open(ask(&service, "project_id=other")).await;
    let session = service.client.post(format!("{}/session", service.base));
    let session = session.body(json!({ "token": ADMIN_TOKEN }).to_string()).send().await.unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let asked = service.client.get(format!("{}/logs/tail", service.base)).header("cookie", &cookie);
    let signed_out = Events::open(asked).await;
    let mut stays = Events::open(ask(&service, "")).await;

    let keys = format!("/admin/projects/{}/keys/2", shop.id);
    assert_eq!(admin(reqwest::Method::DELETE, &keys).send().await.unwrap().status(), 204);
    let gone = format!("/admin/projects/{}", other.id);
    assert!(admin(reqwest::Method::DELETE, &gone).send().await.unwrap().status().is_success());
    let out = service.client.delete(format!("{}/session", service.base)).header("cookie", &cookie);
    assert!(out.header("sec-fetch-site", "same-origin").send().await.unwrap().status().is_success());

    service.hand.advance(14_000);
    service.post(&shop, &messages(0..1)).await;
    assert_eq!(revoked.texts(1).await, names(0..1), "asked again each 15 s, not with each event");
    service.hand.advance(1_000);
    service.post(&shop, &messages(1..2)).await;
    assert_eq!(revoked.end().await, "unauthorized");
    assert_eq!(removed.end().await, "removed");
    assert_eq!(signed_out.end().await, "unauthorized");
    assert_eq!(stays.texts(2).await, names(0..2), "others go on");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_all_projects_takes_new_ones_in_says_that_it_lives_and_ends_after_an_hour() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let mut tail = Events::open(ask(&service, "")).await;
    let shop = service.project("shop").await;
    service.hand.advance(15_000);
    assert_eq!(tail.next().await.unwrap().event, ":keep-alive");
    service.post(&shop, &messages(0..1)).await;
    assert_eq!(tail.texts(1).await, names(0..1));
    service.hand.advance(3_600_000);
    assert_eq!(tail.end().await, "reconnect");
    service.stop().await;
}

/// Asks for an answer with little room for it.
async fn read_slowly(service: &Service, path: &str) -> tokio::net::TcpStream {
    let address = service.base.trim_start_matches("http://").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-Admin-Token: {ADMIN_TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_what_it_missed_and_costs_others_nothing() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    let mut slow = read_slowly(&service, "/logs/tail").await;
    let mut head = [0; 12];
    slow.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let mut quick = Events::open(ask(&service, "q=marker")).await;
    let (mut posted, filler) = (0_u64, "x".repeat(7_000));
    for round in 0..10 {
        let event = |n: u32| json!({ "message": format!("{n} {filler}"), "ctx": round });
        let mut batch: Vec<Value> = (0..400).map(event).collect();
        batch.push(json!({ "message": format!("marker {round}") }));
        service.post(&shop, &batch).await;
        posted += 401;
        // A look at each batch of its own.
        assert_eq!(quick.texts(1).await, [format!("marker {round}")]);
    }
    service.post(&shop, &[json!({ "message": "marker, the last one" })]).await;
    assert_eq!(quick.texts(1).await, ["marker, the last one"]);
    let (mut text, mut piece) = (String::new(), vec![0; 64 << 10]);
    while !text.contains("the last one") {
        let read = tokio::time::timeout(PATIENCE, slow.read(&mut piece)).await;
        let read = read.expect("the stream goes on").unwrap();
        assert!(read > 0, "the stream ended");
        text += &String::from_utf8_lossy(&piece[..read]);
    }
    let shown = text.matches("event: log\n").count() as u64;
    let counts = text.lines().filter_map(|line| line.strip_prefix("data: {\"count\":"));
    let skipped: u64 = counts.map(|rest| rest.trim_end_matches('}').parse::<u64>().unwrap()).sum();
    assert!(skipped > 0, "{shown} of {posted} were shown, so nothing was slow");
    assert_eq!(shown + skipped, posted + 1, "each is shown or counted");
    service.stop().await;
}

/// How long a service takes to stop that has a tail, and an export that nobody reads.
async fn time_of_a_stop() -> Duration {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    let tail = Events::open(ask(&service, "")).await;
    let filler = "x".repeat(7_000);
    for round in 0..6 {
        let event = |n: u32| json!({ "message": format!("{n} {filler}"), "ctx": round });
        let batch: Vec<Value> = (0..400).map(event).collect();
        service.post(&shop, &batch).await;
    }
    let mut blocked = read_slowly(&service, "/logs/export").await;
    let mut head = [0; 12];
    blocked.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let (mut waiting, mut same) = (0, 0);
    until("its buffers are full", async || {
        let more = blocked.peek(&mut vec![0; 1 << 20]).await.unwrap();
        same = if more == waiting { same + 1 } else { 0 };
        waiting = more;
        same == 20
    })
    .await;
    let read = async { tail.end().await };
    let begun = std::time::Instant::now();
    let (reason, ()) = tokio::join!(read, service.stop());
    assert_eq!(reason, "stopping");
    drop(blocked);
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_neither_for_a_tail_nor_for_an_export_that_nobody_reads() {
    // The grace for answers is 3.5 s, which a stop that waits takes each time; a busy machine only now and then.
    for _ in 0..3 {
        if time_of_a_stop().await < Duration::from_secs(3) {
            return;
        }
    }
    panic!("it waits out its grace");
}

#[tokio::test(flavor = "multi_thread")]
async fn tails_are_bounded_and_a_reader_that_leaves_gives_its_place_at_once() {
    let database = TestDatabase::sqlite();
    let changes = [("CLIENT_ADDRESS_HEADER", "x-client")];
    let service = Service::start_with(&database, &changes).await;
    let shop = service.project("shop").await;
    let from = |client: usize| ask(&service, "").header("x-client", format!("192.0.2.{client}"));
    let mut open = Vec::new();
    for client in 1..=MAX_TAILS / MAX_TAILS_EACH {
        for _ in 0..MAX_TAILS_EACH {
            open.push(Events::open(from(client)).await);
        }
        let refused = from(client).send().await.unwrap();
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
    }
    let refused = ask_as(&service, &shop, "").send().await.unwrap();
    assert_eq!(refused.status(), 503, "there are only so many in all");
    open.pop();
    until("its place is free", async || service.state.tail_places.taken() < MAX_TAILS).await;
    open.push(Events::open(ask_as(&service, &shop, "")).await);
    service.post(&shop, &messages(0..1)).await;
    for tail in &mut open {
        assert_eq!(tail.texts(1).await, names(0..1));
    }
    drop(open);
    until("all places are free", async || service.state.tail_places.taken() == 0).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_spool_gives_late_is_announced_by_its_number() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let (shop, other) = (service.project("shop").await, service.project("other").await);
        let late = BTreeMap::from([(shop.id, 4), (other.id, 7)]);
        let drain = async || {
            let mut work = service.state.store.work().await.unwrap();
            work.commit_drained(&[], &[], &[], &[], &[], &late).await.unwrap();
        };
        drain().await;
        let mut tail = Events::open(ask_as(&service, &shop, "")).await;
        drain().await;
        let message = tail.next().await.unwrap();
        let expected = json!({ "project_id": shop.id, "project": "shop", "count": 4 });
        assert_eq!((message.event.as_str(), message.json()), ("late", expected), "{name}");
        service.post(&shop, &messages(0..1)).await;
        assert_eq!(tail.texts(1).await, names(0..1), "{name}: and once");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_a_tail_shows_what_is_spooled_and_not_again_when_it_moves() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, service) = behind_proxy(&database).await;
    let shop = service.project("shop").await;
    let mut tail = Events::open(ask(&service, "")).await;
    service.post(&shop, &messages(0..1)).await;
    assert_eq!(tail.texts(1).await, names(0..1));
    proxy.set_cut(true);
    service.post(&shop, &messages(1..3)).await;
    assert_eq!(tail.texts(2).await, names(1..3));
    let mut joined = Events::open(ask(&service, "")).await;
    service.hand.advance(60_000);
    service.post(&shop, &messages(3..4)).await;
    assert_eq!(tail.texts(1).await, names(3..4));
    proxy.set_cut(false);
    until("the spool is empty", async || {
        service.state.spool.as_ref().is_some_and(|spool| spool.depth().is_empty())
            && service.get("/readyz").await.status == 200
    })
    .await;
    service.post(&shop, &messages(4..5)).await;
    let mut rest = vec![tail.next().await.unwrap()];
    while rest.last().unwrap().event != "log" {
        rest.push(tail.next().await.unwrap());
    }
    let shown: Vec<&str> =
        rest.iter().map(|one| one.event.as_str()).filter(|event| !event.starts_with(':')).collect();
    assert_eq!(shown, ["log"], "what was shown is neither shown again nor announced: {rest:?}");
    assert_eq!(rest.last().unwrap().json()["message"], "event 4");
    assert_eq!(joined.texts(2).await, names(3..5));
    assert_eq!(service.pages("").await.len(), 5);
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_outlives_an_outage_without_a_spool_and_misses_nothing_of_others() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, away) = behind_proxy(&database).await;
    let there = Service::start(&database).await;
    let shop = there.project("shop").await;
    away.state.reload_directory().await.unwrap();
    let mut tail = Events::open(ask(&away, "")).await;
    proxy.set_cut(true);
    until("it is noticed", async || away.get("/logs").await.json()["warnings"] == json!(["database_away"]))
        .await;
    let refused = ask(&away, "").send().await.unwrap();
    assert_eq!(refused.status(), 503, "a tail can't begin now");
    for n in 0..4 {
        there.post(&shop, &messages(n..n + 1)).await;
        for service in [&there, &away] {
            service.hand.advance(12_000);
        }
    }
    proxy.set_cut(false);
    assert_eq!(tail.texts(4).await, names(0..4));
    there.stop().await;
    away.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_spooled_is_announced_when_it_comes_late() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, away) = behind_proxy(&database).await;
    let there = Service::start(&database).await;
    let shop = there.project("shop").await;
    away.state.reload_directory().await.unwrap();
    away.post(&shop, &messages(0..1)).await;
    let mut tail = Events::open(ask(&there, "")).await;
    proxy.set_cut(true);
    away.post(&shop, &messages(1..3)).await;
    for service in [&there, &away] {
        service.hand.advance(60_000);
    }
    let live = Value::from(messages(3..4)).to_string();
    assert_eq!(there.try_post(&shop, "live", live).await.status, 200);
    let mut message = tail.next().await.unwrap();
    while message.event != "log" {
        message = tail.next().await.unwrap();
    }
    assert_eq!(message.json()["message"], "event 3");
    proxy.set_cut(false);
    let late = tail.next().await.unwrap();
    assert_eq!((late.event.as_str(), &late.json()["count"]), ("late", &json!(2)));
    there.stop().await;
    away.stop().await;
    database.remove().await;
}
