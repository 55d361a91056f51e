use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::event::{BatchId, EventId};

fn at(ts: i64, index: u32) -> Position {
    Position { ts: Timestamp::from_millis(ts), id: EventId { batch: BatchId::from_bytes([1; 16]), index } }
}

fn times(top: TopEvents) -> Vec<i64> {
    top.into_hits().into_iter().map(|(position, _)| position.ts.as_millis()).collect()
}

#[test]
fn an_event_offered_twice_is_held_once() {
    let mut top = TopEvents::new(Order::Descending, None, 3);
    top.offer(at(1, 0), b"a");
    top.offer(at(1, 0), b"a");
    assert_eq!((top.len(), top.has_more()), (1, false));
}

#[test]
fn a_full_page_says_what_can_still_be_taken() {
    let mut top = TopEvents::new(Order::Descending, None, 2);
    top.offer(at(10, 0), b"a");
    let time = Timestamp::from_millis;
    assert!(top.bound().is_none() && top.may_take(time(0), time(1)));
    top.offer(at(20, 0), b"b");
    assert_eq!(top.bound(), Some(at(10, 0)));
    assert!(!top.may_take(time(0), time(9)));
    assert!(top.may_take(time(0), time(10)), "the same time with a greater id comes first");
    assert!(!top.has_room_for(&at(10, 0)) && top.has_room_for(&at(10, 1)));
}

#[test]
fn a_page_of_none_takes_nothing() {
    let mut top = TopEvents::new(Order::Ascending, None, 0);
    top.offer(at(1, 0), b"a");
    assert!(top.is_empty() && !top.may_take(Timestamp::from_millis(0), Timestamp::from_millis(9)));
}

#[test]
fn large_events_shorten_the_page_but_never_to_nothing() {
    let mut top = TopEvents { max_bytes: 10, ..TopEvents::new(Order::Descending, None, 9) };
    top.offer(at(1, 0), &[0; 20]);
    assert_eq!(top.len(), 1);
    top.offer(at(2, 0), &[0; 6]);
    top.offer(at(1, 5), &[0; 1]);
    assert_eq!(times(top.clone()), [2, 1], "what comes before the one pushed out is taken");
    top.offer(at(1, 0), &[0; 1]);
    assert_eq!(times(top), [2, 1], "what was pushed out does not come back");
}

fn offers() -> impl Strategy<Value = Vec<(i64, u32, usize)>> {
    vec((0..6_i64, 0..4_u32, 0..5_usize), 0..30)
}

proptest! {
    #[test]
    fn it_holds_the_first_of_all_it_was_offered(
        offers in offers(),
        after in proptest::option::of((0..6_i64, 0..4_u32)),
        limit in 0..6_usize,
        ascending in any::<bool>(),
        split in 0..30_usize,
    ) {
        let order = if ascending { Order::Ascending } else { Order::Descending };
        let after = after.map(|(ts, index)| at(ts, index));
        let mut top = TopEvents::new(order, after, limit);
        let mut other = top.clone();
        let split = split.min(offers.len());
        for (number, (ts, index, _)) in offers.iter().enumerate() {
            let position = at(*ts, *index);
            let target = if number < split { &mut top } else { &mut other };
            let may = target.may_take(position.ts, position.ts);
            let before = target.len();
            target.offer(position, b"line");
            prop_assert!(may || target.len() == before);
        }
        top.merge(other);
        let mut expected: Vec<_> = offers.iter().map(|(ts, index, _)| at(*ts, *index)).collect();
        expected.retain(|position| after.is_none_or(|after| after.precedes(position, order)));
        expected.sort();
        expected.dedup();
        if !ascending {
            expected.reverse();
        }
        let beyond = expected.len() > limit;
        expected.truncate(limit);
        prop_assert_eq!(top.has_more(), limit > 0 && beyond);
        let held: Vec<_> = top.into_hits().into_iter().map(|(position, _)| position).collect();
        prop_assert_eq!(held, expected);
    }

    #[test]
    fn bytes_bound_it_to_the_first_of_all(offers in offers(), split in 0..30_usize) {
        let lines: BTreeMap<Position, usize> =
            offers.iter().map(|(ts, index, size)| (at(*ts, *index), *size)).collect();
        let empty = TopEvents { max_bytes: 8, ..TopEvents::new(Order::Ascending, None, 5) };
        let (mut top, mut other) = (empty.clone(), empty);
        for (number, (ts, index, _)) in offers.iter().enumerate() {
            let position = at(*ts, *index);
            let target = if number < split { &mut top } else { &mut other };
            target.offer(position, &vec![0; lines[&position]]);
        }
        top.merge(other);
        prop_assert_eq!(top.bytes, top.hits.values().map(|hit| hit.line.len()).sum::<usize>());
        prop_assert!(top.bytes <= 8 && top.len() <= 5);
        let held: Vec<_> = top.into_hits().into_iter().map(|(position, _)| position).collect();
        let first: Vec<_> = lines.keys().take(held.len()).copied().collect();
        prop_assert_eq!(held.is_empty(), lines.is_empty());
        prop_assert_eq!(held, first);
    }
}
