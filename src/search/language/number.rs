//! Numbers as text, compared without loss where both are whole.

use std::cmp::Ordering;

/// Longest text that is read as a number, in bytes.
const MAX_BYTES: usize = 64;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    /// Reads decimal digits with sign, fraction and exponent, as JSON spells numbers, a leading `+` or `.` too.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.len() <= MAX_BYTES
            && text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        if !is_number {
            return None;
        }
        let real = || text.parse().ok().filter(|real: &f64| real.is_finite()).map(Self::Real);
        text.parse().map(Self::Whole).ok().or_else(real)
    }

    /// How it stands to another.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            (left, right) => left.real().partial_cmp(&right.real()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "the other is a real number, which is no closer")]
    const fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_compare_without_loss_and_others_as_reals() {
        let order =
            |left, right| Number::parse(left).unwrap().compare(Number::parse(right).unwrap()).unwrap();
        assert_eq!(order("9007199254740993", "9007199254740992"), Ordering::Greater);
        assert_eq!(order("500", "5e2"), Ordering::Equal);
        assert_eq!(order("-1.5", "-1"), Ordering::Less);
        assert_eq!(order("+7", "7.0"), Ordering::Equal);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "e", "1x", "inf", "NaN", "1e999", "0x10", "1 2", "1_000", &"1".repeat(65)] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }
}
