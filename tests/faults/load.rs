//! Senders that remember what they were told, and the check that all of it is true.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tekno_logger::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::balance::check_ledger;
use crate::process::{PATIENCE, until};
use crate::rig::{Client, Rig};

const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
/// How long counts may take to be exact once all is quiet.
const QUIET: Duration = Duration::from_secs(90);

/// A project and what signs its batches.
#[derive(Clone)]
pub struct Project {
    pub id: i64,
    pub api_key: String,
    pub signing_secret: String,
}

/// Chance, replayable.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// A seed of `TEST_SEED`, else a new one; printed, to replay a failure.
    pub fn new(what: &str) -> Self {
        let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        });
        println!("{what}: TEST_SEED={seed}");
        Self(seed)
    }

    /// The next number below `bound` (`SplitMix64`).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Twelve letters and a space: digits could happen to be a card number, which would be scrubbed.
    fn word(&mut self) -> String {
        let mut word: String =
            (0..12).map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap())).collect();
        word.push(' ');
        word
    }

    pub fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}

/// A batch as sent; its `Idempotency-Key` is the id.
pub struct Batch {
    pub id: String,
    pub body: String,
    pub events: Vec<Value>,
}

impl Batch {
    /// A batch of `count` events, each with `padding` bytes of its own text.
    pub fn new(id: &str, count: u64, padding: u64, dice: &mut Dice) -> Self {
        let events: Vec<Value> = (0..count)
            .map(|index| {
                let mut text = String::new();
                while (text.len() as u64) < padding {
                    text.push_str(&dice.word());
                }
                json!({
                    "ts": Clock::system().now().to_string(),
                    "level": LEVELS[usize::try_from(dice.below(4)).unwrap()],
                    "message": format!("order {} went to shelf {index}", dice.below(1_000_000)),
                    "source": "torture",
                    "env": "tests",
                    "user_id": format!("user-{}", dice.below(50)),
                    "request_id": format!("{id}-{index}"),
                    "ctx": { "n": dice.below(1 << 40), "text": text },
                })
            })
            .collect();
        Self { id: id.to_owned(), body: json!(events).to_string(), events }
    }
}

/// What a sender was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Status, body and how long it took.
    Status(u16, Value, Option<String>, Duration),
    /// The connection ended instead.
    Lost,
}

impl Answer {
    pub fn status(&self) -> u16 {
        match self {
            Self::Status(status, ..) => *status,
            Self::Lost => 0,
        }
    }
}

/// Sends a batch once.
pub async fn send(client: &Client, project: &Project, batch: &Batch) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(project.signing_secret.as_bytes()).unwrap();
    mac.update(batch.body.as_bytes());
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let started = Instant::now();
    let request = client
        .http
        .post(format!("{}/log", client.base))
        .header("x-project-key", &project.api_key)
        .header("x-signature", format!("sha256={signature}"))
        .header("idempotency-key", &batch.id)
        .body(batch.body.clone());
    let Ok(answer) = request.send().await else { return Answer::Lost };
    let (status, retry) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
    let retry = retry.map(|value| value.to_str().unwrap().to_owned());
    match answer.json().await {
        Ok(body) => Answer::Status(status, body, retry, started.elapsed()),
        Err(_) => Answer::Lost,
    }
}

/// Sends a batch until it is acknowledged, and checks the counts of the answer.
pub async fn send_until_stored(client: &Client, project: &Project, batch: &Batch, patience: Duration) {
    let last = Mutex::new(Answer::Lost);
    let started = Instant::now();
    loop {
        let answer = send(client, project, batch).await;
        if acknowledges(&answer, batch) {
            return;
        }
        *last.lock().unwrap() = answer;
        assert!(started.elapsed() < patience, "not stored in {patience:?}: {:?}", last.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether an answer says that the whole batch is stored.
pub fn acknowledges(answer: &Answer, batch: &Batch) -> bool {
    let Answer::Status(200, body, ..) = answer else { return false };
    assert_eq!(body["received"], batch.events.len(), "{body}");
    assert_eq!(body["accepted"], batch.events.len(), "{body}");
    true
}

/// Everything that was ever sent, with whether it was acknowledged.
#[derive(Default)]
pub struct Ledger {
    batches: Mutex<HashMap<String, (Arc<Batch>, bool)>>,
}

impl Ledger {
    /// Notes a batch before it is sent.
    pub fn note(&self, batch: Batch) -> Arc<Batch> {
        let batch = Arc::new(batch);
        self.batches.lock().unwrap().insert(batch.id.clone(), (batch.clone(), false));
        batch
    }

    pub fn acknowledge(&self, batch: &Batch) {
        self.batches.lock().unwrap().get_mut(&batch.id).unwrap().1 = true;
    }

    /// Events acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let batches = self.batches.lock().unwrap();
        batches.values().filter(|entry| entry.1).map(|entry| entry.0.events.len()).sum()
    }

    /// Asks for every event: acknowledged ones are there once, others once or not at all and never in part, all
    /// unaltered, none invented. Then the counts become exact, and the ledger adds up.
    pub async fn check(&self, rig: &Rig, client: &Client, project: &Project) -> usize {
        let stored = stored_events(client, project).await;
        {
            let batches = self.batches.lock().unwrap();
            let mut sent = HashMap::new();
            for (batch, _) in batches.values() {
                for event in &batch.events {
                    sent.insert(event["request_id"].as_str().unwrap(), event);
                }
            }
            for (name, found) in &stored {
                assert_eq!(found.len(), 1, "stored more than once: {name}");
                let Some(event) = sent.get(name.as_str()) else { panic!("invented: {name}") };
                for field in ["ts", "level", "message", "source", "env", "user_id", "ctx"] {
                    assert_eq!(found[0][field], event[field], "{field} of {name} was altered");
                }
            }
            for (batch, acknowledged) in batches.values() {
                let there = batch
                    .events
                    .iter()
                    .filter(|one| stored.contains_key(one["request_id"].as_str().unwrap()));
                let (there, all) = (there.count(), batch.events.len());
                assert!(
                    there == all || (there == 0 && !acknowledged),
                    "{there} of {all} events of {}",
                    batch.id
                );
            }
        }
        check_counts(rig, client, project, &stored).await;
        check_ledger(client, project.id, stored.len()).await;
        stored.len()
    }
}

/// All events of a project by `request_id`, read page by page.
pub async fn stored_events(client: &Client, project: &Project) -> HashMap<String, Vec<Value>> {
    let mut stored: HashMap<String, Vec<Value>> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/logs?project_id={}&from=-24h&limit=1000{cursor}", project.id);
        let page = whole_page(client, &path).await;
        for log in page["logs"].as_array().unwrap() {
            stored.entry(log["request_id"].as_str().unwrap().to_owned()).or_default().push(log.clone());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return stored,
        }
    }
}

/// A page read from the database: one that meets a connection which was ended says so, and is asked for again.
async fn whole_page(client: &Client, path: &str) -> Value {
    let started = Instant::now();
    loop {
        let (status, page) = client.get(path).await;
        assert_eq!(status, 200, "{page}");
        let away = page["warnings"].as_array().unwrap().contains(&"database_away".into());
        if !away && page["scanned"]["complete"] == true {
            return page;
        }
        assert!(started.elapsed() < PATIENCE, "never read whole: {} {}", page["warnings"], page["scanned"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn check_counts(rig: &Rig, client: &Client, project: &Project, stored: &HashMap<String, Vec<Value>>) {
    let total = stored.len();
    let last = Mutex::new(Value::Null);
    let asked = async || {
        let (_, stats) = client.get(&format!("/stats?project_id={}", project.id)).await;
        let exact = stats["total"] == total;
        *last.lock().unwrap() = stats["total"].clone();
        exact
    };
    let started = Instant::now();
    while !asked().await {
        assert!(started.elapsed() < QUIET, "counted {} of {total} events", last.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Each level for itself, from the table; twice, as nothing may change any more.
    for level in ["trace", "debug", "info", "warn", "error", "fatal"].iter().enumerate() {
        let real = stored.values().flatten().filter(|one| one["level"] == *level.1).count();
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM counts WHERE project_id = {} AND series = {}",
            project.id, level.0
        );
        assert_eq!(rig.numbers(&sql).await, [i64::try_from(real).unwrap()], "counted as {}", level.1);
    }
    let errors = stored.values().flatten().filter(|one| one["level"] == "error").count();
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM issues WHERE project_id = {}",
        project.id
    );
    assert_eq!(rig.numbers(&sql).await, [i64::try_from(errors).unwrap()], "events of issues");
    until("nothing waits to be counted", QUIET, async || {
        rig.numbers("SELECT COUNT(*) FROM unfolded").await == [0]
    })
    .await;
}

/// Senders at work until they are stopped; where they send to can be changed.
pub struct Load {
    pub ledger: Arc<Ledger>,
    targets: watch::Sender<Vec<Client>>,
    stopping: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
    /// Longest a sender waited for an answer.
    slowest: Arc<Mutex<Duration>>,
    /// Answers that were 503.
    refused: Arc<AtomicUsize>,
}

impl Load {
    pub fn start(count: usize, project: &Project, targets: Vec<Client>, dice: &mut Dice) -> Self {
        let (targets, _) = watch::channel(targets);
        let ledger = Arc::<Ledger>::default();
        let (stopping, slowest) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Duration>>::default());
        let refused = Arc::<AtomicUsize>::default();
        let senders = (0..count)
            .map(|number| {
                let sender = Sender {
                    number,
                    project: project.clone(),
                    ledger: ledger.clone(),
                    targets: targets.subscribe(),
                    stopping: stopping.clone(),
                    slowest: slowest.clone(),
                    refused: refused.clone(),
                    dice: dice.fork(),
                };
                tokio::spawn(sender.run())
            })
            .collect();
        Self { ledger, targets, stopping, senders, slowest, refused }
    }

    /// Answers so far that were 503.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// From now on batches go to these.
    pub fn retarget(&self, targets: Vec<Client>) {
        self.targets.send_replace(targets);
    }

    /// Waits until so many more events were acknowledged.
    pub async fn acknowledged_more(&self, events: usize, patience: Duration) {
        let goal = self.ledger.acknowledged() + events;
        until("more events are acknowledged", patience, async || self.ledger.acknowledged() >= goal).await;
    }

    /// Stops the senders after the request they are at; gives the longest wait for an answer.
    pub async fn stop(&mut self) -> Duration {
        self.stopping.store(true, Ordering::SeqCst);
        for sender in self.senders.drain(..) {
            sender.await.unwrap();
        }
        *self.slowest.lock().unwrap()
    }
}

struct Sender {
    number: usize,
    project: Project,
    ledger: Arc<Ledger>,
    targets: watch::Receiver<Vec<Client>>,
    stopping: Arc<AtomicBool>,
    slowest: Arc<Mutex<Duration>>,
    refused: Arc<AtomicUsize>,
    dice: Dice,
}

impl Sender {
    async fn run(mut self) {
        let mut count = 0;
        while !self.stopping.load(Ordering::SeqCst) {
            let events = 1 + self.dice.below(40);
            let batch = Batch::new(&format!("s{}-{count}", self.number), events, 40, &mut self.dice);
            let batch = self.ledger.note(batch);
            count += 1;
            self.deliver(&batch).await;
        }
    }

    /// Sends a batch until it is acknowledged; now and then gives one up, as clients do.
    async fn deliver(&mut self, batch: &Batch) {
        loop {
            let targets = self.targets.borrow().clone();
            let target = &targets[usize::try_from(self.dice.below(targets.len() as u64)).unwrap()];
            let answer = send(target, &self.project, batch).await;
            if let Answer::Status(status, body, retry, took) = &answer {
                assert!(matches!(status, 200 | 503), "{status} {body}");
                assert!(*status == 200 || retry.is_some(), "a 503 says when to come again");
                self.refused.fetch_add(usize::from(*status == 503), Ordering::SeqCst);
                let mut slowest = self.slowest.lock().unwrap();
                *slowest = (*slowest).max(*took);
            }
            if acknowledges(&answer, batch) {
                return self.ledger.acknowledge(batch);
            }
            if self.stopping.load(Ordering::SeqCst) || self.dice.below(10) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
