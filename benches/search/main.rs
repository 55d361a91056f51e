//! Measures searches over HTTP on a private `MariaDB`, side by side with the same events as rows, and prints rows for
//! docs/PERFORMANCE.md.
//!
//! `cargo bench --bench search -- [events|growth|rows|ingest|remote] [name=number …]`. `events` fills one size and asks; `growth`
//! does so for a hundred thousand, a million and so on up to `events`; `rows` asks a table of rows the same; `ingest`
//! posts batches while eight clients scan everything; `remote` is `events` with a delay in between.
//! Names: `events` (1000000), `runs` (7), `block` (2000 events), `compact` (1: as compaction leaves bodies, 0: as ingest
//! makes them), `delay` (50 ms of round trip), `connections` (8, of ingest).

#![allow(clippy::unwrap_used, reason = "a measurement stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "a measurement has no injected clock")]

#[path = "../load/events.rs"]
mod events;
mod fill;
#[path = "../load/measure.rs"]
#[allow(dead_code, reason = "the other benchmark uses more of it")]
mod measure;
#[path = "../../tests/support/private_server.rs"]
mod private_server;
#[path = "../../tests/support/proxy.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod proxy;
#[path = "../load/rig.rs"]
#[allow(dead_code, reason = "the other benchmark uses more of it")]
mod rig;
#[path = "../load/rows.rs"]
mod rows;
#[path = "../load/senders.rs"]
#[allow(dead_code, reason = "the other benchmark uses more of it")]
mod senders;
#[path = "../../tests/support/skip.rs"]
mod skip;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fill::Fill;
use measure::{cpu, load, median, memory_mb, percentile, reset_peak};
use rig::Rig;
use serde_json::Value;
use tekno_logger::block::encode::CompressionLevel;

const ADMIN_TOKEN: &str = "bench-admin-token-5f6e7d8c9b0a1f2e3d4c5b6a7988";

/// In no event, and without three letters or digits side by side: no filter rules it out.
const UNFILTERED: &str = "%22~%7C~%22";
/// In no event; filters rule most blocks out.
const FILTERED: &str = "xylophone";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let scenario = arguments.next().unwrap_or_else(|| "events".to_owned());
    let numbers: BTreeMap<String, usize> = arguments
        .map(|argument| {
            let (name, number) = argument.split_once('=').expect("name=number");
            (name.to_owned(), number.replace('_', "").parse().expect("a number"))
        })
        .collect();
    let number = |name: &str, default: usize| numbers.get(name).copied().unwrap_or(default);
    let bench = Bench {
        runs: number("runs", 7),
        events: number("events", 1_000_000),
        block: number("block", 2_000),
        level: if number("compact", 1) == 0 { CompressionLevel::Ingest } else { CompressionLevel::Compact },
        connections: number("connections", 8),
    };
    let delay = u64::try_from(number("delay", 50)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match scenario.as_str() {
            "events" => bench.events(Rig::on_mariadb().await, "local").await,
            "growth" => bench.growth().await,
            "rows" => bench.rows().await,
            "ingest" => bench.ingest().await,
            "remote" => {
                let (rig, _proxy) = Rig::on_remote_mariadb(delay, &[]).await;
                bench.events(rig, &format!("{delay} ms away")).await;
            }
            other => panic!("no scenario {other}"),
        }
    });
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

struct Bench {
    runs: usize,
    events: usize,
    block: usize,
    level: CompressionLevel,
    connections: usize,
}

/// What some runs of one search took.
struct Taken {
    /// Milliseconds of the first run, when nothing was in memory, and the middle of the others.
    cold: f64,
    warm: f64,
    /// Bytes the database sent in the middle run.
    sent: f64,
    answer: Value,
}

/// Asks the service, following cursors while a page was cut short; `None` where there is no such route.
async fn ask(rig: &Rig, client: &reqwest::Client, path: &str) -> Option<Value> {
    let mut cursor = String::new();
    loop {
        let url = format!("http://127.0.0.1:{}{path}{cursor}", rig.target.port);
        let answer = client.get(url).header("X-Admin-Token", ADMIN_TOKEN).send().await.unwrap();
        let status = answer.status().as_u16();
        if status == 404 {
            return None;
        }
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        match (answer["scanned"]["complete"].as_bool(), answer["next_cursor"].as_str()) {
            (Some(false), Some(next)) => cursor = format!("&cursor={next}"),
            _ => return Some(answer),
        }
    }
}

async fn sent_by_database(rig: &Rig) -> f64 {
    let sql = "SELECT CAST(VARIABLE_VALUE AS CHAR) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'BYTES_SENT'";
    rig.server.ask(sql).await.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

impl Bench {
    fn fill(&self, events: usize) -> Fill {
        Fill { events, block: self.block, level: self.level, now_ms: now_ms() }
    }

    /// A service on so many events of the last 24 hours.
    async fn filled(&self, mut rig: Rig, events: usize) -> (Rig, Fill) {
        let project = rig.server.ask("SELECT CAST(id AS CHAR) FROM svc.projects WHERE slug = 'bench'").await;
        let project: i64 = project.and_then(|id| id.parse().ok()).expect("the project");
        let fill = self.fill(events);
        let seconds = fill.run(&mut rig, project).await;
        let bytes = "SELECT CAST(SUM(stored_bytes + LENGTH(id_filter) + LENGTH(text_filter)) + (SELECT COALESCE(SUM(LENGTH(bits)), 0) FROM svc.id_filters) AS CHAR) FROM svc.blocks";
        let bytes: f64 = rig.server.ask(bytes).await.and_then(|sum| sum.parse().ok()).unwrap_or(0.0);
        let filters = "SELECT CAST(100 * (SUM(LENGTH(id_filter) + LENGTH(text_filter)) + (SELECT COALESCE(SUM(LENGTH(bits)), 0) FROM svc.id_filters)) / SUM(stored_bytes) AS CHAR) FROM svc.blocks";
        let filters = rig.server.ask(filters).await.unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a number of events")]
        let each = bytes / events as f64;
        println!(
            "filled {events} events in {seconds:.0} s, {each:.1} B an event with filters, which are {filters} % of the bodies"
        );
        (rig, fill)
    }

    async fn runs(&self, rig: &Rig, path: &str) -> Option<Taken> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (mut times, mut sent, mut answer) = (Vec::new(), Vec::new(), Value::Null);
        for _ in 0..=self.runs {
            let before = sent_by_database(rig).await;
            let since = Instant::now();
            answer = ask(rig, &client, path).await?;
            times.push(since.elapsed().as_secs_f64() * 1e3);
            sent.push(sent_by_database(rig).await - before);
        }
        let cold = times.remove(0);
        Some(Taken { cold, warm: median(&times), sent: median(&sent), answer })
    }

    /// Every kind of search over what is filled in.
    async fn searches(&self, rig: &Rig, fill: &Fill, name: &str) {
        let needle = &fill.batch(fill.batches() * 2 / 3)[17].request_id;
        let from = fill.now_ms - 86_400_000;
        let range = format!("from={from}&to={}", fill.now_ms);
        let searches = [
            ("substring in no event, no filter helps", format!("/logs?{range}&q={UNFILTERED}")),
            ("substring in no event", format!("/logs?{range}&q={FILTERED}")),
            ("needle request_id", format!("/logs?q=request_id:{needle}")),
            ("newest 100 errors", "/logs?level=error&limit=100".to_owned()),
            ("newest 100 with a word", "/logs?q=deadlock&limit=100".to_owned()),
            ("histogram by level", format!("/logs/histogram?{range}&by=level")),
            ("top 10 patterns", format!("/logs/patterns?{range}&limit=10")),
        ];
        for (what, path) in searches {
            reset_peak(rig.service.id());
            let before = (cpu(rig.service.id()), rig.database().map(cpu));
            let Some(taken) = self.runs(rig, &path).await else {
                println!("| {name} | {what} | no such route |");
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
            let each = |used: Duration| used.as_secs_f64() * 1e3 / (self.runs + 1) as f64;
            let service = each(cpu(rig.service.id()).saturating_sub(before.0));
            let database = rig
                .database()
                .map(cpu)
                .zip(before.1)
                .map_or(0.0, |(now, then)| each(now.saturating_sub(then)));
            let found = taken.answer["logs"].as_array().map_or(0, Vec::len);
            println!(
                "| {name}, {} events | {what} | {:.1} ms (first {:.1}) | found {found} | scanned {} | database sent {:.0} kB | \
                 CPU {service:.0} + {database:.0} ms | peak {:.0} MB | load {} |",
                fill.events,
                taken.warm,
                taken.cold,
                taken.answer["scanned"],
                taken.sent / 1e3,
                memory_mb(rig.service.id(), "VmHWM"),
                load()
            );
        }
    }

    async fn events(&self, rig: Rig, name: &str) {
        let (rig, fill) = self.filled(rig, self.events).await;
        self.searches(&rig, &fill, name).await;
    }

    async fn growth(&self) {
        let mut events = 100_000.min(self.events);
        while events <= self.events {
            let (rig, fill) = self.filled(Rig::on_mariadb().await, events).await;
            self.searches(&rig, &fill, "growth").await;
            events *= 10;
        }
    }

    /// The same questions to a table of rows with the indexes such tables have.
    async fn rows(&self) {
        let rig = Rig::on_mariadb().await;
        rig.server.run_sql(&format!("USE raw; {}", rows::TABLE)).await;
        let fill = self.fill(self.events);
        let mut seconds = 0.0;
        for first in (0..fill.batches()).step_by(400) {
            let made: Vec<_> =
                (first..(first + 400).min(fill.batches())).flat_map(|batch| fill.batch(batch)).collect();
            seconds += rows::insert(&rig.raw_url(), &made).await;
        }
        println!("filled {} rows in {seconds:.0} s", self.events);
        let needle = &fill.batch(fill.batches() * 2 / 3)[17].request_id;
        let day = format!("project_id = 1 AND ts >= FROM_UNIXTIME({})", fill.now_ms / 1_000 - 86_400);
        let count = |what: &str| format!("SELECT CAST(COUNT(*) AS CHAR) FROM ({what}) AS found");
        let questions = [
            (
                "substring in no event",
                count(&format!("SELECT id FROM raw.logs WHERE {day} AND message LIKE '%xylophone%'")),
            ),
            (
                "needle request_id",
                count(&format!("SELECT * FROM raw.logs WHERE project_id = 1 AND request_id = '{needle}'")),
            ),
            (
                "newest 100 errors",
                count(
                    "SELECT * FROM raw.logs WHERE project_id = 1 AND level = 'error' ORDER BY ts DESC LIMIT 100",
                ),
            ),
            (
                "histogram by level",
                count(&format!(
                    "SELECT level, HOUR(ts) AS hour, COUNT(*) FROM raw.logs WHERE {day} GROUP BY level, hour"
                )),
            ),
            (
                "top 10 patterns",
                count(&format!(
                    "SELECT fingerprint, COUNT(*) AS n FROM raw.logs WHERE {day} GROUP BY fingerprint ORDER BY n DESC LIMIT 10"
                )),
            ),
        ];
        for (what, sql) in questions {
            let mut times = Vec::new();
            let mut found = String::new();
            for _ in 0..=self.runs.min(3) {
                let since = Instant::now();
                found = rig.server.ask(&sql).await.expect("an answer");
                times.push(since.elapsed().as_secs_f64() * 1e3);
            }
            let cold = times.remove(0);
            println!(
                "| rows, {} | {what} | {:.1} ms (first {cold:.1}) | found {found} | load {} |",
                self.events,
                median(&times),
                load()
            );
        }
    }

    /// Latency of batches, alone and while eight clients scan everything again and again.
    async fn ingest(&self) {
        let (rig, _fill) = self.filled(Rig::on_mariadb().await, self.events).await;
        let paced = Duration::from_millis(10);
        rig.send(1, 50_000, 250, self.connections).await;
        let calm = (self.paced(&rig, 2, paced).await, rig.send(3, 200_000, 250, self.connections).await.0);
        let (stop, scans) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let (stop, scans, port) = (stop.clone(), scans.clone(), rig.target.port);
                tokio::spawn(async move {
                    let client = reqwest::Client::builder().no_proxy().build().unwrap();
                    // Each looks for something else.
                    let url = format!("http://127.0.0.1:{port}/logs?q=%22~%7C{number}~%22");
                    while !stop.load(Ordering::Relaxed) {
                        let sent = client.get(&url).header("X-Admin-Token", ADMIN_TOKEN).send().await;
                        if sent.is_ok_and(|answer| answer.status() == 200) {
                            scans.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        reset_peak(rig.service.id());
        let busy = (self.paced(&rig, 4, paced).await, rig.send(5, 200_000, 250, self.connections).await.0);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        println!(
            "| {} events, a batch of 250 each 10 ms | p99 {:.1} ms alone, {:.1} ms with eight full scans | p50 {:.1}, {:.1} |",
            self.events,
            percentile(&calm.0, 99),
            percentile(&busy.0, 99),
            percentile(&calm.0, 50),
            percentile(&busy.0, 50)
        );
        println!(
            "| as fast as {} connections go | p99 {:.1} ms alone, {:.1} ms with eight full scans | {:.0} and {:.0} events/s | \
             scans {} | peak {:.0} MB | load {} |",
            self.connections,
            percentile(&calm.1.latencies, 99),
            percentile(&busy.1.latencies, 99),
            2e5 / calm.1.seconds,
            2e5 / busy.1.seconds,
            scans.load(Ordering::Relaxed),
            memory_mb(rig.service.id(), "VmHWM"),
            load()
        );
    }

    async fn paced(&self, rig: &Rig, seed: u64, pace: Duration) -> Vec<f64> {
        let made = events::events(seed, 250 * 1_000, now_ms());
        let requests = senders::requests(&rig.target, &made, 250);
        let (port, connections) = (rig.target.port, self.connections);
        let sent = move || senders::send_paced(port, requests, connections, pace);
        tokio::task::spawn_blocking(sent).await.unwrap()
    }
}
