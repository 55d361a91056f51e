use super::*;
use crate::block::arbitrary::{NOON, batch_id, batch_of};
use crate::event::Event;
use crate::search::samples::plain;

fn counted(events: &[Event<'static>]) -> PatternCounter {
    let lines = batch_of(batch_id(NOON, 1), events);
    let mut counter = PatternCounter::default();
    let mut start = 0;
    for head in &lines.heads {
        let line = &lines.lines[start..start + head.line_bytes as usize];
        assert!(counter.add(&lines.lines, line, &LineHead::parse(line).unwrap(), 7));
        start += line.len();
    }
    counter.end_body(&lines.lines);
    counter
}

#[test]
fn fingerprints_with_one_template_are_one_pattern() {
    let event = |message, fingerprint| Event { fingerprint: Fingerprint(fingerprint), ..plain(message) };
    let events = [
        event("order 17 failed", 1),
        event("order 18 failed", 2),
        event("order 19 failed", 2),
        event("cache warm", 3),
    ];
    let patterns = counted(&events).finish(10);
    let shown: Vec<_> = patterns.patterns.iter().map(|pattern| (&*pattern.template, pattern.count)).collect();
    assert_eq!(shown, [("order * failed", 3), ("cache warm", 1)]);
    assert_eq!(patterns.patterns[0].fingerprints, [Fingerprint(2), Fingerprint(1)]);
    assert_eq!((patterns.patterns[0].project_id, patterns.distinct, patterns.other), (7, 2, 0));
    let listed = counted(&events).finish(1);
    assert_eq!((listed.patterns.len(), listed.distinct, listed.other, listed.approximate), (1, 2, 1, false));
}

#[test]
fn a_pattern_is_shown_in_whole_words_of_its_newest_event() {
    let events = [plain("1 request failed\nretry"), plain("3 requests failed\nretry")];
    let patterns = counted(&events).finish(10);
    let shown: Vec<_> = patterns.patterns.iter().map(|pattern| (&*pattern.template, pattern.count)).collect();
    assert_eq!(shown, [("* requests failed · retry", 2)]);
}

#[test]
fn fingerprints_beyond_the_bound_are_counted_as_others() {
    let many = MAX_FINGERPRINTS as u64 + 5;
    let events: Vec<Event<'static>> =
        (0..many).map(|n| Event { fingerprint: Fingerprint(n * 0x9E37_79B9), ..plain("same") }).collect();
    let patterns = counted(&events).finish(10);
    assert_eq!((patterns.patterns[0].count, patterns.other, patterns.approximate), (many - 5, 5, true));
    let mut merged = counted(&events[..MAX_FINGERPRINTS]);
    merged.merge(counted(&events[MAX_FINGERPRINTS - 1..]));
    let patterns = merged.finish(10);
    assert_eq!((patterns.patterns[0].count + patterns.other, patterns.other), (many + 1, 5));
}

#[test]
fn a_line_without_a_fingerprint_is_said_to_be_damaged() {
    let line = br#"{"id":"00000000000000000000000000-0","ts":1,"level":"info","source":"x"}"#;
    let mut counter = PatternCounter::default();
    assert!(!counter.add(line, line, &LineHead::parse(line).unwrap(), 1));
    assert_eq!(counter.finish(10).distinct, 0);
}
