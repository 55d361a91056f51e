use proptest::prelude::*;

use super::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_795_212_636_853);

fn millis(text: &str) -> Option<i64> {
    Timestamp::parse_text(text).map(Timestamp::as_millis)
}

#[test]
fn every_rfc3339_form_of_one_moment_reads_the_same() {
    for text in [
        "2026-11-20T22:10:36.853Z",
        "2026-11-20t22:10:36.853z",
        "2026-11-20 22:10:36.853Z",
        "2026-11-20T22:10:36.853",
        "2026-11-20 22:10:36.853",
        "2026-11-20T22:10:36,853Z",
        "2026-11-20T22:10:36.853999999999999999Z",
        "2026-11-20T22:10:36.853+00:00",
        "2026-11-20T22:10:36.853-00:00",
        "2026-11-20T23:40:36.853+01:30",
        "2026-11-20T23:40:36.853+0130",
        "2026-11-21T00:10:36.853+02",
        "2026-11-20T17:10:36.853-05:00",
        "2026-11-20 22:10:36.853 UTC",
        "2026-11-20 22:10:36.853 +0000",
        "  2026-11-20T22:10:36.853Z\n",
        "2026-11-20T23:10:36.853+01:00[Europe/Paris]",
        "20261120T221036.853Z",
        "1795212636.853",
        "1795212636853",
        "1795212636853123",
        "1795212636853123456",
        "1.795212636853e9",
        "1.795212636853E+12",
    ] {
        assert_eq!(millis(text), Some(NOW.as_millis()), "{text}");
    }
}

#[test]
fn a_bare_date_is_its_midnight_and_seconds_may_be_missing() {
    assert_eq!(millis("2026-11-20"), millis("2026-11-20T00:00:00.000Z"));
    assert_eq!(millis("2026-11-20T22:10"), millis("2026-11-20T22:10:00Z"));
    assert_eq!(millis("2026-11-20T22:10:36.5Z"), millis("2026-11-20T22:10:36.500Z"));
    assert_eq!(millis("2016-12-31T23:59:60Z"), millis("2016-12-31T23:59:59Z"));
    assert_eq!(millis("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
}

#[test]
fn what_is_no_time_or_out_of_bounds_is_none() {
    for text in [
        "",
        "now",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T22:60:00Z",
        "2026-11-20T22:10:61Z",
        "2026-11-20T22:10:36.Z",
        "2026-11-20T22:10:36+26:00",
        "2026-11-20T22:10:36+1",
        "2026-11-20T22:10:36 CET",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999-00:01",
        "-1",
        "1e",
        "1e9999",
        "1e400",
        ".5",
        "5..",
        "0x10",
        "NaN",
        "99999999999999999999999999",
        "2026\u{2013}11-20",
        "é026-11-20",
    ] {
        assert_eq!(millis(text), None, "{text}");
    }
    assert_eq!(millis(&"1".repeat(5000)), None);
}

#[test]
fn epoch_numbers_keep_milliseconds_whatever_their_unit() {
    let read = |text: &str| Timestamp::from_epoch_number(text).map(Timestamp::as_millis);
    assert_eq!(read("0"), Some(0));
    assert_eq!(read("0e500"), Some(0));
    assert_eq!(read("1700000000"), Some(1_700_000_000_000));
    assert_eq!(read("1700000000.001"), Some(1_700_000_000_001));
    assert_eq!(read("1700000000.852999926"), Some(1_700_000_000_853), "a float's text is rounded");
    assert_eq!(read("1700000000001.4"), Some(1_700_000_000_001));
    assert_eq!(read("1.7000000000000001e+18"), Some(1_700_000_000_000));
    assert_eq!(read("99999999999"), Some(99_999_999_999_000), "the last that is seconds");
    assert_eq!(read("100000000000"), Some(100_000_000_000), "the first that is milliseconds");
    assert_eq!(read("1e-30"), Some(0));
}

#[test]
fn a_query_takes_relative_times_too() {
    let read = |text: &str| Timestamp::parse_query(text, NOW).map(|at| at.as_millis() - NOW.as_millis());
    assert_eq!(read("now"), Some(0));
    assert_eq!(read("-15m"), Some(-900_000));
    assert_eq!(read("-24h"), Some(-86_400_000));
    assert_eq!(read("-3d"), Some(-259_200_000));
    assert_eq!(read("-90s"), Some(-90_000));
    assert_eq!(read("-250ms"), Some(-250));
    assert_eq!(read("now-5m"), Some(-300_000));
    assert_eq!(read("now+5m"), Some(300_000));
    assert_eq!(read("now-2w"), Some(-1_209_600_000));
    assert_eq!(read(" 1795212636 "), Some(-853));
    assert_eq!(read("2026-11-21T00:10:36.853 02:00"), Some(0), "a plus that became a space");
    for text in
        ["-15", "15m", "-m", "now5m", "-1y", "-99999999999999999h", "nowhere", "-999999w", "-1é", "now é"]
    {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_time_out_of_bounds_prints_as_the_nearer_end() {
    assert_eq!(Timestamp::from_millis(-1).to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
}

proptest! {
    #[test]
    fn reading_what_was_printed_gives_the_same_time(at in 0..=Timestamp::LAST.as_millis()) {
        let time = Timestamp::from_millis(at);
        let mut out = Vec::new();
        time.write_rfc3339(&mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(&text, &time.to_string());
        prop_assert_eq!(Timestamp::parse_text(&text), Some(time));
    }

    #[test]
    fn the_calendar_agrees_with_jiff(at in 0..=Timestamp::LAST.as_millis()) {
        // jiff ends a day before the year does, for room to apply offsets.
        if let Ok(time) = jiff::Timestamp::from_millisecond(at) {
            prop_assert_eq!(Timestamp::from_millis(at).to_string(), format!("{time:.3}"));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,90}") {
        let _ = Timestamp::parse_text(&text);
        let _ = Timestamp::parse_query(&text, NOW);
    }

    #[test]
    fn text_like_a_time_is_read_without_a_panic(text in "(now)?[-+ ]?[0-9]{0,4}-?[0-9:T.Z+ -]{0,30}[a-z]?") {
        let _ = Timestamp::parse_text(&text);
        let _ = Timestamp::parse_query(&text, NOW);
    }

    #[test]
    fn epoch_seconds_with_a_fraction_keep_their_milliseconds(at in 0_i64..99_999_999_999_000) {
        let text = format!("{}.{:03}", at / 1000, at % 1000);
        prop_assert_eq!(millis(&text), Some(at));
    }
}
