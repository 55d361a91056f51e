//! Card numbers in text: 13 to 19 digits in one run or in the groups cards are printed in, with a valid check
//! digit (Luhn) and the prefix of a card network. Numbers with other neighbours (`_`, `#`, letters, decimal
//! points) are ids or measures and are left alone.

use std::ops::Range;

/// How cards are printed when not in one run.
const GROUPS: [&[usize]; 5] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 5]];
/// Most digits of a card number.
const MAX_DIGITS: usize = 19;

/// A card number near `at`, not beginning before `floor`. `Err` is the end of the digits that were looked at.
pub(super) fn find(bytes: &[u8], at: usize, floor: usize) -> Result<Range<usize>, usize> {
    let mut start = at;
    // One step more than the longest number, so that the start of a longer run is seen to be one.
    while start > floor && at - start < 25 && matches!(bytes[start - 1], b'0'..=b'9' | b' ' | b'-') {
        start -= 1;
    }
    let limit = bytes.len().min(at + 8);
    let mut end = start;
    while let Some(step) = bytes.get(end..limit).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        start = end + step;
        end = start + digits_at(bytes, start);
        if let Some(length) = card_at(bytes, start, end) {
            return Ok(start..start + length);
        }
    }
    Err(end)
}

/// True for the digits of a whole JSON number.
pub(super) fn is_card_number(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && card_at(digits, 0, digits.len()).is_some()
}

fn digits_at(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Length of the card number whose first group is `start..end`.
fn card_at(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    if !free_before(bytes, start) {
        return None;
    }
    if (13..=MAX_DIGITS).contains(&(end - start)) {
        return (free_after(bytes, end) && is_card(&bytes[start..end])).then_some(end - start);
    }
    let separator = *bytes.get(end).filter(|byte| matches!(byte, b' ' | b'-'))?;
    if end - start != 4 || (start > 0 && bytes[start - 1] == b'-') {
        return None;
    }
    GROUPS.iter().find_map(|groups| grouped(bytes, start, separator, groups))
}

fn grouped(bytes: &[u8], start: usize, separator: u8, groups: &[usize]) -> Option<usize> {
    let mut digits = [0_u8; MAX_DIGITS];
    let (mut at, mut count) = (start, 0);
    for (index, length) in groups.iter().copied().enumerate() {
        if index > 0 {
            if bytes.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        if digits_at(bytes, at) != length {
            return None;
        }
        digits[count..count + length].copy_from_slice(&bytes[at..at + length]);
        at += length;
        count += length;
    }
    let goes_on = separator == b'-' && bytes.get(at) == Some(&b'-');
    (!goes_on && free_after(bytes, at) && is_card(&digits[..count])).then_some(at - start)
}

/// False after a letter, digit, sign, point or mark that makes a number an id.
fn free_before(bytes: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).map(|index| bytes[index]) else { return true };
    // `\n` and the like in escaped text end in a letter.
    let escape = start > 1 && bytes[start - 2] == b'\\' && matches!(before, b'n' | b't' | b'r' | b'b' | b'f');
    escape
        || !(before.is_ascii_alphanumeric()
            || before >= 0x80
            || matches!(before, b'_' | b'-' | b'.' | b'#' | b'$' | b'+'))
}

fn free_after(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        Some(b'.' | b'-') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(after) => !(after.is_ascii_alphanumeric() || *after >= 0x80 || *after == b'_'),
        None => true,
    }
}

fn is_card(digits: &[u8]) -> bool {
    has_network(digits) && luhn(digits)
}

/// Ranges of ISO/IEC 7812 prefixes in use, with their lengths.
fn has_network(digits: &[u8]) -> bool {
    let first_four = digits[..4].iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let length = digits.len();
    match first_four {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        2221..=2720 | 5100..=5599 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3095..=3099 | 3600..=3699 | 3800..=3999 => length == 14,
        3528..=3589 | 6011 | 6200..=6299 | 6440..=6599 => (16..=19).contains(&length),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => (13..=19).contains(&length),
        _ => false,
    }
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit - b'0') << (index % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}
