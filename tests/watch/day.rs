//! A whole day, and the list of everything that was said in it.
//!
//! A quiet night, a sleep in it, a wave of everyday errors over the day, two incidents, a deploy between them, the main
//! provider back in the evening, and a short overflow before midnight. The list is `day.txt`, to be read.

use std::fmt::Write as _;

use tekno_logger::alert::AlertKind;
use tekno_logger::alert::watch::WatchSettings;
use tekno_logger::event::Level;

use crate::chance::Chance;
use crate::support::TestDatabase;
use crate::world::{HOUR_MS, MINUTE_MS, Said, World};

/// Names of the issues.
const ISSUES: [(u64, &str); 3] = [(101, "everyday error"), (102, "database timeout"), (103, "card declined")];
/// From 08:00, where the clock of the tests stands, to midnight.
const TO_MIDNIGHT: i64 = 16 * HOUR_MS;

const fn clock(hour: i64, minute: i64) -> i64 {
    hour * 60 + minute
}

/// Everyday errors a minute: few in the night, most at three in the afternoon.
fn everyday(minute: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "minutes of a day")]
    let of_day = (minute - 900) as f64 / 1_440.0 * std::f64::consts::TAU;
    1.0 + 0.9 * of_day.cos()
}

/// Errors of incidents in ten seconds of a minute: issue and number.
fn incident(minute: i64) -> Option<(u64, usize)> {
    const FIRST: (i64, i64) = (clock(10, 12), clock(10, 33));
    const SECOND: (i64, i64) = (clock(15, 41), clock(15, 49));
    match minute {
        one if (FIRST.0..FIRST.1).contains(&one) => Some((102, 5)),
        two if (SECOND.0..SECOND.1).contains(&two) => Some((103, 25)),
        _ => None,
    }
}

/// Whether the main provider sends events here.
fn overflows(minute: i64) -> bool {
    !(clock(2, 50)..clock(5, 30)).contains(&minute)
        && (minute < clock(20, 0) || (clock(22, 20)..clock(22, 35)).contains(&minute))
}

async fn live(world: &mut World) {
    let shop = world.shop;
    let mut chance = Chance(2_026);
    let mut minute = 0;
    while minute < 1_440 {
        if minute == clock(3, 5) {
            // Nothing came for fifteen minutes: the host puts it to sleep.
            world.sleep((clock(5, 30) - minute) * MINUTE_MS);
            minute = clock(5, 30);
        }
        if minute == clock(12, 0) {
            world.restart().await;
        }
        let everyday = if overflows(minute) { chance.events(everyday(minute)) } else { 0 };
        // Somewhere in the minute, as people come.
        let later = i64::from(chance.events(3.0).min(5)) * 10_000;
        world.sleep(later);
        if overflows(minute) && (everyday > 0 || minute % 5 == 0) {
            world.store_events(shop, Level::Info, 100, 3).await;
        }
        if everyday > 0 {
            world.store_events(shop, Level::Error, 101, usize::try_from(everyday).unwrap()).await;
        }
        match incident(minute) {
            None => {
                world.tick().await;
                world.sleep(MINUTE_MS - later);
            }
            Some((issue, errors)) => {
                world.sleep(-later);
                for _ in 0..6 {
                    world.store_events(shop, Level::Error, issue, errors).await;
                    world.tick().await;
                    world.sleep(10_000);
                }
            }
        }
        minute += 1;
    }
    world.tick().await;
}

/// `10:12:00  Spike: database timeout, 30 events`.
fn line(said: &Said, midnight: i64) -> String {
    let message = &said.message;
    let time = |millis: i64| {
        let seconds = (millis - midnight) / 1_000;
        format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    };
    let over = if message.resolved { "Resolved: " } else { "" };
    let mut line = format!("{}  {over}{}", time(message.at.as_millis()), message.kind.words());
    if let Some(issue) = message.issue {
        let name = ISSUES.iter().find(|(number, _)| *number == issue.0).unwrap().1;
        write!(line, ": {name}").unwrap();
    }
    if let Some(count) = message.count {
        write!(line, ", {count} events").unwrap();
    }
    if message.kind == AlertKind::OverflowEnded {
        let [from, to] = [message.first_seen, message.last_seen].map(|at| time(at.unwrap().as_millis()));
        write!(line, " from {from} to {to}").unwrap();
    }
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_told_in_exactly_these_messages() {
    let expected = include_str!("day.txt");
    let tell = async |database: TestDatabase| {
        let mut world = World::new(database, WatchSettings::DEFAULT).await;
        world.sleep(TO_MIDNIGHT);
        let midnight = world.now();
        live(&mut world).await;
        let lines: Vec<String> = world.said().await.iter().map(|said| line(said, midnight)).collect();
        let told = format!("{}\n", lines.join("\n"));
        let name = world.database.name;
        world.end().await;
        assert_eq!(told, expected, "on {name} the day was told as\n{told}");
    };
    let days = TestDatabase::all().await.into_iter().map(tell);
    futures_util::future::join_all(days).await;
}
