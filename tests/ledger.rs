//! The ledger on every database at hand: exact through purges, removals, kills of the fold and several instances.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

use std::sync::Arc;

use support::{TestDatabase, killed_after};
use tekno_logger::error::ApiError;
use tekno_logger::event::Level;
use tekno_logger::fold::{Fold, FoldMailbox};
use tekno_logger::ledger::{Account, Entry, Kind, LedgerRow};
use tekno_logger::maintenance::{Purge, Ran, maintainer};
use tekno_logger::outcome::Outcomes;
use tekno_logger::removal::remover;
use tekno_logger::store::Store;
use tekno_logger::write::WriteOutcome;
use tokio_util::sync::CancellationToken;
use writer::{DAY_MS, NOW, Writer, account, number, project, rows};

const HOUR_MS: i64 = 3_600_000;

async fn purge(store: &Store, writer: &Writer, purge: Purge) {
    let (_, maintainer) = maintainer(store.clone(), writer.clock.clone());
    let ran = maintainer.purge(&purge, &CancellationToken::new()).await.unwrap();
    assert!(matches!(ran, Ran::Done(report) if report.complete), "{ran:?}");
}

/// Accepted, purged, deleted, stored.
fn numbers(account: &Account) -> (i64, i64, i64, i64) {
    let sum = |kind| account.sum(kind);
    (account.accepted(), sum(Kind::Purged), sum(Kind::Deleted), account.accounted_stored())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_purged_and_deleted_adds_up_to_what_is_stored_at_every_moment() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let (shop, blog) = (project(&store, "shop", 1).await, project(&store, "blog", 1).await);
        for hour in 0..6 {
            for project in [shop, blog] {
                let sent = writer.send(project, &format!("{hour}"), &[Level::Info, Level::Error]).await;
                assert_eq!(sent, WriteOutcome::Stored, "{name}");
            }
            let ours = account(&store, Some(&[shop])).await;
            assert_eq!(numbers(&ours), (2 * (hour + 1), 0, 0, 2 * (hour + 1)), "{name}: before it is folded");
            assert!(ours.is_balanced(), "{name}: {ours:?}");
            if hour < 3 {
                writer.fold().await;
                assert!(account(&store, Some(&[shop])).await.is_balanced(), "{name}");
            }
            writer.hand.advance(HOUR_MS);
        }
        // Hours 0 to 2 are folded, 3 to 5 are not: both are purged and both were accepted.
        let older_than = Some(writer.clock.now().plus_millis(-HOUR_MS - 1));
        purge(&store, &writer, Purge { project_id: Some(shop), older_than, dry_run: false }).await;
        assert_eq!(numbers(&account(&store, Some(&[shop])).await), (12, 10, 0, 2), "{name}");
        writer.fold().await;
        let ours = account(&store, Some(&[shop])).await;
        assert_eq!(numbers(&ours), (12, 10, 0, 2), "{name}: the fold finds nothing twice");
        assert!(ours.is_balanced() && ours.missing() == 0 && ours.uncounted() == 0, "{name}: {ours:?}");
        let hidden = store.hide_project(blog, writer.clock.now()).await.unwrap();
        assert!(hidden, "{name}");
        let (_, remover) = remover(store.clone(), writer.clock.clone());
        remover.sweep(&CancellationToken::new()).await.unwrap();
        writer.fold().await;
        let theirs = account(&store, Some(&[blog])).await;
        assert_eq!(numbers(&theirs), (12, 0, 12, 0), "{name}: a removed project's ledger stays");
        let all = account(&store, None).await;
        assert_eq!(numbers(&all), (24, 10, 12, 2), "{name}");
        assert!(all.is_balanced(), "{name}: {all:?}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_is_cut_off_anywhere_writes_what_was_counted_once() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 1).await;
        let outcomes = Outcomes::new(writer.mailbox.tally().clone());
        let (mut sent, mut cut) = (0, 0);
        for waits in 0..60 {
            // With a block, and without one.
            if waits % 2 == 0 {
                writer.send(shop, &format!("{waits}"), &[Level::Info, Level::Error]).await;
                sent += 1;
            }
            outcomes.arrival(Some(shop), writer.clock.now()).refused(&ApiError::Unauthorized);
            let fold = Fold::new(store.clone(), writer.clock.clone(), writer.mailbox.clone());
            cut += u32::from(killed_after(waits / 2, fold.tick(false)).await.is_none());
            if waits % 7 == 0 {
                writer.hand.advance(HOUR_MS / 2);
            }
        }
        assert!(cut > 10, "{name}: only {cut} were cut off");
        writer.fold().await;
        let ours = account(&store, Some(&[shop])).await;
        let counted =
            [Kind::Read, Kind::Committed, Kind::Accepted, Kind::Requests].map(|kind| ours.sum(kind));
        assert_eq!(counted, [2 * sent, 2 * sent, 2 * sent, 60], "{name}");
        assert!(ours.is_balanced(), "{name}: {ours:?}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_fold_at_once_lose_and_double_nothing() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let (store, other) = (database.store().await, database.store().await);
        let (one, two) = (Writer::start(&store), Writer::start(&other));
        let shop = project(&store, "shop", 1).await;
        for round in 0..20 {
            one.send(shop, &format!("one {round}"), &[Level::Error; 3]).await;
            two.send(shop, &format!("two {round}"), &[Level::Error; 2]).await;
            // The same batch again, through the other.
            assert!(matches!(
                two.send(shop, &format!("one {round}"), &[Level::Error; 3]).await,
                WriteOutcome::Duplicate { .. }
            ));
            tokio::join!(one.fold(), two.fold(), one.fold());
        }
        let ours = account(&store, Some(&[shop])).await;
        assert_eq!(numbers(&ours), (100, 0, 0, 100), "{name}");
        assert_eq!((ours.received(), ours.sum(Kind::Duplicate)), (160, 60), "{name}");
        assert!(ours.is_balanced() && ours.uncounted() == 0, "{name}: {ours:?}");
        one.stop().await;
        two.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_while_the_database_is_away_is_written_when_it_returns() {
    use tekno_logger::store::DatabaseStatus;
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let writer = Writer::start(&store);
    let outcomes = Outcomes::new(writer.mailbox.tally().clone());
    store.set_status(DatabaseStatus::Disconnected);
    let fold = Fold::new(store.clone(), writer.clock.clone(), writer.mailbox.clone());
    for _ in 0..3 {
        outcomes.arrival(None, writer.clock.now()).refused(&ApiError::Unauthorized);
        assert!(fold.tick(false).await.is_err());
        writer.hand.advance(HOUR_MS);
    }
    store.set_status(DatabaseStatus::Connected);
    fold.tick(false).await.unwrap();
    let all = account(&store, None).await;
    assert_eq!(all.reasons(Kind::Requests).collect::<Vec<_>>(), [("unauthorized", 3)]);
    let hours = "SELECT COUNT(DISTINCT hour) FROM ledger WHERE entry = 'requests:unauthorized'";
    assert_eq!(number(&store, hours).await, 3, "each in its own hour");
    writer.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_crosses_an_hour_is_counted_in_both() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let writer = Writer::start(&store);
    let shop = project(&store, "shop", 1).await;
    writer.hand.advance(HOUR_MS - NOW % HOUR_MS - 500);
    let lock = database.lock_sqlite().await;
    let sends = (0..20).map(|number| {
        let (writer, name) = (&writer, format!("{number}"));
        async move {
            let sending = writer.send(shop, &name, &[Level::Info]);
            writer.hand.advance(50);
            sending.await
        }
    });
    let sending = futures_util::future::join_all(sends);
    let (outcomes, ()) = tokio::join!(sending, lock.release());
    assert!(outcomes.iter().all(|outcome| *outcome == WriteOutcome::Stored), "{outcomes:?}");
    writer.fold().await;
    let all = account(&store, Some(&[shop])).await;
    assert!(all.is_balanced(), "{all:?}");
    let crossed =
        format!("SELECT COUNT(*) FROM blocks WHERE received_first / {HOUR_MS} <> received_last / {HOUR_MS}");
    assert_eq!(number(&store, &crossed).await, 0, "a block has one hour of receipt");
    let hours = "SELECT COUNT(*) FROM ledger WHERE entry = 'accepted'";
    assert_eq!(number(&store, hours).await, 2);
    let by_hour = "SELECT COUNT(*) FROM ledger AS a JOIN ledger AS c ON a.hour = c.hour \
                   AND a.project_id = c.project_id WHERE a.entry = 'accepted' AND c.entry = 'committed' \
                   AND a.amount = c.amount";
    assert_eq!(number(&store, by_hour).await, 2, "memory and blocks agree on the hour");
    writer.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_added_within_a_transaction_come_and_go_with_it() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (clock, _) =
            tekno_logger::clock::Clock::manual(tekno_logger::timestamp::Timestamp::from_millis(NOW));
        let now = clock.now();
        let quarantined = LedgerRow::quarantine(7, now, 3);
        let timeout = tekno_logger::store::STATEMENT_TIMEOUT;
        for keep in [false, true] {
            let mut session = store.work().await.unwrap();
            session.begin(timeout).await.unwrap();
            session.add_to_ledger(&quarantined).await.unwrap();
            session.add_to_ledger(&[]).await.unwrap();
            if keep {
                session.commit(timeout).await.unwrap();
            } else {
                session.rollback(timeout).await.unwrap();
            }
        }
        let mut session = store.work().await.unwrap();
        session.add_to_ledger(&LedgerRow::retry(7, now, 1)).await.unwrap();
        session.add_to_ledger(&LedgerRow::discard(7, now, 1)).await.unwrap();
        drop(session);
        let ours = account(&store, Some(&[7])).await;
        let kinds = [Kind::Accepted, Kind::Quarantined, Kind::Deleted].map(|kind| ours.sum(kind));
        assert_eq!(kinds, [2, 1, 1], "{name}");
        assert_eq!(ours.accounted_stored(), 0, "{name}");
        assert_eq!(ours.reasons(Kind::Deleted).next(), Some((Entry::DELETED_QUARANTINE.reason, 1)), "{name}");
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_hours_go_as_a_whole_and_young_ones_stay() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 1).await;
        for day in 0..5 {
            writer.send_long(shop, day, &[Level::Info]).await;
            writer.fold().await;
            writer.hand.advance(DAY_MS);
        }
        let (_, worker) = maintainer(store.clone(), writer.clock.clone());
        let quit = CancellationToken::new();
        worker.maintain(true, &quit).await.unwrap();
        assert_eq!(account(&store, None).await.accepted(), 5, "{name}: kept beyond the blocks");
        // Of the five hours, three are more than 92 days old now.
        writer.hand.advance(90 * DAY_MS);
        worker.maintain(true, &quit).await.unwrap();
        let left = account(&store, None).await;
        assert_eq!(numbers(&left), (2, 2, 0, 0), "{name}");
        assert!(left.is_balanced(), "{name}: {left:?}");
        writer.hand.advance(90 * DAY_MS);
        worker.maintain(true, &quit).await.unwrap();
        assert_eq!(rows(&store, "ledger").await, 0, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_mailbox_and_its_outcomes_share_one_tally() {
    let mailbox = Arc::new(FoldMailbox::default());
    let (clock, _) = tekno_logger::clock::Clock::manual(tekno_logger::timestamp::Timestamp::from_millis(NOW));
    Outcomes::new(mailbox.tally().clone()).arrival(Some(1), clock.now()).refused(&ApiError::Unauthorized);
    assert!(!mailbox.tally().is_empty());
}
