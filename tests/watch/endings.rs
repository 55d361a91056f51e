//! What is over is said once, on the channels that were told of it, and of nothing else.

use serde_json::json;
use tekno_logger::alert::watch::WatchSettings;
use tekno_logger::alert::{AlertKind, AlertMessage};
use tekno_logger::event::Level;
use tekno_logger::store::{MAX_OPEN_ALERTS, OpeningAlert, STATEMENT_TIMEOUT, StoredChannel};
use tekno_logger::timestamp::Timestamp;

use crate::rules::{everywhere as everywhere_ruled, make};
use crate::support::TestDatabase;
use crate::world::{HOUR_MS, MINUTE_MS, World, at, seconds_after};
use crate::writer::project;

async fn everywhere(test: impl AsyncFn(&mut World)) {
    for database in TestDatabase::all().await {
        let mut world = World::new(database, WatchSettings::DEFAULT).await;
        test(&mut world).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spike_is_over_after_five_minutes_without_it_and_that_is_said_once_on_its_thread() {
    everywhere(async |world| {
        let start = world.now();
        world.errors(107, 5).await;
        world.wait(2 * MINUTE_MS).await;
        world.errors(107, 30).await;
        world.wait(4 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0), "it was true four minutes ago");
        world.wait(20 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::Spike).await;
        assert_eq!((began.len(), over.len()), (1, 1));
        let (began, over) = (&began[0].message, &over[0]);
        assert_eq!(over.message.thread(), began.thread());
        assert_eq!(over.message.title, began.title);
        assert_eq!(over.message.count, Some(35));
        let seconds = seconds_after(over, start);
        assert!((420..=540).contains(&seconds), "{seconds} s");
        assert_eq!(world.rows("open_alerts").await, 1, "the overflow alone is open");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_errors_end_and_new_issues_and_regressions_do_not() {
    everywhere(async |world| {
        world.errors(107, 60).await;
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::ErrorRate).await, (1, 1));
        let over = world.of_kind(AlertKind::ErrorRate).await.1.remove(0).message;
        assert_eq!((over.count, over.baseline, over.resolved), (Some(60), None, true));
        assert_eq!(world.counted(AlertKind::NewIssue).await, (1, 0));
        assert!(world.said().await.iter().all(|one| one.message.kind != AlertKind::Regression));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_during_a_sleep_or_a_restart_is_said_at_the_first_look_after() {
    everywhere(async |world| {
        world.errors(107, 5).await;
        world.sleep(8 * HOUR_MS);
        world.tick().await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 1));

        world.errors(107, 5).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 1));
        world.restart().await;
        world.sleep(20 * MINUTE_MS);
        world.tick().await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 2));
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_wakes_the_service_is_a_spike_of_its_own_after_the_end_of_the_last_one() {
    everywhere(async |world| {
        let start = world.now();
        world.errors(107, 5).await;
        world.sleep(8 * HOUR_MS);
        // The request that wakes it is committed and folded before any timer looks.
        world.errors(107, 6).await;
        let (began, over) = world.of_kind(AlertKind::Spike).await;
        assert_eq!((began.len(), over.len()), (2, 1));
        assert_eq!(over[0].message.count, Some(5), "the burst is not of the spike before");
        assert!(over[0].at < began[1].at, "said in this order");
        let (began, over) = world.of_kind(AlertKind::OverflowStarted).await;
        assert_eq!((began.len(), over.len()), (2, 1));
        assert_eq!(over[0].message.count, Some(5));
        assert!(seconds_after(&began[1], start) >= 8 * 3_600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overflow_ends_after_an_hour_of_silence_with_its_events_and_times() {
    everywhere(async |world| {
        let start = world.now();
        for _ in 0..30 {
            world.infos(7).await;
            world.wait(5 * MINUTE_MS).await;
        }
        world.wait(54 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 0));
        world.wait(3 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::OverflowStarted).await;
        assert_eq!((began.len(), over.len()), (1, 1), "one message says it");
        let (began, over) = (&began[0].message, &over[0].message);
        assert_eq!(over.kind, AlertKind::OverflowEnded);
        assert_eq!(over.thread(), began.thread());
        assert_eq!(over.count, Some(210));
        let seconds = |at: Option<Timestamp>| at.unwrap().as_millis() - start;
        assert_eq!(seconds(over.first_seen), 0);
        assert_eq!(seconds(over.last_seen), 29 * 5 * MINUTE_MS + 10_000);

        world.infos(1).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (2, 1), "the next one is said");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_silence_that_a_project_sets_ends_an_overflow_and_lets_the_next_one_start() {
    for database in TestDatabase::all().await {
        let settings = WatchSettings { overflow_quiet_sec: 600, ..WatchSettings::DEFAULT };
        let mut world = World::new(database, settings.clone()).await;
        for _ in 0..3 {
            world.infos(2).await;
            world.wait(9 * MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 0));
        world.wait(10 * MINUTE_MS).await;
        world.infos(2).await;
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (2, 1));
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_in_its_cooldown_is_not_ended_twice() {
    everywhere(async |world| {
        // At 08:00:00 the fifteen minutes of the rule begin.
        world.errors(107, 5).await;
        world.wait(7 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
        world.errors(107, 20).await;
        world.wait(30 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1), "nobody was told of the second one");
    })
    .await;
}

/// A channel whose messages nobody delivers but the test.
const CHANNEL: [(&str, &str); 3] = [
    ("ALERT_WEBHOOK_URL", "http://127.0.0.1:9/hook"),
    ("ALERT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("OUTBOUND_ALLOW_PRIVATE", "true"),
];
const WAITING: i64 = 0;
const DELIVERED: i64 = 1;
const DEAD: i64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_until_the_channel_was_told_and_what_never_arrived_ends_without_a_word() {
    for database in TestDatabase::all().await {
        let mut world = World::with(database, WatchSettings::DEFAULT, &CHANNEL).await;
        world.errors(107, 5).await;
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0), "the spike is still on its way");
        world.set_outbox_state(DELIVERED).await;
        world.wait(MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
        let states = world.database.rows("SELECT 1 FROM alert_outbox WHERE state = 0").await.len();
        assert_eq!(states, 1, "the end waits for the same channel");

        world.wait(10 * MINUTE_MS).await;
        world.errors(108, 5).await;
        world.set_outbox_state(DEAD).await;
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 1), "of the second one nobody ever heard");
        assert_eq!(world.rows("open_alerts").await, 1, "the overflow is still open");
        world.set_outbox_state(WAITING).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_goes_to_the_channel_that_was_told_whichever_project_it_is_of_unless_it_is_off() {
    everywhere_ruled(async |world| {
        let other = project(&world.store, "other", 3).await;
        let channel = StoredChannel {
            id: 0,
            project_id: None,
            kind: "webhook".to_owned(),
            name: "theirs".to_owned(),
            enabled: true,
            reason: String::new(),
            sealed: Vec::new(),
            created_at: at(world.now()),
            updated_at: at(world.now()),
        };
        let made = world.store.create_alert_channel(channel, |_| vec![1]).await.unwrap().unwrap();
        make(world, None, "spike", &json!({ "channels": [made.id.to_string(), "env-slack"] })).await;
        world.errors(107, 5).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 0));
        world.set_outbox_state(DELIVERED).await;
        let made = StoredChannel { project_id: Some(other), ..made };
        assert!(world.store.update_alert_channel(&made).await.unwrap());
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(
            world.counted(AlertKind::Spike).await,
            (2, 2),
            "one is another project's, one elsewhere's"
        );
        world.wait(10 * MINUTE_MS).await;
        let back = StoredChannel { project_id: None, ..made };
        assert!(world.store.update_alert_channel(&back).await.unwrap());
        world.errors(107, 50).await;
        world.set_outbox_state(DELIVERED).await;
        let off = StoredChannel { enabled: false, ..back };
        assert!(world.store.update_alert_channel(&off).await.unwrap());
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (4, 3), "one is off");
        assert_eq!(world.database.rows("SELECT 1 FROM open_alerts WHERE kind = 'spike'").await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_is_taken_back_neither_opens_nor_ends_anything() {
    everywhere(async |world| {
        let shop = world.shop;
        world.store_events(shop, Level::Error, 107, 5).await;
        let mut session = world.store.work().await.unwrap();
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        let (watch, now) = (world.one.rules.watch(), world.writer.clock.now());
        let over = watch.find_over(&mut session, now).await.unwrap();
        assert!(!watch.end(&mut session, over, now).await.unwrap());
        // Killed before the commit.
        session.rollback(STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        assert_eq!(world.rows("open_alerts").await, 0);
        world.restart().await;
        world.sleep(6_000);
        world.tick().await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0), "found again from what was stored");
        world.sleep(10 * MINUTE_MS);
        let now = world.writer.clock.now();
        let mut session = world.store.work().await.unwrap();
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        let watch = world.one.rules.watch();
        let over = watch.find_over(&mut session, now).await.unwrap();
        assert!(watch.end(&mut session, over, now).await.unwrap());
        session.rollback(STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0));
        world.wait(MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_or_forward_loses_no_end_and_doubles_none() {
    everywhere(async |world| {
        world.errors(107, 5).await;
        world.sleep(-2 * HOUR_MS);
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1), "two hours back");
        world.sleep(20 * HOUR_MS);
        world.errors(107, 5).await;
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_silences_no_rule_once_it_is_right() {
    everywhere(async |world| {
        world.sleep(2 * HOUR_MS);
        world.errors(107, 5).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0));
        world.sleep(-2 * HOUR_MS);
        world.errors(107, 30).await;
        assert_eq!(world.counted(AlertKind::Spike).await.0, 2, "by the right time it was not said yet");
        world.errors(107, 30).await;
        assert_eq!(world.counted(AlertKind::Spike).await.0, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_database_was_away_nothing_is_over_until_what_came_meanwhile_is_counted() {
    everywhere(async |world| {
        world.errors(107, 5).await;
        world.sleep(20 * MINUTE_MS);
        let watch = world.one.rules.watch();
        watch.blind();
        let look = async || watch.look(&world.store, world.writer.clock.now()).await.unwrap();
        assert!(!look().await, "twenty minutes of which nothing is known");
        world.writer.hand.advance(4 * MINUTE_MS);
        assert!(!look().await);
        world.writer.hand.advance(MINUTE_MS);
        assert!(look().await);
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_a_sleep_is_told_with_its_time_and_is_no_overflow_now() {
    everywhere(async |world| {
        let shop = world.shop;
        world.store_events(shop, Level::Error, 107, 100).await;
        // Killed before it was counted; another one starts eight hours later.
        world.restart().await;
        world.sleep(8 * HOUR_MS);
        world.wait(MINUTE_MS).await;
        let said = world.said().await;
        let mut began: Vec<_> = said.iter().filter(|one| !one.message.resolved).collect();
        began.sort_by_key(|one| one.message.kind.name());
        let late: Vec<(AlertKind, bool)> =
            began.iter().map(|one| (one.message.kind, one.message.received_until.is_some())).collect();
        let expected = [(AlertKind::ErrorRate, true), (AlertKind::NewIssue, false), (AlertKind::Spike, true)];
        assert_eq!(late, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_bounded_and_goes_with_its_project() {
    everywhere(async |world| {
        let message = AlertMessage::new(AlertKind::Spike, world.shop, "shop", "a spike", at(world.now()));
        let message = serde_json::to_string(&message).unwrap();
        let mut session = world.store.work().await.unwrap();
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        for number in 0..=u64::try_from(MAX_OPEN_ALERTS).unwrap() {
            let mut topic = [0; 32];
            topic[..8].copy_from_slice(&number.to_be_bytes());
            let now = at(world.now());
            let open = session.outbox_standing().await.unwrap().open;
            let opening = OpeningAlert {
                topic,
                channel: "1",
                project_id: world.shop,
                kind: AlertKind::Spike.name(),
                slot: topic,
                opened_at: now,
                last_true_at: now,
                message: &message,
            };
            session.open_alerts(&[opening], open).await.unwrap();
        }
        session.commit(STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        assert_eq!(world.rows("open_alerts").await, 2_000);
        world.store.hide_project(world.shop, at(world.now())).await.unwrap();
        while world.store.delete_project_step(world.shop).await.unwrap() {}
        assert_eq!(world.rows("open_alerts").await, 0);
    })
    .await;
}

/// Opens alerts of a query whose window is an hour, as if they had just been said.
async fn open_long_ones(world: &World, count: u64) {
    let mut message = AlertMessage::new(AlertKind::Custom, world.shop, "shop", "a query", at(world.now()));
    message.window_seconds = Some(3_600);
    let message = serde_json::to_string(&message).unwrap();
    let mut session = world.store.work().await.unwrap();
    session.begin(STATEMENT_TIMEOUT).await.unwrap();
    for number in 0..count {
        let mut topic = [7; 32];
        topic[..8].copy_from_slice(&number.to_be_bytes());
        let opening = OpeningAlert {
            topic,
            channel: "",
            project_id: world.shop,
            kind: AlertKind::Custom.name(),
            slot: topic,
            opened_at: at(world.now()),
            last_true_at: at(world.now()),
            message: &message,
        };
        session.open_alerts(&[opening], 0).await.unwrap();
    }
    session.commit(STATEMENT_TIMEOUT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_said_in_time_however_many_others_are_open_and_cannot_end_yet() {
    everywhere(async |world| {
        open_long_ones(world, 450).await;
        world.wait(2 * MINUTE_MS).await;
        world.errors(107, 5).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 0));
        world.wait(8 * MINUTE_MS).await;
        assert_eq!(
            world.counted(AlertKind::Spike).await,
            (1, 1),
            "its turn comes though 450 began before it"
        );
        assert_eq!(world.rows("open_alerts").await, 451, "they and the overflow");
        world.wait(45 * MINUTE_MS).await;
        assert_eq!(world.rows("open_alerts").await, 451, "an hour to the second");
        // Twenty a look, and more than are looked at in one.
        world.wait(30 * MINUTE_MS).await;
        assert_eq!(world.rows("open_alerts").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_goes_on_for_hours_is_not_over_because_it_became_usual() {
    everywhere(async |world| {
        for _ in 0..120 {
            world.errors(107, 10).await;
            world.wait(MINUTE_MS).await;
        }
        assert_eq!(world.counted(AlertKind::Spike).await.1, 0, "it is as bad as two hours ago");
        for _ in 0..10 {
            world.errors(107, 1).await;
            world.wait(MINUTE_MS).await;
        }
        let over = world.of_kind(AlertKind::Spike).await.1;
        assert_eq!(over.len(), 1, "one a minute is no spike");
        assert!((1_200..1_210).contains(&over[0].message.count.unwrap()), "{over:?}");
    })
    .await;
}
