//! Kills and cut connections in the middle of compaction: all of a merge or nothing of it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use tekno_logger::maintenance::{Ran, Report};
use tekno_logger::store::{DatabaseStatus, Store};
use tokio_util::sync::CancellationToken;

use crate::fill::{HOUR, HOUR_MS, clock_at, fold, maintain, posts, stored_lines, worker};
use crate::proxy::{Proxy, Way};
use crate::support::{TestDatabase, killed_after};
use crate::writer::{project, rows};

async fn filled(store: &Store, hours: i64, a_hour: u64) -> i64 {
    let shop = project(store, "shop", 90).await;
    for hour in 0..hours {
        posts(store, shop, HOUR + hour * HOUR_MS, 10_000, a_hour).await;
    }
    fold(store, &clock_at(HOUR + 80 * HOUR_MS)).await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_dropped_anywhere_leaves_every_event_once_and_the_next_one_finishes() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = filled(&store, 10, 30).await;
        let before = stored_lines(&store, shop).await;
        let clock = clock_at(HOUR + 80 * HOUR_MS);
        let worker = worker(&store, &clock);
        let (mut kills, mut waits) = (0_u32, 0_u32);
        while killed_after(waits, worker.maintain(true, &CancellationToken::new())).await.is_none() {
            assert_eq!(stored_lines(&store, shop).await, before, "{name}: after {waits} waits");
            kills += 1;
            waits = waits * 9 / 8 + 1;
        }
        assert!(kills > 10, "{name}: only {kills} kills");
        assert!(maintain(&store, &clock).await.complete, "{name}");
        assert_eq!(stored_lines(&store, shop).await, before, "{name}");
        assert_eq!(rows(&store, "blocks").await, 10, "{name}");
        store.close();
        database.remove().await;
    }
}

/// `tekno-logger maintain` as a process of its own.
fn maintain_command(variables: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekno-logger"));
    command.arg("maintain").env_clear().envs(variables);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_moment_leaves_every_event_once() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        // The process goes by the machine's clock: its events are of hours ago.
        let now = tekno_logger::clock::Clock::system();
        let start = now.now().as_millis() / HOUR_MS * HOUR_MS - 20 * HOUR_MS;
        let shop = project(&store, "shop", 90).await;
        for hour in 0..16 {
            posts(&store, shop, start + hour * HOUR_MS, 20_000, 40).await;
        }
        fold(&store, &now).await;
        let before = stored_lines(&store, shop).await;
        let variables = database.variables(&[]);
        let mut kills = 0;
        for delay in (0..).map(|step| 40 + step * 25).take(40) {
            // A killed owner's lease would be waited for.
            release(&store).await;
            let mut child = maintain_command(&variables).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(stored_lines(&store, shop).await, before, "{name}: killed after {delay} ms");
            kills += u32::from(!ended);
            if ended {
                break;
            }
        }
        release(&store).await;
        assert!(kills > 0, "{name}");
        assert!(maintain_command(&variables).status().unwrap().success(), "{name}");
        assert_eq!(stored_lines(&store, shop).await, before, "{name}");
        assert_eq!(rows(&store, "blocks").await, 16, "{name}");
        store.close();
        database.remove().await;
    }
}

async fn release(store: &Store) {
    let release = "UPDATE leases SET until_ms = 0".to_owned();
    let mut session = store.work().await.unwrap();
    session.change(release, tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_and_lost_commits_leave_every_event_once() {
    let Some(database) = TestDatabase::server().await else { return };
    let store = database.store().await;
    let shop = filled(&store, 24, 20).await;
    let before = stored_lines(&store, shop).await;
    let url = &database.variables(&[])["DATABASE_URL"];
    let address = url::Url::parse(url).unwrap();
    let proxy = Proxy::to(address.port().unwrap()).await;
    let through = url.replace(&format!(":{}", address.port().unwrap()), &format!(":{}", proxy.port));
    let cut_off = Store::new(&database.config(&[("DATABASE_URL", &through)])).unwrap();
    let clock = clock_at(HOUR + 80 * HOUR_MS);
    let (mut failed, mut total) = (0, 0);
    for round in 0..40 {
        cut_off.set_status(DatabaseStatus::Connected);
        match round % 3 {
            0 => proxy.swallow_lone_commits(1),
            1 => proxy.cut_after(Way::Up, 400 + round * 211),
            _ => proxy.cut_after(Way::Down, 300 + round * 397),
        }
        let ran = worker(&cut_off, &clock).maintain(true, &CancellationToken::new()).await;
        total += 1;
        failed += u32::from(ran.is_err());
        assert_eq!(stored_lines(&store, shop).await, before, "round {round}: {ran:?}");
        cut_off.forget_connections();
        if let Ok(Ran::Done(Report { complete: true, .. })) = ran {
            break;
        }
        release(&store).await;
    }
    assert!(failed > 2, "{failed} of {total} runs were cut off");
    release(&store).await;
    assert!(maintain(&store, &clock).await.complete);
    assert_eq!(stored_lines(&store, shop).await, before);
    assert_eq!(rows(&store, "blocks").await, 24);
    store.close();
    cut_off.close();
    database.remove().await;
}
