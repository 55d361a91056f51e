//! Two instances on two nodes of a Galera cluster that take the lease from each other: every event stays, once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tekno_logger::maintenance::Ran;
use tekno_logger::store::{DatabaseStatus, STATEMENT_TIMEOUT, Store};
use tokio_util::sync::CancellationToken;

use crate::fill::{HOUR, HOUR_MS, clock_at, fold, posts, stored_lines, worker};
use crate::galera_cluster::Galera;
use crate::support::TestDatabase;
use crate::writer::{project, rows};

fn store_on(port: u16) -> (Store, TestDatabase) {
    let directory = TestDatabase::sqlite();
    let database = format!("mysql://root@127.0.0.1:{port}/tekno");
    let store = Store::new(&directory.config(&[("DATABASE_URL", &database)])).unwrap();
    store.set_status(DatabaseStatus::Connected);
    (store, directory)
}

/// Works until it once came to its end; gives how often it did not.
async fn compact(store: &Store) -> u32 {
    let clock = clock_at(HOUR + 80 * HOUR_MS);
    let worker = worker(store, &clock).renewing_every(Duration::ZERO);
    let mut beaten = 0;
    loop {
        match worker.maintain(true, &CancellationToken::new()).await {
            Ok(Ran::Done(report)) if report.complete => return beaten,
            _ => beaten += 1,
        }
        assert!(beaten < 2_000, "it never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_on_two_nodes_that_take_the_lease_from_each_other_lose_and_double_nothing() {
    let Some(cluster) = Galera::start().await else { return };
    cluster.nodes[0].run_sql("CREATE DATABASE tekno").await;
    let (one, _first) = store_on(cluster.nodes[0].port);
    let (two, _second) = store_on(cluster.nodes[1].port);
    let (third, _third) = store_on(cluster.nodes[2].port);
    one.migrate().await.unwrap();
    let shop = project(&one, "shop", 90).await;
    for hour in 0..30 {
        posts(&one, shop, HOUR + hour * HOUR_MS, 10_000, 15).await;
    }
    fold(&one, &clock_at(HOUR + 80 * HOUR_MS)).await;
    let before = stored_lines(&one, shop).await;
    let done = AtomicBool::new(false);
    let unseat = async {
        let mut times = 0;
        while !done.load(Ordering::Relaxed) {
            // For a while: then whoever has it comes to the end.
            if times < 60 {
                let end = "UPDATE leases SET until_ms = 0 WHERE name = 'maintenance'".to_owned();
                let mut session = third.work().await.unwrap();
                times += u32::from(session.change(end, STATEMENT_TIMEOUT).await.is_ok());
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        times
    };
    let work = async {
        let beaten = tokio::join!(compact(&one), compact(&two));
        done.store(true, Ordering::Relaxed);
        beaten
    };
    let (beaten, unseated) = tokio::join!(work, unseat);
    assert!(beaten.0 + beaten.1 > 3 && unseated > 3, "{beaten:?}, unseated {unseated} times");
    for store in [&one, &two, &third] {
        assert_eq!(stored_lines(store, shop).await, before);
        assert_eq!(rows(store, "blocks").await, 30);
        store.close();
    }
}
