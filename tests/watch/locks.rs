//! Two instances at the same rows: none waits for the other for ever, and what one of them didn't commit isn't said.

use std::time::{Duration, Instant};

use tekno_logger::alert::AlertKind;
use tekno_logger::event::Level;
use tekno_logger::ledger::{Entry, Kind, LedgerRow};
use tekno_logger::store::{ProjectChange, STATEMENT_TIMEOUT, StoreError};

use crate::support::TestDatabase;
use crate::world::{World, at};

/// Statements of others on a table that have been running for a while: they wait for a lock.
async fn waiting(world: &World, table: &str) -> usize {
    let find = format!(
        "SELECT 1 FROM information_schema.processlist WHERE DB = DATABASE() AND COMMAND = 'Query' \
         AND INFO LIKE '%{table}%' AND INFO NOT LIKE '%processlist%' AND TIME_MS > 40"
    );
    world.database.rows(&find).await.len()
}

async fn until_waiting(world: &World, table: &str, count: usize) -> bool {
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(700) {
        if waiting(world, table).await >= count {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Holds a row that nobody else has written, until it is rolled back.
async fn hold(world: &World, insert: String) -> tekno_logger::store::Session {
    let store = world.database.store().await;
    let mut session = store.work().await.unwrap();
    session.begin(STATEMENT_TIMEOUT).await.unwrap();
    session.change(insert, STATEMENT_TIMEOUT).await.unwrap();
    session
}

fn limited(world: &World) -> LedgerRow {
    let dropped = Entry { kind: Kind::Limited, reason: "rate_limited_project" };
    LedgerRow::new(world.shop, at(world.now()), dropped, 30_i64)
}

/// An outcome that is right in itself, or one that only time is to blame for.
fn is_done(outcome: Result<(), StoreError>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(StoreError::Conflict(why)) => {
            assert!(!why.to_lowercase().contains("deadlock"), "{why}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_and_a_write_of_the_ledger_take_their_locks_in_one_order() {
    let Some(database) = TestDatabase::on_server("mariadb", "TEST_MARIADB_URL").await else { return };
    let mut world = World::ruled(database).await;
    let cap = ProjectChange { minute_cap: Some(Some(100)), ..ProjectChange::default() };
    world.store.update_project(world.shop, cap).await.unwrap();
    world.restart().await;
    let two = world.another().await;
    for attempt in 0..20 {
        assert!(attempt < 19, "the two never met");
        // Whatever was said before is long ago.
        world.sleep(3_600_000);
        let now = at(world.now());
        world.writer.mailbox.tally().add([limited(&world)]);
        world.store_events(world.shop, Level::Error, 100 + attempt, 5).await;
        let counted = {
            let tally = tekno_logger::ledger::Tally::default();
            tally.add([limited(&world)]);
            tally.take(now).unwrap()
        };
        // The fold has the cooldown of the cap, and waits for one that comes after it …
        let shop = world.shop;
        let insert = format!(
            "INSERT INTO alert_cooldowns (project_id, rule_key, group_key, said_at, found_at, suppressed) \
             VALUES ({shop}, 'spike', '{shop}-{:016x}', 0, 0, 0)",
            100 + attempt
        );
        let mut holder = hold(&world, insert).await;
        let writing = async {
            let first = until_waiting(&world, "alert_cooldowns", 1).await;
            let mut session = two.store.work().await.unwrap();
            let written = session.write_counted(&counted, false, Some(&two.rules), now);
            let release = async {
                // … the other one waits for that of the cap, when the fold goes on to the ledger.
                let second = until_waiting(&world, "alert_cooldowns", 2).await;
                holder.rollback(STATEMENT_TIMEOUT).await.unwrap();
                second
            };
            let (written, second) = tokio::join!(written, release);
            (written.map(drop), first && second)
        };
        let (folded, (written, met)) = tokio::join!(world.one.fold.tick(false), writing);
        let done = [is_done(folded), is_done(written)];
        if met && done == [true, true] {
            break;
        }
    }
    assert!(world.counted(AlertKind::NearCap).await.0 > 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_not_taken_for_said_when_another_instance_counted_the_blocks() {
    let Some(database) = TestDatabase::server().await else { return };
    let mut world = World::ruled(database).await;
    world.store_events(world.shop, Level::Error, 107, 5).await;
    let insert = format!(
        "INSERT INTO ledger (project_id, hour, entry, amount) VALUES ({}, {}, '{}', 1)",
        world.shop,
        tekno_logger::ledger::hour_of(at(world.now())),
        Entry::ACCEPTED.name()
    );
    let mut holder = hold(&world, insert).await;
    // It finds a spike and can't write the ledger.
    assert!(world.one.fold.tick(false).await.is_err());
    holder.rollback(STATEMENT_TIMEOUT).await.unwrap();
    drop(holder);
    world.sleep(6_000);
    // Another one, which says nothing, counts the same blocks.
    let silent = world.database.store().await;
    let clock = world.writer.clock.clone();
    tekno_logger::fold::Fold::new(silent, clock, std::sync::Arc::default()).tick(true).await.unwrap();
    assert_eq!(world.rows("unfolded").await, 0);
    world.tick().await;
    assert_eq!(world.counted(AlertKind::Spike).await, (0, 0), "nobody said it");
    world.errors(107, 1).await;
    assert_eq!(world.counted(AlertKind::Spike).await, (1, 0));
    world.end().await;
}
