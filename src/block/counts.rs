//! Counts per minute and level as a few bytes.
//!
//! Form, all numbers unsigned LEB128: how many minutes; for each, in ascending order, its number (the first zigzag,
//! the others as the difference to the one before), one byte with a bit per level present, and a count per bit.

use super::{BlockError, MAX_EVENTS, MinuteCount};
use crate::event::Level;

/// Counts as stored. They must be ordered by minute and level, each pair once, none zero, as a header's are.
#[must_use]
pub fn encode_counts(counts: &[MinuteCount]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + counts.len() * 2);
    let minutes = counts.chunk_by(|left, right| left.minute == right.minute);
    push_varint(minutes.clone().count() as u64, &mut out);
    let mut previous = None;
    for minute in minutes {
        let number = minute[0].minute;
        push_varint(previous.map_or_else(|| zigzag(number), |before| number.abs_diff(before)), &mut out);
        previous = Some(number);
        out.push(minute.iter().fold(0, |mask, count| mask | 1 << count.level as u8));
        for count in minute {
            push_varint(u64::from(count.count), &mut out);
        }
    }
    out
}

/// Reads what [`encode_counts`] wrote.
///
/// # Errors
/// [`BlockError::Counts`] for anything else, including more than [`MAX_EVENTS`] minutes.
pub fn decode_counts(bytes: &[u8]) -> Result<Vec<MinuteCount>, BlockError> {
    read_counts(bytes).ok_or(BlockError::Counts)
}

fn read_counts(mut bytes: &[u8]) -> Option<Vec<MinuteCount>> {
    let minutes = usize::try_from(read_varint(&mut bytes)?).ok().filter(|&minutes| minutes <= MAX_EVENTS)?;
    let mut counts: Vec<MinuteCount> = Vec::with_capacity(minutes);
    for _ in 0..minutes {
        let number = read_varint(&mut bytes)?;
        let minute = match counts.last() {
            None => unzigzag(number),
            Some(_) if number == 0 => return None,
            Some(last) => last.minute.checked_add_unsigned(number)?,
        };
        let (&mask, rest) = bytes.split_first()?;
        bytes = rest;
        if mask == 0 || mask >> Level::ALL.len() != 0 {
            return None;
        }
        for level in Level::ALL.into_iter().filter(|&level| mask & (1 << level as u8) != 0) {
            let count = u32::try_from(read_varint(&mut bytes)?).ok().filter(|&count| count > 0)?;
            counts.push(MinuteCount { minute, level, count });
        }
    }
    bytes.is_empty().then_some(counts)
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(0x80 | number.to_le_bytes()[0]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7F);
        // The tenth byte has room for one bit; a last byte of zero would be a second spelling.
        if part << shift >> shift != part || (byte == 0 && shift > 0) {
            return None;
        }
        number |= part << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = Vec<MinuteCount>> {
        let minute = prop_oneof![any::<i64>(), 29_000_000..29_000_060_i64];
        proptest::collection::btree_map((minute, 0..6_usize), 1..=u32::MAX, 0..40).prop_map(
            |map: BTreeMap<(i64, usize), u32>| {
                let entry =
                    |((minute, level), count)| MinuteCount { minute, level: Level::ALL[level], count };
                map.into_iter().map(entry).collect()
            },
        )
    }

    #[test]
    fn one_minute_of_one_level_takes_eight_bytes() {
        let counts = [MinuteCount { minute: 29_600_000, level: Level::Error, count: 250 }];
        assert_eq!(encode_counts(&counts), [1, 0x80, 0xA4, 0x9D, 0x1C, 1 << 4, 0xFA, 1]);
    }

    #[test]
    fn damaged_counts_are_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 0, 0],
            &[1, 0, 1],
            &[1, 0, 1, 0],
            &[1, 0, 64, 1],
            &[0, 0],
            &[2, 0, 1, 1, 0, 1, 1],
            &[1, 0, 1, 0x81, 0],
            &[0xFF; 12],
            &[0xD1, 0x0F],
        ] {
            assert_eq!(decode_counts(bytes), Err(BlockError::Counts), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn counts_read_back(counts in counts()) {
            prop_assert_eq!(decode_counts(&encode_counts(&counts)).unwrap(), counts);
        }

        #[test]
        fn what_is_read_has_one_spelling(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(counts) = decode_counts(&bytes) {
                prop_assert_eq!(encode_counts(&counts), bytes);
            }
        }
    }
}
