//! Epoch numbers: seconds, milli-, micro- or nanoseconds by their magnitude, from decimal text.
//!
//! The digits are never put through a float, so that milliseconds survive. What is finer than a millisecond is
//! rounded to the nearest, because a float's text is as often just under the intended number as just over it.

use super::Timestamp;

/// Below this a number is seconds (until the year 5138).
const SECONDS_BELOW: u128 = 100_000_000_000;
/// Below this it is milliseconds (until 5138, from 1973).
const MILLIS_BELOW: u128 = SECONDS_BELOW * 1000;
/// Below this it is microseconds; from here on nanoseconds.
const MICROS_BELOW: u128 = MILLIS_BELOW * 1000;
/// Significant digits that are looked at.
const MOST_DIGITS: u32 = 30;
/// Exponents beyond this are out of bounds whatever the digits.
const MOST_EXPONENT: i32 = 1000;

/// A decimal that is not negative: `digits * 10^exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Timestamp {
    /// From a number since the epoch as decimal text, with or without fraction and exponent.
    ///
    /// Less than 1e11 is seconds, less than 1e14 milliseconds, less than 1e17 microseconds, the rest nanoseconds.
    /// Negative numbers, times after the year 9999 and anything that is not a number are `None`.
    #[must_use]
    pub fn from_epoch_number(text: &str) -> Option<Self> {
        let number = Decimal::parse(text.as_bytes())?;
        let whole = number.scaled(0, 0)?;
        let shift = match whole {
            0..SECONDS_BELOW => 3,
            SECONDS_BELOW..MILLIS_BELOW => 0,
            MILLIS_BELOW..MICROS_BELOW => -3,
            _ => -6,
        };
        let millis = i64::try_from(number.scaled(shift, 1)?).ok()?;
        (millis <= Self::LAST.as_millis()).then_some(Self(millis))
    }
}

impl Decimal {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut number = Self { digits: 0, exponent: 0 };
        let (mut at, mut taken, mut seen, mut in_fraction) = (0, 0_u32, false, false);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    if taken < MOST_DIGITS {
                        number.digits = number.digits * 10 + u128::from(byte - b'0');
                        taken += u32::from(number.digits > 0);
                        number.exponent -= i32::from(in_fraction);
                    } else {
                        number.exponent += i32::from(!in_fraction);
                    }
                    if number.exponent.abs() > MOST_EXPONENT {
                        return None;
                    }
                }
                b'.' if seen && !in_fraction => in_fraction = true,
                b'e' | b'E' if seen => {
                    number.exponent += exponent(bytes.get(at + 1..)?)?;
                    break;
                }
                _ => return None,
            }
            at += 1;
        }
        seen.then_some(number)
    }

    /// The number times `10^shift`, rounded down, or to the nearest with `half` 1.
    fn scaled(self, shift: i32, half: u128) -> Option<u128> {
        let exponent = self.exponent + shift;
        if self.digits == 0 {
            return Some(0);
        }
        let Ok(up) = u32::try_from(exponent) else {
            let Some(divisor) = 10_u128.checked_pow(exponent.unsigned_abs()) else { return Some(0) };
            return Some((self.digits + half * (divisor / 2)) / divisor);
        };
        self.digits.checked_mul(10_u128.checked_pow(up)?)
    }
}

fn exponent(bytes: &[u8]) -> Option<i32> {
    let (sign, digits) = match bytes.split_first()? {
        (b'-', rest) => (-1, rest),
        (b'+', rest) => (1, rest),
        _ => (1, bytes),
    };
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(sign * digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
}
