//! Any text as a time: read by every reader without a panic, within the years 1970 to 9999, and what is printed reads
//! back as the same time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekno_logger::timestamp::Timestamp;

fuzz_target!(|text: &str| {
    let now = Timestamp::from_millis(1_780_272_000_000);
    let found = [
        Timestamp::parse_text(text),
        Timestamp::from_epoch_number(text),
        Timestamp::parse_query(text, now),
    ];
    for time in found.into_iter().flatten() {
        assert!((0..=Timestamp::LAST.as_millis()).contains(&time.as_millis()), "{text:?} is {time}");
        let printed = time.to_string();
        assert_eq!(Timestamp::parse_text(&printed), Some(time), "{text:?} is printed as {printed}");
        assert_eq!(Timestamp::parse_query(&printed, now), Some(time));
    }
});
