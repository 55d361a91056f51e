//! A year in which nothing happens but chance: how many alerts that gives.

use std::collections::VecDeque;

use tekno_logger::alert::spike::is_spike;
use tekno_logger::alert::watch::heartbeat::{Hour, longest_silence};

use crate::chance::Chance;

const BUCKETS_A_YEAR: u32 = 365 * 8_640;
/// The window is 60 to 70 s long: six whole buckets and the one that is not over.
const WINDOW: usize = 7;
const HOUR: usize = 360;
/// Buckets for which a rule says no more after it said something.
const COOLDOWN: u32 = 90;

/// Alerts of a rule in a year at a mean rate, by the arithmetic of the rules at the end of each bucket.
fn alerts(events_a_minute: f64, least: u64, seed: u64) -> u32 {
    let mut chance = Chance(seed);
    let mut hour: VecDeque<u64> = VecDeque::with_capacity(HOUR + 1);
    let (mut in_hour, mut in_window, mut alerts, mut quiet_until) = (0, 0, 0, 0);
    for bucket in 0..BUCKETS_A_YEAR + 360 {
        let count = u64::from(chance.events(events_a_minute / 6.0));
        hour.push_back(count);
        in_hour += count;
        in_window += count;
        if hour.len() > WINDOW {
            in_window -= hour[hour.len() - 1 - WINDOW];
        }
        if hour.len() > HOUR + 1 {
            in_hour -= hour.pop_front().unwrap();
        }
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let usual = (in_hour - in_window) as f64 / 59.0 * 7.0 / 6.0;
        if bucket >= quiet_until.max(360) && count > 0 && is_spike(in_window, usual, least) {
            alerts += 1;
            quiet_until = bucket + COOLDOWN;
        }
    }
    alerts
}

/// Silences said in a year of minutes.
fn silences(events_a_minute: f64, seed: u64) -> u32 {
    let mut chance = Chance(seed);
    let (mut hours, mut hour, mut silent, mut said) = (VecDeque::new(), 0, 0_u32, 0);
    for minute in 0..365 * 1_440 {
        let count = chance.events(events_a_minute);
        if minute % 60 == 0 && minute > 0 {
            hours.push_back(Hour { events: i64::from(std::mem::take(&mut hour)), awake: 60 });
            if hours.len() > 24 {
                hours.pop_front();
            }
        }
        hour += count;
        if count > 0 {
            silent = 0;
            continue;
        }
        silent += 1;
        let longest = longest_silence(hours.make_contiguous()).map_or(f64::INFINITY, |(longest, _)| longest);
        let was = |minutes: u32| minutes >= 10 && f64::from(minutes) >= longest;
        said += u32::from(was(silent) && !was(silent - 1));
    }
    said
}

#[test]
fn a_year_of_chance_alone_gives_next_to_no_alerts() {
    let mut table = Vec::new();
    for (position, rate) in [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0].into_iter().enumerate() {
        let seed = 1_000 * u64::try_from(position).unwrap();
        let years: u32 = 4;
        let sum = |of: &dyn Fn(u64) -> u32| (0..years).map(|year| of(seed + u64::from(year))).sum::<u32>();
        let spikes = sum(&|seed| alerts(rate, 5, seed));
        let rates = sum(&|seed| alerts(rate, 50, seed));
        let silent = sum(&|seed| silences(rate, seed));
        table.push(format!(
            "{rate} a minute, {years} years: {spikes} spikes, {rates} error rates, {silent} silences"
        ));
        assert!(spikes <= 3 * years, "{table:?}");
        assert_eq!(rates, 0, "{table:?}");
        assert!(silent <= years, "{table:?}");
    }
    println!("{}", table.join("\n"));
}
