//! Any text as a query: parsed, printed, completed and matched without a panic; what it prints as reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekno_logger::block::decode::{LineHead, StoredEvent};
use tekno_logger::search::language::complete::completion;
use tekno_logger::search::language::{MAX_CHARS, Query};
use tekno_logger::timestamp::Timestamp;

const LINE: &str = r#"{"id":"00000000000000000000000000-0","ts":1780272000000,"level":"error","source":"web-shop","env":"staging","message":"Payment \"failed\"\nC:\\temp","ctx":{"http":{"status":503},"list":[{"sum":12.50},{"sum":7}]},"user_id":"User_7","tags":["blue"],"fingerprint":"00000000000000ff"}"#;

fuzz_target!(|text: &str| {
    let now = Timestamp::from_millis(1_780_272_000_000);
    for cursor in [0, text.len() / 2, text.len()] {
        let found = completion(text, cursor);
        assert!(text.get(found.replaces).is_some());
    }
    let Ok((query, warnings)) = Query::parse(text, now) else { return };
    for warning in warnings {
        assert!(text.get(warning.span).is_some());
    }
    let printed = query.to_string();
    match Query::parse(&printed, now) {
        Ok((again, _)) => assert_eq!(again, query),
        Err(_) => assert!(printed.chars().count() > MAX_CHARS),
    }
    let matcher = query.matcher(None);
    let event = StoredEvent::parse(LINE.as_bytes()).expect("the line is an event");
    if matcher.matches(&event) {
        assert!(matcher.admits_line(LINE.to_ascii_lowercase().as_bytes()));
        assert!(matcher.admits_head(&LineHead::parse(LINE.as_bytes()).expect("the line has a head")));
    }
});
