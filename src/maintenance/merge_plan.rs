//! Which blocks compaction puts together, from what their rows say: pure, so that it can be read and tested.
//!
//! Blocks go together only within one hour of receipt and where their events' times begin in one hour and end in one
//! hour, so that a merged block is found by the same headers' ranges as its parts. While an hour may still get blocks,
//! they are merged only where that doubles the largest at least: an event is rewritten a few times at most, however
//! slowly they come. When it is over, whatever fits goes together.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::block::{Codec, MAX_EVENTS, MAX_RAW_BYTES};
use crate::store::BlockSketch;
use crate::timestamp::Timestamp;

/// Blocks younger than this are left alone, in milliseconds: those who follow what comes in reread the last 15 s,
/// a search works for 20 s at most, and instances' clocks may differ.
pub(super) const YOUNG_MS: i64 = 120_000;
/// An hour of receipt is over when it ended so long ago, in milliseconds: the latest that a block of it is made.
pub(super) const SETTLED_AFTER_MS: i64 = 900_000;
/// Bytes the bodies of blocks merged may have together as stored, so that the merged one fits a statement.
const MAX_STORED_BYTES: u64 = 800 * 1024;
const HOUR_MS: i64 = 3_600_000;

/// The hour of a time, since the epoch.
pub(super) const fn hour(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(HOUR_MS)
}

/// Whether an hour of receipt gets no more blocks.
pub(super) const fn is_over(hour: i64, now: Timestamp) -> bool {
    (hour + 1) * HOUR_MS + SETTLED_AFTER_MS <= now.as_millis()
}

/// Less than half full, so that two of them fit one.
pub(super) fn is_small(block: &BlockSketch) -> bool {
    block.event_count as usize * 2 <= MAX_EVENTS && block.raw_bytes as usize * 2 <= MAX_RAW_BYTES
}

/// Blocks to be made into one each; one alone is to be compressed harder. No block is in two groups, none of `skipped`
/// in any.
pub(super) fn plan(
    blocks: &[BlockSketch],
    skipped: &HashSet<Uuid>,
    now: Timestamp,
    max_parts: usize,
) -> Vec<Vec<BlockSketch>> {
    let young = now.plus_millis(-YOUNG_MS);
    let mut cells: BTreeMap<(i64, i64, i64), Vec<BlockSketch>> = BTreeMap::new();
    let mut groups = Vec::new();
    for block in blocks.iter().filter(|block| block.received_last < young && !skipped.contains(&block.id)) {
        let received = hour(block.received_first);
        if is_small(block) && hour(block.received_last) == received {
            let cell = (received, hour(block.ts_first), hour(block.ts_last));
            cells.entry(cell).or_default().push(*block);
        } else if block.codec == Codec::Zlib {
            groups.push(vec![*block]);
        }
    }
    for ((received, ..), small) in cells {
        merge(small, is_over(received, now), max_parts, &mut groups);
    }
    groups
}

/// Groups of one cell's small blocks.
fn merge(mut small: Vec<BlockSketch>, over: bool, max_parts: usize, groups: &mut Vec<Vec<BlockSketch>>) {
    small.sort_unstable_by_key(|block| (block.event_count, block.id));
    let mut rest = small.as_slice();
    while let Some(first) = rest.first() {
        let mut length = fitting(rest, max_parts.max(2));
        while !over && length > 1 && !doubles(&rest[..length]) {
            length -= 1;
        }
        if length > 1 {
            groups.push(rest[..length].to_vec());
        } else if over && first.codec == Codec::Zlib {
            groups.push(vec![*first]);
        }
        rest = &rest[length..];
    }
}

/// How many of the first fit one block.
fn fitting(blocks: &[BlockSketch], max_parts: usize) -> usize {
    let (mut events, mut raw, mut stored) = (0_usize, 0_usize, 0_u64);
    let fits = blocks.iter().take(max_parts).take_while(|block| {
        events += block.event_count as usize;
        raw += block.raw_bytes as usize;
        stored += u64::from(block.stored_bytes);
        events <= MAX_EVENTS && raw <= MAX_RAW_BYTES && stored <= MAX_STORED_BYTES
    });
    fits.count().max(1)
}

/// Whether together they have at least twice the events of the largest, which is the last.
fn doubles(blocks: &[BlockSketch]) -> bool {
    let events: u64 = blocks.iter().map(|block| u64::from(block.event_count)).sum();
    blocks.last().is_some_and(|largest| events >= 2 * u64::from(largest.event_count))
}

/// Where the walk goes on after a page in which nothing is left to do: at the first small block of its last hour,
/// which may have partners on the next page, or after the page.
pub(super) fn next_start(page: &[BlockSketch], from: Uuid) -> Option<Uuid> {
    let last = page.last()?;
    let partner =
        |block: &&BlockSketch| hour(block.received_first) == hour(last.received_first) && is_small(block);
    let after = Uuid::from_u128(last.id.as_u128().saturating_add(1));
    let half = page.len() / 2;
    let first = page.iter().enumerate().find(|(_, block)| partner(block));
    Some(first.filter(|(at, block)| *at > half && block.id > from).map_or(after, |(_, block)| block.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: i64 = 500_000 * HOUR_MS;

    fn block(number: u128, received: i64, ts: (i64, i64), events: u32) -> BlockSketch {
        let at = Timestamp::from_millis;
        BlockSketch {
            id: Uuid::from_u128(number),
            received_first: at(received),
            received_last: at(received),
            ts_first: at(ts.0),
            ts_last: at(ts.1),
            event_count: events,
            raw_bytes: events * 300,
            stored_bytes: events * 100,
            codec: Codec::Zlib,
        }
    }

    fn timely(number: u128, minute: i64, events: u32) -> BlockSketch {
        let at = TEN + minute * 60_000;
        block(number, at, (at, at), events)
    }

    fn planned(blocks: &[BlockSketch], minute: i64) -> Vec<Vec<u128>> {
        let now = Timestamp::from_millis(TEN + minute * 60_000);
        let groups = plan(blocks, &HashSet::new(), now, 2_000);
        groups.iter().map(|group| group.iter().map(|block| block.id.as_u128()).collect()).collect()
    }

    #[test]
    fn blocks_of_two_hours_of_receipt_or_of_ts_stay_apart() {
        let at = TEN + 60_000;
        let blocks = [
            timely(1, 1, 1),
            timely(2, 2, 1),
            timely(3, -1, 1),
            block(4, at, (at - HOUR_MS, at - HOUR_MS), 1),
            block(5, at, (at - HOUR_MS, at), 1),
            block(6, at, (at - HOUR_MS, at), 1),
        ];
        assert_eq!(planned(&blocks, 30), [vec![3], vec![5, 6], vec![1, 2]]);
    }

    #[test]
    fn what_is_young_is_left_alone_and_so_is_what_is_skipped() {
        let blocks = [timely(1, 1, 1), timely(2, 2, 1), timely(3, 29, 1)];
        assert_eq!(planned(&blocks, 30), [vec![1, 2]]);
        let now = Timestamp::from_millis(TEN + 30 * 60_000);
        assert!(plan(&blocks, &HashSet::from([Uuid::from_u128(1)]), now, 2_000).is_empty());
    }

    #[test]
    fn in_an_open_hour_a_merge_doubles_the_largest_and_afterwards_anything_fits() {
        let blocks = [timely(1, 1, 900), timely(2, 2, 5), timely(3, 3, 5)];
        assert_eq!(planned(&blocks, 30), [vec![2, 3]]);
        assert_eq!(planned(&blocks, 74), [vec![2, 3]]);
        assert_eq!(planned(&blocks, 75), [vec![2, 3, 1]]);
        let one = [timely(1, 1, 7)];
        assert_eq!(planned(&one, 74), Vec::<Vec<u128>>::new());
        assert_eq!(planned(&one, 75), [vec![1]], "alone, it is compressed harder");
    }

    #[test]
    fn a_merged_block_is_within_the_bounds_of_a_block() {
        let blocks: Vec<_> = (1..=5_000).map(|number| timely(number, 1, 1)).collect();
        let sizes: Vec<_> = planned(&blocks, 90).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2_000, 2_000, 1_000]);
        let large: Vec<_> =
            (1..=4).map(|number| BlockSketch { raw_bytes: 400_000, ..timely(number, 1, 2) }).collect();
        assert_eq!(planned(&large, 90), [vec![1, 2], vec![3, 4]]);
        let hard: Vec<_> =
            (1..=4).map(|number| BlockSketch { stored_bytes: 500_000, ..timely(number, 1, 2) }).collect();
        assert_eq!(planned(&hard, 90).len(), 4, "nothing fits together");
    }

    #[test]
    fn a_full_block_is_compressed_once() {
        let full = timely(1, 1, 2_000);
        assert_eq!(planned(&[full], 30), [vec![1]]);
        assert_eq!(
            planned(&[BlockSketch { codec: Codec::ZlibCompact, ..full }], 30),
            Vec::<Vec<u128>>::new()
        );
    }

    #[test]
    fn the_walk_always_gets_further() {
        let page: Vec<_> = (1..=10).map(|number| timely(number, 1, 1)).collect();
        assert_eq!(next_start(&page, Uuid::nil()), Some(Uuid::from_u128(11)), "all of one hour");
        let mut page: Vec<_> = (1..=8).map(|number| timely(number, -60, 1)).collect();
        page.extend((9..=10).map(|number| timely(number, 1, 1)));
        assert_eq!(next_start(&page, Uuid::nil()), Some(Uuid::from_u128(9)));
        assert_eq!(next_start(&[], Uuid::nil()), None);
    }
}
