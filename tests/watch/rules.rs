//! What ends, and what is silent, by the rules in the database.

use serde_json::{Value, json};
use tekno_logger::alert::AlertKind;
use tekno_logger::event::Level;
use tekno_logger::ledger::{Entry, Kind, LedgerRow};
use tekno_logger::store::{FoldNews, ProjectChange, STATEMENT_TIMEOUT, StoredRule};

use crate::support::TestDatabase;
use crate::world::{MINUTE_MS, World, at};

pub async fn everywhere(test: impl AsyncFn(&mut World)) {
    for database in Box::pin(TestDatabase::all()).await {
        let mut world = World::ruled(database).await;
        test(&mut world).await;
        world.end().await;
    }
}

/// A rule of the shop, or of all projects, named for its kind in capitals.
pub async fn make(world: &World, project_id: Option<i64>, kind: &str, settings: &Value) -> StoredRule {
    let now = at(world.now());
    let (kind, settings) = (kind.to_owned(), settings.to_string());
    let name = kind.to_uppercase();
    let mut rule = StoredRule {
        id: 0,
        project_id,
        kind,
        name,
        enabled: true,
        settings,
        created_at: now,
        updated_at: now,
    };
    rule.id = world.store.create_alert_rule(&rule).await.unwrap();
    rule
}

pub async fn of_shop(world: &World, kind: &str, settings: Value) -> StoredRule {
    make(world, Some(world.shop), kind, &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_five_minutes_after_it_was_last_found_on_its_thread_whatever_its_name_is_then() {
    everywhere(async |world| {
        let mut rule = of_shop(world, "query", json!({ "q": "disk", "n": 3 })).await;
        world.infos(3).await;
        world.wait(3 * MINUTE_MS).await;
        rule.name = "another name".to_owned();
        assert!(world.store.update_alert_rule(&rule).await.unwrap());
        world.infos(3).await;
        world.wait(4 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Custom).await, (1, 0), "it was found four minutes ago");
        world.wait(2 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::Custom).await;
        assert_eq!((began.len(), over.len()), (1, 1));
        assert_eq!((began[0].message.rule.as_str(), over[0].message.rule.as_str()), ("QUERY", "QUERY"));
        assert_eq!(began[0].message.thread(), over[0].message.thread());
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Custom).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_half_an_hour_is_not_over_between_two_events() {
    everywhere(async |world| {
        of_shop(world, "query", json!({ "q": "disk", "n": 3, "window_sec": 1_800 })).await;
        for _ in 0..6 {
            world.infos(1).await;
            world.wait(8 * MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::Custom).await.1, 0);
        world.wait(23 * MINUTE_MS).await;
        let (began, over) = world.counted(AlertKind::Custom).await;
        assert_eq!((began > 0, over), (true, 1), "said again after its cooldown, over once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deleted_rule_left_open_ends_and_leaves_nothing_behind() {
    everywhere(async |world| {
        let query = of_shop(world, "query", json!({ "q": "disk", "n": 3 })).await;
        let rate = of_shop(world, "error_rate", json!({ "n": 3, "share": 0.5 })).await;
        world.errors(107, 4).await;
        assert_eq!(world.counted(AlertKind::Custom).await, (1, 0));
        assert_eq!(world.counted(AlertKind::ErrorRate).await, (1, 0));
        for rule in [query, rate] {
            assert!(world.store.delete_alert_rule(rule.id).await.unwrap());
        }
        world.errors(107, 4).await;
        world.wait(7 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Custom).await, (1, 1));
        assert_eq!(world.counted(AlertKind::ErrorRate).await, (1, 1));
        world.wait(61 * MINUTE_MS).await;
        assert_eq!(world.rows("open_alerts").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_rate_by_its_share_lasts_while_it_is_found_and_ends_after() {
    everywhere(async |world| {
        of_shop(world, "error_rate", json!({ "n": 3, "share": 0.5 })).await;
        for _ in 0..10 {
            world.errors(107, 4).await;
            world.wait(MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::ErrorRate).await, (1, 0));
        for _ in 0..7 {
            // As many errors among many events.
            world.store_events(world.shop, Level::Info, 100, 40).await;
            world.errors(107, 4).await;
            world.wait(MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::ErrorRate).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overflow_ends_after_the_seconds_its_rule_says_or_without_a_word() {
    everywhere(async |world| {
        let mut rule = make(world, None, "overflow_ended", &json!({ "grace_sec": 600 })).await;
        world.infos(3).await;
        world.wait(9 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 0));
        world.wait(3 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 1));
        world.wait(5 * MINUTE_MS).await;
        world.infos(3).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (2, 1), "the next one");
        // Another instance changes the rule while nothing comes in here.
        rule.enabled = false;
        world.store.update_alert_rule(&rule).await.unwrap();
        world.wait(15 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (2, 1));
        assert_eq!(world.rows("open_alerts").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_and_silences_are_counted_like_everything_that_is_said() {
    everywhere(async |world| {
        of_shop(world, "heartbeat", json!({ "grace_sec": 120, "cooldown_sec": 1_800 })).await;
        world.errors(107, 5).await;
        // Silent at once, again within the cooldown but not until its end, and a third time after it.
        world.wait(8 * MINUTE_MS).await;
        world.infos(1).await;
        world.wait(8 * MINUTE_MS).await;
        world.infos(1).await;
        world.wait(MINUTE_MS).await;
        world.sleep(14 * MINUTE_MS);
        world.infos(1).await;
        world.wait(8 * MINUTE_MS).await;
        world.wait(60 * MINUTE_MS).await;
        let (silences, over) = world.of_kind(AlertKind::Heartbeat).await;
        let held_back: Vec<u64> = silences.iter().map(|one| one.message.suppressed).collect();
        assert_eq!((held_back, over.len()), (vec![0, 1], 1));
        let metrics = world.one.metrics();
        for (rule, outcome, times) in [
            ("spike", "said", 1),
            ("spike", "resolved", 1),
            ("heartbeat", "said", 2),
            ("heartbeat", "suppressed", 1),
            ("heartbeat", "resolved", 1),
            ("overflow_ended", "said", 1),
        ] {
            let line = format!("tekno_alerts_total{{rule=\"{rule}\",outcome=\"{outcome}\"}} {times}\n");
            assert!(metrics.contains(&line), "{line} in {metrics}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_of_the_projects_own_needs_no_steady_traffic_and_one_of_all_projects_does() {
    everywhere(async |world| {
        make(world, None, "heartbeat", &json!({ "grace_sec": 120 })).await;
        world.infos(1).await;
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (0, 0), "nothing was steady");
        let mut rule = of_shop(world, "heartbeat", json!({ "grace_sec": 120, "cooldown_sec": 1_800 })).await;
        world.wait(6 * MINUTE_MS).await;
        let (began, _) = world.of_kind(AlertKind::Heartbeat).await;
        assert_eq!((began.len(), began[0].message.rule.as_str()), (1, "HEARTBEAT"));
        world.infos(1).await;
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 1), "held back by its cooldown");
        world.wait(25 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (2, 1), "it is silent still");
        world.infos(1).await;
        rule.enabled = false;
        world.store.update_alert_rule(&rule).await.unwrap();
        world.wait(60 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (2, 2), "turned off");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_over_the_cap_take_the_place_of_the_cap_that_was_near_and_end_once() {
    everywhere(async |world| {
        let cap = ProjectChange { minute_cap: Some(Some(100)), ..ProjectChange::default() };
        world.store.update_project(world.shop, cap).await.unwrap();
        world.restart().await;
        world.infos(85).await;
        world.wait(MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::NearCap).await, (1, 0));
        for _ in 0..4 {
            let dropped = Entry { kind: Kind::Limited, reason: "rate_limited_project" };
            let row = LedgerRow::new(world.shop, at(world.now()), dropped, 30_i64);
            world.writer.mailbox.tally().add([row]);
            world.infos(90).await;
            world.wait(3 * MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::NearCap).await, (2, 0), "near it, then over it");
        world.wait(4 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::NearCap).await;
        assert_eq!((began.len(), over.len()), (2, 1));
        assert_eq!(over[0].message.title, began[1].message.title);
        assert_eq!(began[0].message.thread(), over[0].message.thread());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_that_was_rolled_back_found_is_said_by_the_next_one() {
    everywhere(async |world| {
        let cap = ProjectChange { minute_cap: Some(Some(100)), ..ProjectChange::default() };
        world.store.update_project(world.shop, cap).await.unwrap();
        world.restart().await;
        let (rules, now) = (&world.one.rules, at(world.now()));
        let row = |kind| LedgerRow::new(world.shop, now, Entry { kind, reason: "" }, 30_i64);
        let news = FoldNews::default().with_dropped(&[row(Kind::Limited)]);
        let mut session = world.store.work().await.unwrap();
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        drop(rules.evaluate_dropped(&mut session, &news, now).await.unwrap());
        session.rollback(STATEMENT_TIMEOUT).await.unwrap();
        // A write in which there is nothing for rules to look at.
        let tally = world.writer.mailbox.tally();
        tally.add([row(Kind::Duplicate)]);
        let counted = tally.take(now).unwrap();
        let found = session.write_counted(&counted, false, Some(rules), now).await.unwrap();
        assert!(found.is_none(), "{found:?}");
        assert_eq!(world.counted(AlertKind::NearCap).await, (0, 0));
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        let found = rules.evaluate_dropped(&mut session, &news, now).await.unwrap();
        session.commit(STATEMENT_TIMEOUT).await.unwrap();
        rules.committed(found);
        drop(session);
        assert_eq!(world.counted(AlertKind::NearCap).await, (1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_query_counts_from_its_change_and_not_what_it_looked_for_before() {
    everywhere(async |world| {
        let mut rule =
            of_shop(world, "query", json!({ "q": "level:info", "n": 30, "window_sec": 600 })).await;
        world.infos(20).await;
        world.sleep(MINUTE_MS);
        rule.settings = json!({ "q": "level:error", "n": 5, "window_sec": 600 }).to_string();
        rule.updated_at = at(world.now());
        assert!(world.store.update_alert_rule(&rule).await.unwrap());
        world.sleep(10_000);
        world.errors(107, 1).await;
        assert_eq!(world.counted(AlertKind::Custom).await.0, 0);
        world.errors(107, 4).await;
        let began = world.of_kind(AlertKind::Custom).await.0;
        assert_eq!((began.len(), began[0].message.count), (1, Some(5)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_error_rate_within_environments_takes_steady_traffic_for_usual() {
    everywhere(async |world| {
        let steady = async |world: &mut World, minutes: usize| {
            for _ in 0..minutes {
                world.errors(107, 60).await;
                world.wait(MINUTE_MS).await;
            }
        };
        steady(world, 70).await;
        let before = world.counted(AlertKind::ErrorRate).await.0;
        of_shop(world, "error_rate", json!({ "n": 50, "environments": { "exclude": ["staging"] } })).await;
        steady(world, 3).await;
        assert_eq!(world.counted(AlertKind::ErrorRate).await.0, before);
        world.errors(107, 400).await;
        assert_eq!(world.counted(AlertKind::ErrorRate).await.0, before + 1, "but not what is unusual");
    })
    .await;
}
