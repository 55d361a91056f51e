//! What was counted long after it was received is judged by the time of its receipt, said once and over.

use std::collections::BTreeMap;

use serde_json::json;
use tekno_logger::alert::AlertKind;
use tekno_logger::event::Level;
use tekno_logger::store::{RuleCount, RuleCountKey, RuleSums, WantedRuleCount};

use crate::rules::{everywhere, of_shop};
use crate::world::{HOUR_MS, MINUTE_MS, World};
use crate::writer::project;

/// The process dies with what it had not counted; another one starts after so long.
async fn die_for(world: &mut World, millis: i64) {
    world.restart().await;
    world.sleep(millis);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_was_counted_late_is_a_spike_of_its_own_time_and_over() {
    everywhere(async |world| {
        let start = world.now();
        world.store_events(world.shop, Level::Error, 107, 60).await;
        die_for(world, 10 * MINUTE_MS).await;
        world.wait(2 * MINUTE_MS).await;
        for kind in [AlertKind::Spike, AlertKind::ErrorRate] {
            let (began, over) = world.of_kind(kind).await;
            assert_eq!((began.len(), over.len()), (1, 1), "{kind:?}");
            let until = began[0].message.received_until.unwrap().as_millis() - start;
            assert_eq!((began[0].message.count, until), (Some(60), 10_000), "{kind:?}");
            assert_eq!((over[0].message.count, over[0].message.received_until), (Some(60), None), "{kind:?}");
        }
        world.wait(30 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_that_were_counted_in_time_and_two_that_were_late_are_five() {
    everywhere(async |world| {
        world.errors(107, 3).await;
        world.sleep(40_000);
        world.store_events(world.shop, Level::Error, 107, 2).await;
        die_for(world, 5 * MINUTE_MS).await;
        world.tick().await;
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        assert_eq!(spikes.len(), 1);
        assert_eq!(spikes[0].message.count, Some(5));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_is_no_spike_because_it_was_counted_late() {
    everywhere(async |world| {
        for _ in 0..70 {
            world.errors(107, 10).await;
            world.wait(MINUTE_MS).await;
        }
        let before = world.counted(AlertKind::Spike).await.0;
        for minutes in [5, 40] {
            // As many as ever, into a spool, say; the first look comes after all of them.
            world.restart().await;
            for _ in 0..minutes {
                world.store_events(world.shop, Level::Error, 107, 10).await;
                world.sleep(MINUTE_MS);
            }
            die_for(world, 6_000).await;
            world.wait(MINUTE_MS).await;
        }
        let late = world.of_kind(AlertKind::Spike).await.0;
        assert!(late.iter().all(|one| one.message.received_until.is_none()), "{late:?}");
        assert!(late.len() <= before + 1, "{late:?}");
        // But ten times as many are one.
        world.store_events(world.shop, Level::Error, 107, 100).await;
        die_for(world, 20 * MINUTE_MS).await;
        world.wait(MINUTE_MS).await;
        let late = world.of_kind(AlertKind::Spike).await.0;
        assert_eq!(late.iter().filter(|one| one.message.received_until.is_some()).count(), 1, "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spike_of_hours_ago_is_told_though_counts_of_then_stand_in_minutes() {
    everywhere(async |world| {
        world.infos(1).await;
        world.wait(MINUTE_MS + 15_000).await;
        world.store_events(world.shop, Level::Error, 107, 6).await;
        die_for(world, 8 * HOUR_MS).await;
        world.maintain().await;
        world.wait(MINUTE_MS).await;
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        assert_eq!(spikes.len(), 1);
        assert_eq!(spikes[0].message.count, Some(6));

        world.store_events(world.shop, Level::Error, 108, 6).await;
        die_for(world, 30 * HOUR_MS).await;
        world.wait(MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await.0, 1, "of yesterday it is not news");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_counts_what_was_received_in_its_window_however_late_that_is_counted() {
    everywhere(async |world| {
        of_shop(world, "query", json!({ "q": "disk", "n": 4 })).await;
        for minute in 0..3 {
            world.store_events(world.shop, Level::Info, 100, if minute == 1 { 4 } else { 1 }).await;
            world.sleep(2 * MINUTE_MS);
        }
        die_for(world, 20 * MINUTE_MS).await;
        world.wait(2 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::Custom).await;
        assert_eq!((began.len(), over.len()), (1, 1));
        assert_eq!(began[0].message.count, Some(4));
        assert!(began[0].message.received_until.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_late_windows_of_one_project_keep_those_of_no_other_out() {
    everywhere(async |world| {
        let other = project(&world.store, "other", 3).await;
        let partly = project(&world.store, "partly", 3).await;
        world.store_events(partly, Level::Error, 107, 3).await;
        world.tick().await;
        world.sleep(40_000);
        world.store_issues(world.shop, Level::Error, 100..160, 10).await;
        // New and once: this can't be a spike, and takes no place.
        world.store_issues(world.shop, Level::Error, 200..260, 1).await;
        world.store_events(other, Level::Error, 107, 5).await;
        world.store_events(partly, Level::Error, 107, 2).await;
        die_for(world, 10 * MINUTE_MS).await;
        world.tick().await;
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        for project_id in [other, partly] {
            let own: Vec<_> = spikes.iter().filter(|said| said.message.project_id == project_id).collect();
            assert_eq!(own.len(), 1, "{project_id}");
            assert_eq!(own[0].message.count, Some(5), "{project_id}");
        }
        let left_out = r#"tekno_alerts_total{rule="spike",outcome="left_out"}"#;
        assert!(world.one.metrics().contains(left_out), "{}", world.one.metrics());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_ten_seconds_has_what_was_counted_eleven_to_twenty_seconds_late() {
    everywhere(async |world| {
        of_shop(world, "spike", json!({ "n": 5, "window_sec": 10 })).await;
        world.store_events(world.shop, Level::Error, 107, 5).await;
        world.sleep(20_000);
        world.tick().await;
        assert_eq!(world.counted(AlertKind::Spike).await.0, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_counted_themselves_is_kept_for_eight_hours_and_goes_in_slices() {
    everywhere(async |world| {
        let first = world.now() / 1_000;
        // More than one statement adds, one span has and one slice deletes.
        let rows = (0..120_i64).flat_map(|rule_id| (0..25).map(move |at| (rule_id, first + at * 10)));
        let row = |(rule_id, bucket)| {
            let key = RuleCountKey { project_id: world.shop, rule_id: rule_id - 60, bucket };
            (key, RuleCount { matched: 2, seen: 3 })
        };
        let counts: BTreeMap<RuleCountKey, RuleCount> = rows.map(row).collect();
        let mut session = world.store.work().await.unwrap();
        for _ in 0..2 {
            session.add_rule_counts(&counts).await.unwrap();
        }
        let of = |rule_id| WantedRuleCount {
            project_id: world.shop,
            rule_id,
            window: first + 10,
            usual: first,
            until: i64::MAX,
        };
        let sums = session.rule_counts(&[of(-60), of(59)]).await.unwrap();
        let inside = RuleCount { matched: 2 * 2 * 24, seen: 2 * 3 * 24 };
        assert_eq!(sums, [RuleSums { inside, matched: 2 * 2 * 25 }; 2]);
        drop(session);
        world.sleep(8 * HOUR_MS);
        world.maintain().await;
        assert_eq!(world.rows("alert_rule_counts").await, 120 * 25);
        world.sleep(10_000);
        world.maintain().await;
        assert_eq!(world.rows("alert_rule_counts").await, 120 * 24, "the oldest ten seconds");
        world.sleep(HOUR_MS);
        world.maintain().await;
        assert_eq!(world.rows("alert_rule_counts").await, 0);
    })
    .await;
}
