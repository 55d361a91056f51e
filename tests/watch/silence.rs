//! Silence where events used to come, and that of a service that was asleep.

use tekno_logger::alert::AlertKind;
use tekno_logger::alert::watch::{HeartbeatWhen, WatchSettings};
use tekno_logger::event::Level;

use crate::support::TestDatabase;
use crate::world::{HOUR_MS, MINUTE_MS, World};

const ALWAYS: WatchSettings = WatchSettings { heartbeat: HeartbeatWhen::Always, ..WatchSettings::DEFAULT };

async fn everywhere(settings: WatchSettings, test: impl AsyncFn(&mut World)) {
    for database in TestDatabase::all().await {
        let mut world = Box::pin(World::new(database, settings.clone())).await;
        test(&mut world).await;
        Box::pin(world.end()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_minutes_of_silence_are_said_once_and_their_end_once() {
    everywhere(ALWAYS, async |world| {
        world.infos(1).await;
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (0, 0), "the first minute was half seen");
        world.wait(2 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        world.wait(40 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        world.infos(1).await;
        world.wait(2 * MINUTE_MS).await;
        let (began, over) = world.of_kind(AlertKind::Heartbeat).await;
        assert_eq!((began.len(), over.len()), (1, 1));
        assert_eq!(began[0].message.thread(), over[0].message.thread());
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (2, 1), "the next silence is another one");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_asleep_or_down_are_no_silence() {
    everywhere(ALWAYS, async |world| {
        world.infos(1).await;
        world.wait(5 * MINUTE_MS).await;
        world.sleep(8 * HOUR_MS);
        world.wait(4 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (0, 0), "nine minutes awake");
        world.restart().await;
        world.sleep(3 * HOUR_MS);
        world.tick().await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (0, 0));
        world.wait(2 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0), "ten minutes awake");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_that_goes_on_over_a_restart_and_a_sleep_is_the_same_one() {
    everywhere(ALWAYS, async |world| {
        world.infos(1).await;
        world.wait(15 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        world.restart().await;
        world.sleep(8 * HOUR_MS);
        world.wait(30 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        world.sleep(-2 * HOUR_MS);
        world.wait(15 * MINUTE_MS).await;
        assert_eq!(
            world.counted(AlertKind::Heartbeat).await,
            (1, 0),
            "nor does a clock set back make another"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_said_once_however_wide_the_counts_before_it_become() {
    everywhere(ALWAYS, async |world| {
        // Neither at the start of a minute nor of an hour, where wider buckets stand.
        world.sleep(90_000 + 25_000);
        world.infos(1).await;
        world.wait(15 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        for _ in 0..2 {
            world.wait(90 * MINUTE_MS).await;
            world.maintain().await;
            world.wait(20 * MINUTE_MS).await;
            assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0), "in minutes");
        }
        world.restart().await;
        world.wait(22 * HOUR_MS).await;
        world.maintain().await;
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0), "in hours");
        world.infos(1).await;
        world.wait(15 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (2, 1), "the next one is said");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_that_was_steady_for_a_day_and_stops_is_said_and_an_overflow_that_ends_is_not() {
    everywhere(WatchSettings::DEFAULT, async |world| {
        for hour in 0..25 {
            for _ in 0..12 {
                world.infos(50).await;
                world.wait(5 * MINUTE_MS).await;
            }
            if hour == 5 {
                world.wait(20 * MINUTE_MS).await;
                let heartbeats = world.counted(AlertKind::Heartbeat).await;
                assert_eq!(heartbeats, (0, 0), "six hours may be an overflow");
            }
        }
        world.infos(50).await;
        world.wait(8 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (0, 0));
        world.wait(5 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 0));
        let said = world.of_kind(AlertKind::Heartbeat).await.0.remove(0).message;
        let usual = said.baseline.unwrap() / f64::from(said.window_seconds.unwrap()) * 60.0;
        assert!((9.0..=11.0).contains(&usual), "{usual} a minute");
        world.infos(50).await;
        world.wait(2 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Heartbeat).await, (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_awake_are_kept_for_two_days_and_written_once_each() {
    everywhere(WatchSettings::DEFAULT, async |world| {
        for _ in 0..120 {
            world.tick().await;
            world.sleep(1_000);
        }
        world.tick().await;
        assert_eq!(world.rows("coverage_minutes").await, 2);
        world.sleep(60 * HOUR_MS);
        world.wait(3 * MINUTE_MS).await;
        assert_eq!(world.rows("coverage_minutes").await, 3, "those of three days ago are gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_is_a_mean_of_the_minutes_awake() {
    everywhere(WatchSettings::DEFAULT, async |world| {
        // Asleep before; then ten errors a minute, as always.
        world.tick().await;
        world.sleep(MINUTE_MS);
        for _ in 0..4 {
            let shop = world.shop;
            world.store_events(shop, Level::Error, 107, 10).await;
            world.wait(MINUTE_MS).await;
        }
        let at_first = world.counted(AlertKind::Spike).await.0;
        assert_eq!(at_first, 1, "nothing was usual at first");
        world.wait(20 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (1, 1));
        world.sleep(5 * HOUR_MS);
        world.wait(2 * MINUTE_MS).await;
        world.errors(109, 4).await;
        world.wait(2 * MINUTE_MS).await;
        // Four in two or three minutes awake: ten are not yet three times and rare.
        world.errors(109, 9).await;
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        assert!(spikes.iter().all(|one| one.message.issue.unwrap().0 != 109), "{spikes:?}");
        world.wait(2 * MINUTE_MS).await;
        world.errors(109, 40).await;
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        assert_eq!(spikes.iter().filter(|one| one.message.issue.unwrap().0 == 109).count(), 1);
    })
    .await;
}
