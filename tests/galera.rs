//! Two instances of the service on two nodes of a Galera cluster that loses a node, twice: everything acknowledged is
//! there once, and counted once.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/galera.rs"]
mod galera;
#[path = "support/private_server.rs"]
mod private_server;
#[path = "support/skip.rs"]
mod skip;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use galera::Galera;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use support::{TestDatabase, every_block};
use tekno_logger::app::App;
use tekno_logger::clock::Clock;
use tekno_logger::http::state::AppState;
use tekno_logger::lifecycle::{ExitOutcome, ShutdownTrigger};
use tekno_logger::store::DatabaseStatus;

/// Longest anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// Events in a batch.
const EVENTS: u64 = 5;
const SENDERS: u64 = 6;

struct Instance {
    url: String,
    state: Arc<AppState>,
    trigger: ShutdownTrigger,
    running: tokio::task::JoinHandle<ExitOutcome>,
    _directory: TestDatabase,
}

fn instance(port: u16) -> Instance {
    let directory = TestDatabase::sqlite();
    let database = format!("mysql://root@127.0.0.1:{port}/tekno");
    let config = directory.config(&[
        ("DATABASE_URL", &database),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("RATE_LIMIT_PER_IP", "0"),
        // Without a spool an answer tells what became of the batch in the cluster.
        ("SPOOL_MAX_BYTES", "0"),
    ]);
    let app = App::build(config, Clock::system()).unwrap();
    let url = format!("http://127.0.0.1:{}", app.local_addr().port());
    let (state, trigger) = (app.state(), app.trigger());
    Instance { url, state, trigger, running: tokio::spawn(app.run()), _directory: directory }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the senders share.
struct Load {
    urls: [String; 2],
    key: String,
    secret: String,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    duplicates: AtomicU64,
}

impl Load {
    /// Sends batches until told to stop; each goes from instance to instance until one acknowledges it.
    async fn send_batches(&self, sender: u64) -> BTreeSet<String> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(12)).build().unwrap();
        let mut names = BTreeSet::new();
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let name = format!("batch-{sender}-{number}");
            let events: Vec<_> = (0..EVENTS)
                .map(|index| serde_json::json!({ "message": format!("{name} of Galera"), "level": "error", "request_id": format!("{name}.{index}") }))
                .collect();
            let body = serde_json::to_vec(&events).unwrap();
            if number % 4 == 0 {
                // To both at once: the nodes find out at commit, and one of the two has to give way.
                let (one, other) = tokio::join!(
                    self.send(&client, &self.urls[0], &name, &body),
                    self.send(&client, &self.urls[1], &name, &body)
                );
                assert!(one != Some(false) || other != Some(false), "{name} was stored twice");
            }
            let since = Instant::now();
            let mut turn = usize::try_from(sender + number).unwrap();
            while self.send(&client, &self.urls[turn % 2], &name, &body).await.is_none() {
                assert!(since.elapsed() < PATIENCE, "{name} is refused by everybody");
                self.refused.fetch_add(1, Ordering::Relaxed);
                turn += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            names.insert(name);
        }
        names
    }

    /// Whether an acknowledged batch was a duplicate; `None` when it was not taken.
    async fn send(&self, client: &reqwest::Client, url: &str, name: &str, body: &[u8]) -> Option<bool> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(body);
        let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        let request = client
            .post(format!("{url}/log"))
            .header("x-project-key", &self.key)
            .header("x-signature", signature)
            .header("idempotency-key", name)
            .body(body.to_vec());
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        if status != 200 {
            assert!([408, 503].contains(&status), "{name}: {status} {}", answer.text().await.unwrap());
            return None;
        }
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["accepted"], EVENTS, "{answer}");
        let duplicate = answer["duplicate"] == true;
        self.duplicates.fetch_add(u64::from(duplicate), Ordering::Relaxed);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(duplicate)
    }

    /// Waits for so many more acknowledged batches.
    async fn progress(&self, batches: u64) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + batches;
        until("batches are acknowledged", async || self.acknowledged.load(Ordering::Relaxed) >= goal).await;
    }
}

type Senders = Vec<tokio::task::JoinHandle<BTreeSet<String>>>;

/// Sends to both instances until the load is told to stop.
fn start_load(instances: &[Instance; 2], key: String, secret: String) -> (Arc<Load>, Senders) {
    let load = Arc::new(Load {
        urls: [instances[0].url.clone(), instances[1].url.clone()],
        key,
        secret,
        stop: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        duplicates: AtomicU64::new(0),
    });
    let start = |sender| {
        let load = load.clone();
        tokio::spawn(async move { load.send_batches(sender).await })
    };
    let senders = (0..SENDERS).map(start).collect();
    (load, senders)
}

async fn until_connected(instance: &Instance, connected: bool) {
    let status = || instance.state.store.status() == DatabaseStatus::Connected;
    until("the instance notices what its node does", async || status() == connected).await;
}

/// The second instance's node is cut off, comes back, crashes, and comes back; batches are taken all the while.
async fn lose_a_node_twice(cluster: &mut Galera, instance: &Instance, load: &Load) {
    load.progress(100).await;
    cluster.isolate(1, true).await;
    cluster.wait_until_refusing(1).await;
    until_connected(instance, false).await;
    load.progress(50).await;
    cluster.isolate(1, false).await;
    cluster.wait_until_ready(1).await;
    until_connected(instance, true).await;
    load.progress(50).await;

    cluster.kill(1);
    load.progress(50).await;
    cluster.rejoin(1).await;
    cluster.wait_for_size(0, galera::NODES).await;
    until_connected(instance, true).await;
    load.progress(100).await;
}

/// Waits until every node has counted as many errors as there are events; never more.
async fn until_counted(cluster: &Galera, project_id: i64, stored: u64) {
    let sum = format!(
        "SELECT CAST(SUM(event_count) AS CHAR) FROM tekno.counts WHERE project_id = {project_id} AND series = 4"
    );
    for node in 0..galera::NODES {
        until("everything is counted on every node", async || {
            let counted = cluster.nodes[node].ask(&sum).await.and_then(|sum| sum.parse().ok()).unwrap_or(0);
            assert!(counted <= stored, "node {node} counted {counted} of {stored}");
            counted == stored
        })
        .await;
    }
}

/// Transactions that lost against one of another node.
async fn conflicts(cluster: &Galera) -> u64 {
    let mut conflicts = 0;
    for node in 0..2 {
        for name in ["wsrep_local_cert_failures", "wsrep_local_bf_aborts"] {
            conflicts += cluster.status(node, name).await;
        }
    }
    conflicts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_node_loses_and_doubles_nothing() {
    let Some(mut cluster) = Galera::start().await else { return };
    cluster.nodes[0].run_sql("CREATE DATABASE tekno").await;
    let instances = [instance(cluster.nodes[0].port), instance(cluster.nodes[1].port)];
    until_connected(&instances[0], true).await;
    until_connected(&instances[1], true).await;
    let (key, secret, project_id) = make_project(&instances[0]).await;
    // The other instance learns of a new key within seconds; until then it refuses it.
    until("the key is known to both", async || {
        let state = &instances[1].state;
        let keys = state.store.list_keys(project_id).await;
        keys.is_ok_and(|keys| !keys.is_empty()) && state.reload_directory().await.is_ok()
    })
    .await;
    let (load, senders) = start_load(&instances, key, secret);
    lose_a_node_twice(&mut cluster, &instances[1], &load).await;
    load.stop.store(true, Ordering::Relaxed);
    let mut names = BTreeSet::new();
    for sender in senders {
        names.extend(sender.await.unwrap());
    }
    assert!(load.refused.load(Ordering::Relaxed) > 0, "the faults were felt");
    let stored = u64::try_from(names.len()).unwrap() * EVENTS;
    assert_eq!(stored_request_ids(&instances[0], project_id).await, expected_request_ids(&names));
    until_counted(&cluster, project_id, stored).await;
    let conflicts = conflicts(&cluster).await;
    eprintln!(
        "{} batches, {} refusals, {} duplicates answered, {conflicts} certification conflicts",
        names.len(),
        load.refused.load(Ordering::Relaxed),
        load.duplicates.load(Ordering::Relaxed)
    );
    assert!(conflicts > 0, "the nodes had to choose");
    for one in instances {
        one.trigger.stop();
        assert_eq!(one.running.await.unwrap(), ExitOutcome::Clean);
    }
}

/// A project with a key; the other instance learns of it by itself.
async fn make_project(instance: &Instance) -> (String, String, i64) {
    let answer = reqwest::Client::new()
        .post(format!("{}/admin/projects", instance.url))
        .header("x-admin-token", support::ADMIN_TOKEN)
        .body(r#"{"slug":"shop"}"#)
        .send()
        .await
        .unwrap();
    let made: serde_json::Value = answer.json().await.unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (
        text(&made["key"]["api_key"]),
        text(&made["key"]["signing_secret"]),
        made["project"]["id"].as_i64().unwrap(),
    )
}

fn expected_request_ids(names: &BTreeSet<String>) -> Vec<String> {
    let mut ids: Vec<String> =
        names.iter().flat_map(|name| (0..EVENTS).map(move |index| format!("{name}.{index}"))).collect();
    ids.sort_unstable();
    ids
}

/// `request_id` of every stored event, doubles included.
async fn stored_request_ids(instance: &Instance, project_id: i64) -> Vec<String> {
    use tekno_logger::block::decode::{StoredEvent, inflate_body, lines};
    use tekno_logger::store::BlockQuery;
    let query = BlockQuery { ascending: true, limit: 1_000_000, ..every_block(project_id) };
    let mut session = instance.state.store.read().await.unwrap();
    let mut ids = Vec::new();
    for header in session.block_headers(&query).await.unwrap() {
        let block = session.block(project_id, header.id).await.unwrap().unwrap();
        let raw = inflate_body(header.codec, header.raw_bytes, &block.body).unwrap();
        ids.extend(
            lines(&raw).map(|line| StoredEvent::parse(line).unwrap().request_id.unwrap().into_owned()),
        );
    }
    ids.sort_unstable();
    ids
}
