//! Several instances at once: each thing once.

use tekno_logger::alert::AlertKind;
use tekno_logger::alert::watch::{HeartbeatWhen, WatchSettings};
use tekno_logger::event::Level;

use crate::support::TestDatabase;
use crate::world::{Instance, MINUTE_MS, World};

/// Both look at the same moment, again where one lost to the other.
async fn both(one: &Instance, two: &Instance) {
    let look = async |instance: &Instance| {
        for _ in 0..20 {
            if instance.fold.tick(true).await.is_ok() {
                return;
            }
        }
        instance.fold.tick(true).await.unwrap();
    };
    tokio::join!(look(one), look(two));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_that_race_one_says_a_spike_and_one_its_end() {
    for database in TestDatabase::all().await {
        let settings = WatchSettings { heartbeat: HeartbeatWhen::Always, ..WatchSettings::DEFAULT };
        let mut world = World::new(database, settings.clone()).await;
        let two = world.another().await;
        let shop = world.shop;
        for round in 1..=10 {
            for part in 0..4 {
                // Half of it is left to whoever comes first.
                world.store_events(shop, Level::Error, 100 + round, 5).await;
                if part == 1 {
                    world.sleep(6_000);
                }
                Box::pin(both(&world.one, &two)).await;
            }
            for _ in 0..16 {
                world.sleep(MINUTE_MS);
                Box::pin(both(&world.one, &two)).await;
            }
            let rounds = usize::try_from(round).unwrap();
            assert_eq!(world.counted(AlertKind::Spike).await, (rounds, rounds), "{}", world.database.name);
            assert_eq!(world.counted(AlertKind::Heartbeat).await, (rounds, rounds - 1));
        }
        assert_eq!(world.counted(AlertKind::OverflowStarted).await, (1, 0));
        world.end().await;
    }
}
