//! Measures the service end to end, side by side with the database alone, and prints rows for docs/PERFORMANCE.md.
//!
//! `cargo bench --bench load -- [batches|stored|single|flat|purge|remote|tenth] [name=number …]`: a private `MariaDB` is started
//! with `innodb_flush_log_at_trx_commit=1` and a 128 MB pool; runs are interleaved and the median is given.
//! Names: `runs` (5), `events` (400000 a run), `connections` (32), `stored` (2000000), `delay` (50 ms of round trip).
//! `tenth` holds the service to a tenth of a CPU by a cgroup, which takes root.

#![allow(clippy::unwrap_used, reason = "a measurement stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "a measurement has no injected clock")]

mod events;
mod measure;
#[path = "../../tests/support/private_server.rs"]
mod private_server;
#[path = "../../tests/support/proxy.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod proxy;
mod rig;
mod rows;
mod senders;
#[path = "../../tests/support/skip.rs"]
mod skip;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use measure::{load, median, memory_mb, percentile};
use rig::Rig;
use senders::requests;

const ADMIN_TOKEN: &str = "bench-admin-token-5f6e7d8c9b0a1f2e3d4c5b6a7988";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let scenario = arguments.next().unwrap_or_else(|| "batches".to_owned());
    let numbers: BTreeMap<String, usize> = arguments
        .map(|argument| {
            let (name, number) = argument.split_once('=').expect("name=number");
            (name.to_owned(), number.replace('_', "").parse().expect("a number"))
        })
        .collect();
    let number = |name: &str, default: usize| numbers.get(name).copied().unwrap_or(default);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench { runs: number("runs", 5), events: number("events", 400_000) };
        match scenario.as_str() {
            "batches" => bench.batches(number("connections", 32), 0).await,
            "stored" => bench.batches(number("connections", 32), number("stored", 2_000_000)).await,
            "single" => bench.single(number("connections", 64)).await,
            "flat" => bench.flat(number("connections", 32)).await,
            "purge" => bench.purge().await,
            "remote" => bench.remote(u64::try_from(number("delay", 50)).unwrap()).await,
            "tenth" => bench.tenth(u64::try_from(number("delay", 50)).unwrap()).await,
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
}

impl Bench {
    /// Batches of 250 against multi-row INSERT, interleaved; with so many events stored in both before.
    async fn batches(&self, connections: usize, stored: usize) {
        let rig = Rig::on_mariadb().await;
        self.fill(&rig, stored).await;
        let (mut ours, mut raw, mut service, mut database, mut p99) =
            (vec![], vec![], vec![], vec![], vec![]);
        let raw_events = if stored > 0 { self.events / 10 } else { self.events };
        for run in 0..self.runs {
            let seed = 1_000 + run as u64;
            let (sent, rate, service_cpu, database_cpu) = rig.send(seed, self.events, 250, connections).await;
            ours.push(rate);
            service.push(service_cpu);
            database.push(database_cpu);
            p99.push(percentile(&sent.latencies, 99));
            if stored == 0 {
                rig.server.run_sql("DROP TABLE IF EXISTS raw.logs").await;
            }
            rig.server.run_sql(&format!("USE raw; {}", rows::TABLE)).await;
            let made = events::events(seed, raw_events, now_ms());
            #[expect(clippy::cast_precision_loss, reason = "a number of events")]
            raw.push(raw_events as f64 / rows::insert(&rig.raw_url(), &made).await);
        }
        let peak = memory_mb(rig.service.id(), "VmHWM");
        let (ours, raw) = (median(&ours), median(&raw));
        println!(
            "| 250 a batch, {connections} connections, {stored} stored | {ours:.0} events/s | rows {raw:.0}/s | \
             {:.1}x | p99 {:.0} ms | service {:.2} us | database {:.2} us | peak {peak:.0} MB | load {} |",
            ours / raw,
            median(&p99),
            median(&service),
            median(&database),
            load()
        );
    }

    async fn fill(&self, rig: &Rig, stored: usize) {
        let step = 200_000;
        for part in 0..stored.div_ceil(step) {
            let seed = 77_000 + part as u64;
            rig.send(seed, step, 250, 16).await;
            rig.server.run_sql(&format!("USE raw; {}", rows::TABLE)).await;
            rows::insert(&rig.raw_url(), &events::events(seed, step, now_ms())).await;
        }
    }

    /// One event a request, on both kinds of database.
    async fn single(&self, connections: usize) {
        for (name, rig) in [("MariaDB", Rig::on_mariadb().await), ("SQLite", Rig::on_sqlite().await)] {
            let (mut rates, mut service, mut database, mut p99) = (vec![], vec![], vec![], vec![]);
            for run in 0..self.runs {
                let taken = rig.send(5_000 + run as u64, self.events / 4, 1, connections).await;
                p99.push(percentile(&taken.0.latencies, 99));
                rates.push(taken.1);
                service.push(taken.2);
                database.push(taken.3);
            }
            println!(
                "| 1 a batch, {connections} connections, {name} | {:.0} events/s | p99 {:.0} ms | service {:.1} us | \
                 database {:.1} us | peak {:.0} MB | load {} |",
                median(&rates),
                median(&p99),
                median(&service),
                median(&database),
                memory_mb(rig.service.id(), "VmHWM"),
                load()
            );
        }
    }

    /// Five million events in one go: is the last tenth as fast as the first, and what does an event take on disk?
    async fn flat(&self, connections: usize) {
        let rig = Rig::on_mariadb().await;
        let (total, step) = (5_000_000, 250_000);
        let mut rates = Vec::new();
        for part in 0..total / step {
            rates.push(rig.send(9_000 + part as u64, step, 250, connections).await.1);
        }
        let tenth = rates.len() / 10;
        let (first, last) = (median(&rates[..tenth]), median(&rates[rates.len() - tenth..]));
        rig.server.run_sql("FLUSH TABLES").await;
        let bytes = measure::bytes_under(&rig.server.directory.path().join("data/svc"));
        #[expect(clippy::cast_precision_loss, reason = "bytes of files")]
        let each = bytes as f64 / total as f64;
        println!(
            "| 5 M events, {connections} connections | first tenth {first:.0}/s | last tenth {last:.0}/s | {:.2} | \
             {each:.0} B of files an event | peak {:.0} MB | load {} |",
            last / first,
            memory_mb(rig.service.id(), "VmHWM"),
            load()
        );
    }

    /// Deletes a million events by an admin's purge: alone, which gives the database's own time for it, and while
    /// batches come in.
    async fn purge(&self) {
        let rig = Rig::on_mariadb().await;
        Self::fill_million(&rig).await;
        let (took, alone, answer) = rig.purge_all().await;
        println!(
            "| purge of 1 M events, nothing else | {answer} | took {:.0} ms, database CPU {:.0} ms, 3 s after it \
             included | load {} |",
            took.as_secs_f64() * 1e3,
            alone.as_secs_f64() * 1e3,
            load()
        );
        let (mut calm, mut busy, mut took) = (vec![], vec![], vec![]);
        for _ in 0..self.runs {
            Self::fill_million(&rig).await;
            let before = rig.send(400, self.events, 250, 8).await.0;
            let made = rig.make(500, self.events, 250);
            tokio::time::sleep(Duration::from_secs(3)).await;
            let (purged, meanwhile) = tokio::join!(rig.purge_all(), rig.send_made(made, self.events, 8));
            calm.push(percentile(&before.latencies, 99));
            busy.push(percentile(&meanwhile.0.latencies, 99));
            took.push(purged.0.as_secs_f64() * 1e3);
        }
        println!(
            "| the same under load, {} runs | took {:.0} ms | ingest p99 {:.0} ms, before {:.0} ms | load {} |",
            self.runs,
            median(&took),
            median(&busy),
            median(&calm),
            load()
        );
    }

    async fn fill_million(rig: &Rig) {
        for part in 0..4 {
            rig.send(300 + part, 250_000, 250, 16).await;
        }
        // Folded, and older than the purge asks for.
        tokio::time::sleep(Duration::from_secs(4)).await;
    }

    /// A database some milliseconds away: an acknowledged batch in round trips, alone and among eight.
    async fn remote(&self, delay: u64) {
        let (rig, _proxy) = Rig::on_remote_mariadb(delay, &[]).await;
        rig.send(1, 2_000, 250, 1).await;
        for connections in [1, 8] {
            let (sent, ..) = rig.send(2 + connections as u64, 250 * 60 * connections, 250, connections).await;
            let p50 = percentile(&sent.latencies, 50);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
            let trips = p50 / delay as f64;
            println!(
                "| {delay} ms to the database, {connections} connections | p50 {p50:.0} ms = {trips:.1} round trips | \
                 p99 {:.0} ms | load {} |",
                percentile(&sent.latencies, 99),
                load()
            );
        }
    }

    /// A free host: a tenth of a CPU, a database away, eight clients at the project's cap of 5,000 events a minute.
    async fn tenth(&self, delay: u64) {
        let (rig, _proxy) = Rig::on_remote_mariadb(delay, &[("RATE_LIMIT_PER_MINUTE", "5000")]).await;
        let group = std::path::Path::new("/sys/fs/cgroup/cpu/tekno-bench");
        std::fs::create_dir_all(group).expect("a cgroup v1 CPU controller, and root");
        std::fs::write(group.join("cpu.cfs_period_us"), "100000").unwrap();
        std::fs::write(group.join("cpu.cfs_quota_us"), "10000").unwrap();
        std::fs::write(group.join("cgroup.procs"), rig.service.id().to_string()).unwrap();
        let made = events::events(4, 5_000, now_ms());
        let requests = requests(&rig.target, &made, 250);
        let port = rig.target.port;
        let pace = Duration::from_secs(3);
        let latencies = tokio::task::spawn_blocking(move || senders::send_paced(port, requests, 8, pace));
        let latencies = latencies.await.unwrap();
        println!(
            "| a tenth of a CPU, {delay} ms to the database, 8 clients, 5,000 events in a minute | p50 {:.0} ms | \
             p99 {:.0} ms | load {} |",
            percentile(&latencies, 50),
            percentile(&latencies, 99),
            load()
        );
        let mut starts = Vec::new();
        for _ in 0..self.runs {
            starts.push(rig.start_within(group).await.as_secs_f64() * 1e3);
        }
        println!(
            "| start to healthz at a tenth of a CPU | median {:.0} ms, most {:.0} ms | load {} |",
            median(&starts),
            starts.iter().copied().fold(0.0, f64::max),
            load()
        );
        drop(rig);
        let _ = std::fs::remove_dir(group);
    }
}
