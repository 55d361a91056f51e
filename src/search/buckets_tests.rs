use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_query(text, Timestamp::from_millis(0)).unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|| panic!("{name} is a zone"))
}

fn starts(buckets: &Buckets) -> Vec<String> {
    buckets.spans().map(|(from, _)| from.to_string()[..16].to_owned()).collect()
}

#[test]
fn zones_are_known_by_name_and_by_offset() {
    for (text, name) in [
        ("UTC", "UTC"),
        ("z", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/St_Johns", "America/St_Johns"),
        ("+02:00", "+02:00"),
        (" 02:00", "+02:00"),
        ("-0330", "-03:30"),
        ("+5", "+05:00"),
        ("-00:00", "+00:00"),
    ] {
        assert_eq!(zone(text).name(), name, "{text}");
    }
    for wrong in
        ["", "Mars/Olympus", "+25:00", "+2:5", "+02:60", "+", "-abc", "../etc/passwd", "é", &"x".repeat(99)]
    {
        assert!(Zone::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn the_least_step_that_fits_is_taken() {
    let from = at("2026-11-20T10:00:00Z");
    for (seconds, most, step) in [
        (1, 120, 1),
        (60, 120, 1),
        (900, 120, 10),
        (3_600, 120, 30),
        (86_400, 120, 900),
        (86_400, 24, 3_600),
        (259_200, 120, 3_600),
        (7_776_000, 120, 86_400),
        (90 * 86_400, 12, 14 * 86_400),
    ] {
        let buckets = Buckets::new(&Zone::default(), from, from.plus_millis(seconds * 1_000), most);
        assert_eq!(buckets.step(), Some(step), "{seconds} s in {most}");
        assert!(buckets.len() <= most, "{} of {most}", buckets.len());
    }
    let all = Buckets::new(&Zone::default(), at("0"), Timestamp::LAST, 3);
    assert!(all.len() <= 3);
    let one = Buckets::new(&Zone::default(), at("2026-11-20T10:59:59Z"), at("2026-11-20T11:00:01Z"), 1);
    assert_eq!((one.len(), one.step()), (1, Some(2 * 3_600)));
    let none = Buckets::new(&Zone::default(), from, from, 10);
    assert!(none.is_empty() && none.find(from).is_none());
}

#[test]
fn days_are_days_of_the_zone() {
    // Clocks went back on 2026-10-25 at 01:00 UTC.
    let buckets =
        Buckets::new(&zone("Europe/Berlin"), at("2026-10-24T00:00:00Z"), at("2026-10-27T00:00:00Z"), 5);
    assert_eq!(buckets.step(), Some(86_400));
    let hours: Vec<i64> =
        buckets.spans().map(|(from, to)| (to.as_seconds() - from.as_seconds()) / 3_600).collect();
    assert_eq!(hours, [24, 25, 24, 24], "{:?}", starts(&buckets));
    assert_eq!(starts(&buckets)[1], "2026-10-24T22:00");
}

#[test]
fn an_hour_that_comes_twice_has_two_buckets() {
    let buckets =
        Buckets::new(&zone("Europe/Berlin"), at("2026-10-24T22:00:00Z"), at("2026-10-25T04:00:00Z"), 6);
    assert_eq!(buckets.step(), Some(3_600));
    assert_eq!(buckets.len(), 6);
    assert!(buckets.spans().all(|(from, to)| to.as_seconds() - from.as_seconds() == 3_600));
}

#[test]
fn an_hour_that_is_left_out_has_no_bucket() {
    // Clocks went forward on 2026-03-29 at 01:00 UTC.
    let buckets =
        Buckets::new(&zone("Europe/Berlin"), at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"), 4);
    let hours: Vec<i64> =
        buckets.spans().map(|(from, to)| (to.as_seconds() - from.as_seconds()) / 3_600).collect();
    assert_eq!((buckets.step(), hours), (Some(6 * 3_600), vec![5, 6, 6, 6]));
}

#[test]
fn half_hours_and_missing_midnights_are_kept() {
    let buckets =
        Buckets::new(&zone("Asia/Kolkata"), at("2026-11-20T00:00:00Z"), at("2026-11-20T03:00:00Z"), 4);
    assert_eq!(
        starts(&buckets),
        ["2026-11-19T23:30", "2026-11-20T00:30", "2026-11-20T01:30", "2026-11-20T02:30"]
    );
    // Midnight of 2018-11-04 was left out in São Paulo: that day began at 03:00 UTC, at one o'clock.
    let buckets =
        Buckets::new(&zone("America/Sao_Paulo"), at("2018-11-03T03:00:00Z"), at("2018-11-06T02:00:00Z"), 3);
    assert_eq!(starts(&buckets), ["2018-11-03T03:00", "2018-11-04T03:00", "2018-11-05T02:00"]);
}

fn zones() -> impl Strategy<Value = Zone> {
    let names = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Africa/Casablanca",
        "+05:45",
        "-11:00",
    ];
    proptest::sample::select(names.to_vec()).prop_map(zone)
}

proptest! {
    #[test]
    fn buckets_partition_the_range_whatever_the_zone(
        zone in zones(),
        from in 0..4_102_444_800_000_i64,
        length in prop_oneof![1..100_000_i64, 1..200_000_000_i64, 1..40_000_000_000_i64],
        most in 1..=MAX_BUCKETS,
        offsets in proptest::collection::vec(0.0..1.0_f64, 8),
    ) {
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(from + length));
        let buckets = Buckets::new(&zone, from, to, most);
        let spans: Vec<_> = buckets.spans().collect();
        prop_assert!(!spans.is_empty() && spans.len() <= most);
        prop_assert!(spans.iter().all(|(start, end)| start < end));
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0));
        prop_assert!(spans[0].0 <= from && from < spans[0].1, "the first holds the start");
        let last = spans[spans.len() - 1];
        prop_assert!(last.0 < to && to <= last.1, "the last holds the end");
        if let Some(step) = buckets.step() {
            for (start, _) in &spans {
                let wall = start.as_seconds() + zone.offset(start.as_seconds());
                let shift = if step > DAY { MONDAY_SHIFT } else { 0 };
                let changed = zone.next_change(start.as_seconds() - 1).is_some_and(|(at, _)| at == start.as_seconds());
                prop_assert!((wall + shift).rem_euclid(step) == 0 || changed, "{} is no whole step", start);
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a time within the range")]
        for offset in offsets {
            let ts = from.plus_millis((length as f64 * offset) as i64);
            let found = buckets.find(ts).unwrap();
            prop_assert!(spans[found].0 <= ts && ts < spans[found].1);
        }
        prop_assert_eq!(buckets.find(to), None);
        prop_assert_eq!(buckets.find(from.plus_millis(-1)), None);
    }
}
