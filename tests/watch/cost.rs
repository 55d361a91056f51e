//! What a look costs the database, counted in round trips and rows.

use tekno_logger::event::Level;
use tekno_logger::store::{STATEMENT_TIMEOUT, bucket};

use crate::crowd::CHANNELS;
use crate::support::TestDatabase;
use crate::world::{HOUR_MS, MINUTE_MS, World, at};
use crate::writer::project;

/// Round trips of one fold, and the messages it put into the outbox.
async fn fold_costs(world: &World) -> (u64, usize) {
    let trips = async || world.store.work().await.unwrap().round_trips();
    let (before, messages) = (trips().await, world.said().await.len());
    world.one.fold.tick(false).await.unwrap();
    (trips().await - before, world.said().await.len() - messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_with_many_alerts_on_three_channels_asks_no_oftener_than_one_with_few() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let mut world = World::with(database, None, &CHANNELS).await;
        world.tick().await;
        world.store_events(world.shop, Level::Error, 100, 5).await;
        let (few_trips, few) = fold_costs(&world).await;
        assert_eq!(few, 9, "{name}: an overflow, a new issue and a spike on three channels");
        world.sleep(HOUR_MS + MINUTE_MS);
        for number in 0..20 {
            let project_id = project(&world.store, &format!("p{number}"), 3).await;
            for issue in 0..10 {
                world.store_events(project_id, Level::Error, 200 + issue, 5).await;
            }
        }
        let (many_trips, many) = fold_costs(&world).await;
        assert!(many >= 120, "{name}: {many} messages");
        assert!(few_trips <= 25, "{name}: {few_trips} round trips");
        assert!(many_trips <= few_trips + 8, "{name}: {few_trips}, then {many_trips} round trips");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_ends_twenty_alerts_on_three_channels_asks_little_oftener_than_one_that_ends_none() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let mut world = World::with(database, None, &CHANNELS).await;
        let mut projects = vec![world.shop];
        for number in 0..30 {
            projects.push(project(&world.store, &format!("p{number}"), 3).await);
        }
        let settled = async |world: &World| {
            world.tick().await;
            world.tick().await;
            world.set_outbox_state(1).await;
        };
        for project_id in &projects {
            world.store_events(*project_id, Level::Error, 100, 5).await;
        }
        settled(&world).await;
        world.sleep(2 * MINUTE_MS);
        world.store_events(world.shop, Level::Error, 200, 5).await;
        let (none_trips, _) = fold_costs(&world).await;
        settled(&world).await;
        let open = async |world: &World| {
            world.database.rows("SELECT 1 FROM open_alerts WHERE kind = 'spike'").await.len()
        };
        let before = open(&world).await;
        world.sleep(4 * MINUTE_MS);
        world.store_events(world.shop, Level::Error, 300, 5).await;
        let (trips, _) = fold_costs(&world).await;
        let ended = before + 3 - open(&world).await;
        assert_eq!(ended, 20, "{name}: of {before}, and three new ones");
        assert!(trips <= none_trips + 10, "{name}: {none_trips}, then {trips} round trips");
        world.end().await;
    }
}

/// Rows that the work connection's server read for it so far.
async fn rows_read(world: &World) -> u64 {
    let mut session = world.store.work().await.unwrap();
    let status = "SHOW SESSION STATUS LIKE 'Handler_read%'".to_owned();
    let rows = session.select(status, STATEMENT_TIMEOUT).await.unwrap();
    rows.iter().map(|row| row.text(1).unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_that_come_often_all_day_are_not_read_back_for_an_hour_each_second() {
    const ISSUES: u64 = 300;
    let Some(database) = TestDatabase::server().await else { return };
    let mut world = World::ruled(database).await;
    let touch = async |world: &mut World| {
        for issue in 1_000..1_000 + ISSUES {
            world.store_events(world.shop, Level::Error, issue, 1).await;
        }
    };
    touch(&mut world).await;
    world.one.fold.tick(false).await.unwrap();
    // An hour of each: two events in ten seconds.
    let now = bucket(at(world.now()));
    let mut session = world.store.work().await.unwrap();
    session.cover_minutes(now / 60 - 70, now / 60).await.unwrap();
    session.change("UPDATE issues SET event_count = 719".to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    for issue in 1_000..1_000 + ISSUES {
        let row = |step: i64| format!("({}, {issue}, {}, 2)", world.shop, now - step * 10);
        let rows: Vec<String> = (1..360).map(row).collect();
        let insert =
            format!("INSERT INTO counts (project_id, series, bucket, event_count) VALUES {}", rows.join(","));
        session.change(insert, STATEMENT_TIMEOUT).await.unwrap();
    }
    drop(session);
    let mut costs = Vec::new();
    for _ in 0..8 {
        touch(&mut world).await;
        let before = rows_read(&world).await;
        world.one.fold.tick(false).await.unwrap();
        costs.push(rows_read(&world).await - before);
        world.sleep(1_000);
    }
    // Each has seven buckets in its window, and a few rows of its own.
    let most = 100 * 2 * 360 + ISSUES * 40;
    assert!(costs.iter().all(|rows| *rows < most), "{costs:?}");
    assert!(*costs.last().unwrap() < ISSUES * 60, "what is usual is known by now: {costs:?}");
    let spikes = world.counted(tekno_logger::alert::AlertKind::Spike).await;
    assert_eq!(spikes, (0, 0), "two in ten seconds are usual");
    world.end().await;
}
