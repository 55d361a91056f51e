//! Maintenance on every database at hand: what goes, what stays, who does it, and what a kill leaves.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use support::{TestDatabase, killed_after};
use tekno_logger::event::Level;
use tekno_logger::ledger::Kind;
use tekno_logger::maintenance::{Maintainer, Purge, Ran, Report, maintainer};
use tekno_logger::store::{STATEMENT_TIMEOUT, Store};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::write::WriteOutcome;
use tokio_util::sync::CancellationToken;
use writer::{DAY_MS, NOW, Writer, account, event, event_ids, number, project, rows};

const HOUR_MS: i64 = 3_600_000;

fn worker(store: &Store, writer: &Writer) -> Maintainer {
    maintainer(store.clone(), writer.clock.clone()).1
}

async fn maintain(maintainer: &Maintainer) -> Report {
    match maintainer.maintain(true, &CancellationToken::new()).await.unwrap() {
        Ran::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Sums of counts by project and series.
async fn sums(store: &Store) -> BTreeMap<(i64, i64), i64> {
    let sum =
        "SELECT project_id, series, CAST(SUM(event_count) AS SIGNED) FROM counts GROUP BY project_id, series";
    let mut session = store.read().await.unwrap();
    let rows = session.select(sum.to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    rows.iter().map(|row| ((row.int(0).unwrap(), row.int(1).unwrap()), row.int(2).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_when_their_last_event_was_received_before_their_projects_retention() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let (short, long) = (project(&store, "short", 1).await, project(&store, "long", 3).await);
        for hour in 0..48 {
            for project in [short, long] {
                writer.send(project, &format!("{hour}"), &[Level::Info, Level::Error]).await;
            }
            if hour % 2 == 0 {
                writer.fold().await;
            }
            writer.hand.advance(HOUR_MS);
        }
        // An event of long ago, received now, is as young as any.
        let old = [event(0, Timestamp::from_millis(NOW - 30 * DAY_MS), Level::Error, "late")];
        assert_eq!(writer.send_events(short, "late", &old).await, WriteOutcome::Stored, "{name}");
        let report = maintain(&worker(&store, &writer)).await;
        assert!(report.complete, "{name}");
        assert_eq!((report.purged.blocks, report.purged.events), (24, 48), "{name}");
        assert_eq!(event_ids(&store, short).await.len(), 49, "{name}");
        assert_eq!(event_ids(&store, long).await.len(), 96, "{name}");
        let oldest = format!("SELECT MIN(received_last) FROM blocks WHERE project_id = {short}");
        assert_eq!(number(&store, &oldest).await, NOW + 24 * HOUR_MS, "{name}");
        let dangling = "SELECT COUNT(*) FROM unfolded WHERE block_id NOT IN (SELECT id FROM blocks)";
        assert_eq!(number(&store, dangling).await, 0, "{name}");
        let again = maintain(&worker(&store, &writer)).await;
        assert_eq!(again.purged.blocks, 0, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_takes_what_was_asked_for_and_a_dry_run_nothing() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let (shop, blog) = (project(&store, "shop", 3).await, project(&store, "blog", 3).await);
        for hour in 0..10 {
            for project in [shop, blog] {
                writer.send(project, &format!("{hour}"), &[Level::Info; 3]).await;
            }
            writer.hand.advance(HOUR_MS);
        }
        let worker = worker(&store, &writer);
        let ask = async |project_id, hours: i64, dry_run| {
            let older_than = Some(writer.clock.now().plus_millis(-hours * HOUR_MS));
            let purge = Purge { project_id, older_than, dry_run };
            match worker.purge(&purge, &CancellationToken::new()).await.unwrap() {
                Ran::Done(report) => (report.purged.blocks, report.purged.events),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ask(Some(shop), 6, true).await, (4, 12), "{name}");
        assert_eq!(ask(None, 6, true).await, (8, 24), "{name}");
        assert_eq!(rows(&store, "blocks").await, 20, "{name}");
        assert_eq!(ask(Some(shop), 6, false).await, (4, 12), "{name}");
        assert_eq!(event_ids(&store, blog).await.len(), 30, "{name}");
        assert_eq!(ask(Some(shop), 6, true).await, (0, 0), "{name}");
        assert_eq!(ask(None, 0, false).await, (16, 48), "{name}");
        assert_eq!(rows(&store, "blocks").await, 0, "{name}");
        assert_eq!(rows(&store, "unfolded").await, 0, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_ends_when_it_has_deleted_so_many_bytes() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 3).await;
        for number in 0..4 {
            writer.send(shop, &format!("{number}"), &[Level::Info; 3]).await;
            writer.hand.advance(HOUR_MS);
        }
        let body = "SELECT CAST(MAX(stored_bytes) AS SIGNED) FROM blocks";
        let body = u64::try_from(number(&store, body).await).unwrap();
        let (mut deleted, mut session) = (Vec::new(), store.work().await.unwrap());
        loop {
            let before = writer.clock.now();
            let slice = session.delete_expired_blocks(shop, before, 100, body + 1).await.unwrap();
            deleted.push((slice.purged.blocks, slice.ended_by_bytes));
            if !slice.more {
                break;
            }
        }
        drop(session);
        assert_eq!(
            deleted,
            [(2, true), (2, false)],
            "{name}: the second one passes the limit and is the last of its slice"
        );
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_ids_issues_and_orphans_go_when_their_time_is_up() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 2).await;
        writer.send(shop, "short", &[Level::Info]).await;
        writer.send_long(shop, 1, &[Level::Fatal]).await;
        // A project that is gone without its data, as after a restore of one table.
        writer.send(shop + 1_000, "orphan", &[Level::Error]).await;
        writer.fold().await;
        assert_eq!(rows(&store, "batches").await, 5, "{name}");
        let worker = worker(&store, &writer);
        let report = maintain(&worker).await;
        assert_eq!((report.orphaned_projects, report.batch_ids, report.issues), (1, 0, 0), "{name}");
        for table in ["blocks", "counts", "issues", "unfolded"] {
            let orphans = format!("SELECT COUNT(*) FROM {table} WHERE project_id = {}", shop + 1_000);
            assert_eq!(number(&store, &orphans).await, 0, "{name}: {table}");
        }
        writer.hand.advance(HOUR_MS);
        assert_eq!(maintain(&worker).await.batch_ids, 2, "{name}: the short ones");
        writer.hand.advance(DAY_MS);
        assert_eq!(maintain(&worker).await.batch_ids, 1, "{name}: the long one");
        writer.send_long(shop, 2, &[Level::Error]).await;
        writer.fold().await;
        writer.hand.advance(DAY_MS);
        let report = maintain(&worker).await;
        assert_eq!((report.issues, rows(&store, "issues").await), (1, 1), "{name}: one was seen since");
        writer.hand.advance(2 * DAY_MS);
        maintain(&worker).await;
        for table in ["blocks", "batches", "unfolded", "issues"] {
            assert_eq!(rows(&store, table).await, 0, "{name}: {table}");
        }
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_is_seen_with_an_old_time_stays() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 2).await;
        let old = |at| event(0, Timestamp::from_millis(at), Level::Error, "late");
        writer.send_events(shop, "a", &[old(NOW - 40 * DAY_MS)]).await;
        writer.fold().await;
        for day in 0..4 {
            writer.hand.advance(DAY_MS);
            writer.send_events(shop, &format!("{day}"), &[old(NOW - 39 * DAY_MS)]).await;
            writer.fold().await;
            maintain(&worker(&store, &writer)).await;
            assert_eq!(rows(&store, "issues").await, 1, "{} day {day}", database.name);
        }
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_get_wider_with_age_and_their_sums_stay() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 90).await;
        for step in 0..180 {
            let levels = [Level::Info, Level::Error, Level::Error];
            writer.send(shop, &format!("{step}"), &levels[..=step % 3]).await;
            if step % 10 == 0 {
                writer.fold().await;
            }
            writer.hand.advance(47_000);
        }
        writer.fold().await;
        let before = sums(&store).await;
        let narrow = rows(&store, "counts").await;
        let worker = worker(&store, &writer);
        let report = maintain(&worker).await;
        assert!(report.counts_widened > 0 && report.counts_dropped == 0, "{name}");
        assert_eq!(sums(&store).await, before, "{name}");
        let now = writer.clock.now().as_seconds();
        let misplaced =
            format!("SELECT COUNT(*) FROM counts WHERE bucket % 60 <> 0 AND bucket < {}", now - 3_960);
        assert_eq!(number(&store, &misplaced).await, 0, "{name}");
        let young =
            format!("SELECT COUNT(*) FROM counts WHERE bucket % 60 <> 0 AND bucket >= {}", now - 3_600);
        assert!(number(&store, &young).await > 0, "{name}: the last hour stays fine");
        writer.hand.advance(2 * DAY_MS);
        maintain(&worker).await;
        assert_eq!(sums(&store).await, before, "{name}");
        assert_eq!(number(&store, "SELECT COUNT(*) FROM counts WHERE bucket % 3600 <> 0").await, 0, "{name}");
        assert!(rows(&store, "counts").await * 5 < narrow, "{name}");
        assert_eq!(maintain(&worker).await.counts_widened, 0, "{name}: done is done");
        writer.hand.advance(89 * DAY_MS);
        maintain(&worker).await;
        assert_eq!(rows(&store, "counts").await, 0, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

/// Rows of three days and the sums they must keep.
async fn filled(store: &Store, writer: &Writer, shop: i64) {
    for step in 0..60 {
        writer.send(shop, &format!("s{step}"), &[Level::Info, Level::Error]).await;
        writer.send_long(shop, step, &[Level::Fatal]).await;
        writer.hand.advance(HOUR_MS + 17_000);
        if step % 5 == 0 {
            writer.fold().await;
        }
    }
    writer.fold().await;
    assert_eq!(rows(store, "unfolded").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_anywhere_loses_nothing_and_the_next_one_finishes() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 2).await;
        filled(&store, &writer, shop).await;
        let before = sums(&store).await;
        let kept_from = writer.clock.now().as_millis() - 2 * DAY_MS;
        let kept = "SELECT CAST(SUM(event_count) AS SIGNED) FROM blocks WHERE received_last >=";
        let events = number(&store, &format!("{kept} {kept_from}")).await;
        let worker = worker(&store, &writer);
        let (mut kills, mut waits) = (0_u32, 0_u32);
        while killed_after(waits, Box::pin(worker.maintain(true, &CancellationToken::new()))).await.is_none()
        {
            let levels: BTreeMap<_, _> = sums(&store).await.into_iter().filter(|sum| sum.0.1 < 16).collect();
            let expected: BTreeMap<_, _> = before.clone().into_iter().filter(|sum| sum.0.1 < 16).collect();
            assert_eq!(levels, expected, "{name}: after {waits} waits");
            let ledger = account(&store, None).await;
            assert!(ledger.is_balanced(), "{name}: after {waits} waits: {ledger:?}");
            kills += 1;
            waits = waits * 5 / 4 + 1;
        }
        assert!(kills > 5, "{name}: only {kills} kills");
        assert!(maintain(&worker).await.complete, "{name}");
        let ledger = account(&store, None).await;
        assert!(ledger.is_balanced() && ledger.sum(Kind::Purged) > 0, "{name}: {ledger:?}");
        assert_eq!(number(&store, &format!("{kept} {kept_from}")).await, events, "{name}");
        assert_eq!(event_ids(&store, shop).await.len(), usize::try_from(events).unwrap(), "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_one_maintains_and_the_other_is_told_who() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let (store, other) = (database.store().await, database.store().await);
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 2).await;
        filled(&store, &writer, shop).await;
        let (one, two) = (worker(&store, &writer), worker(&other, &writer));
        let quit = CancellationToken::new();
        // The first holds the lease as soon as it has done anything; a dropped run keeps it until it runs out.
        let mut waits = 0;
        while other.maintenance_holder().await.unwrap().is_none() {
            assert!(killed_after(waits, Box::pin(one.maintain(true, &quit))).await.is_none(), "{name}");
            waits += 1;
        }
        let Ran::HeldBy(holder) = two.maintain(true, &quit).await.unwrap() else { panic!("{name}") };
        assert_eq!(holder.owner, store.instance(), "{name}");
        assert!((1..=60_000).contains(&holder.expires_in_ms), "{name}: {holder:?}");
        assert!(maintain(&one).await.complete, "{name}: it goes on under its own lease");
        assert_eq!(two.maintain(false, &quit).await.unwrap(), Ran::TooSoon, "{name}");
        let (first, second) = tokio::join!(one.maintain(true, &quit), two.maintain(true, &quit));
        let ran = [first.unwrap(), second.unwrap()];
        assert!(ran.iter().any(|ran| matches!(ran, Ran::Done(_))), "{name}: {ran:?}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_behind_another_run_is_never_told_that_runs_sums() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let writer = Writer::start(&store);
    let shop = project(&store, "shop", 1).await;
    filled(&store, &writer, shop).await;
    writer.hand.advance(3 * DAY_MS);
    let (asking, maintainer) = maintainer(store.clone(), writer.clock.clone());
    let asking = asking.answering_within(Duration::ZERO);
    assert_eq!(asking.maintain(None).await.unwrap(), Ran::Waiting, "nobody has begun");
    let quit = CancellationToken::new();
    // The first request holds the database and with it its run, so that the second one waits.
    let hold = store.work().await.unwrap();
    let running = tokio::spawn(maintainer.run(quit.clone()));
    let project_id = Some(shop);
    let purge = Purge { project_id, older_than: Some(Timestamp::from_millis(0)), dry_run: false };
    assert_eq!(asking.purge(purge, None).await.unwrap(), Ran::Waiting);
    drop(hold);
    let since = std::time::Instant::now();
    while asking.progress().last_purge().is_none() {
        assert!(since.elapsed() < Duration::from_mins(1), "it is done all the same");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (purged, finished) = (asking.progress().last_purge().unwrap(), asking.progress().last().unwrap());
    assert_eq!(purged.report.purged.blocks, 0, "its own sums");
    assert!(finished.1.purged.blocks > 50, "and not these");
    quit.cancel();
    running.await.unwrap();
    writer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stops_between_two_slices_when_asked_to() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let writer = Writer::start(&store);
    let shop = project(&store, "shop", 1).await;
    filled(&store, &writer, shop).await;
    let quit = CancellationToken::new();
    quit.cancel();
    let Ran::Done(report) = worker(&store, &writer).maintain(true, &quit).await.unwrap() else { panic!() };
    assert!(!report.complete);
    assert_eq!(report.slices, 0);
    assert_eq!(store.maintenance_holder().await.unwrap(), None, "the lease was given back");
    writer.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lease_was_taken_over_ends() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let (store, other) = (database.store().await, database.store().await);
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 1).await;
        filled(&store, &writer, shop).await;
        let events = event_ids(&store, shop).await.len();
        let one = worker(&store, &writer).renewing_every(Duration::ZERO);
        let quit = CancellationToken::new();
        let mut run = pin!(one.maintain(true, &quit));
        // It waits here while another takes over, as a process does that was suspended for longer than its lease.
        while other.maintenance_holder().await.unwrap().is_none() {
            assert!(
                std::future::poll_fn(|context| Poll::Ready(run.as_mut().poll(context))).await.is_pending()
            );
            tokio::task::yield_now().await;
        }
        let ours = format!("owner = '{}' AND name = 'maintenance'", store.instance());
        let steal = format!("UPDATE leases SET owner = 'thief' WHERE {ours}");
        assert_eq!(other.work().await.unwrap().change(steal, STATEMENT_TIMEOUT).await.unwrap(), 1, "{name}");
        let Ran::Done(report) = run.await.unwrap() else { panic!("{name}") };
        assert!(!report.complete, "{name}: {report:?}");
        assert_eq!(report.purged.blocks, 0, "{name}");
        assert_eq!(event_ids(&store, shop).await.len(), events, "{name}");
        assert_eq!(other.maintenance_holder().await.unwrap().unwrap().owner, "thief", "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_exact_while_they_are_folded_and_widened_at_once() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let (store, other) = (database.store().await, database.store().await);
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 90).await;
        let worker = worker(&other, &writer);
        let mut sent = 0;
        for round in 0..12 {
            for step in 0..6 {
                assert_eq!(
                    writer.send(shop, &format!("{round}-{step}"), &[Level::Error; 2]).await,
                    WriteOutcome::Stored
                );
                writer.hand.advance(20_000);
                sent += 2;
            }
            // What was received is counted only now, when it is old enough to be widened at the same time.
            writer.hand.advance(3 * HOUR_MS);
            let ((), report) = tokio::join!(writer.fold(), maintain(&worker));
            assert!(report.complete, "{name}");
        }
        maintain(&worker).await;
        let expected = BTreeMap::from([((shop, 4), sent), ((shop, 1_004), sent)]);
        assert_eq!(sums(&store).await, expected, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_while_expired_ones_go() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 1).await;
        filled(&store, &writer, shop).await;
        writer.hand.advance(3 * DAY_MS);
        let worker = worker(&store, &writer);
        let ingest = async {
            for number in 0..60 {
                let outcome = writer.send(shop, &format!("now {number}"), &[Level::Info]).await;
                assert_eq!(outcome, WriteOutcome::Stored, "{name}");
            }
        };
        let (report, ()) = tokio::join!(maintain(&worker), ingest);
        assert!(report.purged.blocks > 50, "{name}: {report:?}");
        assert_eq!(event_ids(&store, shop).await.len(), 60, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}

/// Most rows of each table that the traffic below may leave, whatever the number of days.
async fn assert_small(store: &Store, name: &str, day: i64, per_day: i64) {
    for (table, most) in [
        // Two days of retention, one more until a run comes by.
        ("blocks", 3 * per_day),
        ("unfolded", 10),
        // Long ids of a day, short ones of minutes.
        ("batches", 2 * per_day),
        ("issues", 4),
        // Three series in hours for 90 days; the last hour fine, the day before it in minutes.
        ("counts", 2 * per_day * 3 + 4 * 24 * (day + 1)),
        // Read, committed, accepted, purged and a mark for each hour with traffic; kept for 92 days.
        ("ledger", 5 * 24 * (day + 1).min(93)),
        ("leases", 5),
        ("settings", 10),
    ] {
        let found = rows(store, table).await;
        assert!(found <= most, "{name}, day {day}: {found} rows in {table}, expected at most {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_stay_bounded_over_thirty_days() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 2).await;
        let worker = worker(&store, &writer);
        // Every ten minutes on SQLite; a server does the same in fewer steps.
        let minutes = if name == "sqlite" { 10 } else { 60 };
        let per_day = 1_440 / minutes;
        for step in 0..30 * per_day {
            let number = u64::try_from(step).unwrap();
            writer.send_long(shop, number, &[Level::Info, Level::Error]).await;
            writer.fold().await;
            writer.hand.advance(minutes * 60_000);
            if step % (per_day / 4) == 0 {
                assert!(maintain(&worker).await.complete, "{name}");
            }
            if step % per_day == per_day - 1 {
                assert_small(&store, name, step / per_day, per_day).await;
            }
        }
        let levels = sums(&store).await;
        assert_eq!(levels[&(shop, 2)], 30 * per_day, "{name}: every event is counted still");
        let ledger = account(&store, None).await;
        assert_eq!((ledger.accepted(), ledger.uncounted()), (60 * per_day, 0), "{name}");
        assert!(ledger.is_balanced(), "{name}: {ledger:?}");
        // Three months later nothing of it is left but what came since.
        writer.hand.advance(93 * DAY_MS);
        assert!(maintain(&worker).await.ledger_rows > 0, "{name}");
        assert_eq!(rows(&store, "ledger").await, 0, "{name}");
        writer.stop().await;
        database.remove().await;
    }
}
