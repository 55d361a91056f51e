//! Where a page of events ends, and the opaque text that says so to a client.

use data_encoding::BASE64URL_NOPAD;
use xxhash_rust::xxh3::xxh3_64;

use crate::event::{BatchId, EventId};
use crate::timestamp::Timestamp;

/// Which events come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// An event's place among all: by time, then by id. Less is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The event's `ts`.
    pub ts: Timestamp,
    /// Its id.
    pub id: EventId,
}

impl Position {
    /// Whether `self` comes before `other` in `order`.
    #[must_use]
    pub fn precedes(&self, other: &Self, order: Order) -> bool {
        match order {
            Order::Descending => self > other,
            Order::Ascending => self < other,
        }
    }
}

/// The last event of a page; the next page starts after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The order it was made for.
    pub order: Order,
    /// The event.
    pub position: Position,
}

/// Version, order, ts, batch, index, check.
const BYTES: usize = 1 + 1 + 8 + 16 + 4 + 2;
const VERSION: u8 = 1;

impl Cursor {
    /// 43 chars of the URL-safe base64 alphabet.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.push(match self.order {
            Order::Descending => 0,
            Order::Ascending => 1,
        });
        bytes.extend_from_slice(&self.position.ts.as_millis().to_be_bytes());
        bytes.extend_from_slice(self.position.id.batch.as_bytes());
        bytes.extend_from_slice(&self.position.id.index.to_be_bytes());
        bytes.extend_from_slice(&check(&bytes));
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads what [`Cursor::encode`] made; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        let (content, found) = bytes.split_last_chunk::<2>()?;
        let ([version, order], rest) = content.split_first_chunk()?;
        let (ts, rest) = rest.split_first_chunk()?;
        let (batch, rest) = rest.split_first_chunk()?;
        let (index, _) = rest.split_first_chunk()?;
        let order = match order {
            0 => Order::Descending,
            1 => Order::Ascending,
            _ => return None,
        };
        let id = EventId { batch: BatchId::from_bytes(*batch), index: u32::from_be_bytes(*index) };
        let position = Position { ts: Timestamp::from_millis(i64::from_be_bytes(*ts)), id };
        (*version == VERSION && *found == check(content)).then_some(Self { order, position })
    }
}

/// Guards against a cursor cut or mistyped, not against one made up: a cursor gives no rights.
fn check(content: &[u8]) -> [u8; 2] {
    let [first, second, ..] = xxh3_64(content).to_le_bytes();
    [first, second]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor() -> impl Strategy<Value = Cursor> {
        (any::<bool>(), any::<i64>(), any::<[u8; 16]>(), any::<u32>()).prop_map(
            |(ascending, ts, batch, index)| Cursor {
                order: if ascending { Order::Ascending } else { Order::Descending },
                position: Position {
                    ts: Timestamp::from_millis(ts),
                    id: EventId { batch: BatchId::from_bytes(batch), index },
                },
            },
        )
    }

    #[test]
    fn time_goes_before_id_and_id_before_index() {
        let at = |ts, batch, index| Position {
            ts: Timestamp::from_millis(ts),
            id: EventId { batch: BatchId::from_bytes([batch; 16]), index },
        };
        let ordered = [at(1, 9, 9), at(2, 1, 2), at(2, 1, 10), at(2, 2, 0)];
        assert!(ordered.is_sorted());
        assert!(ordered[1].precedes(&ordered[0], Order::Descending));
        assert!(ordered[0].precedes(&ordered[1], Order::Ascending));
        assert!(!ordered[0].precedes(&ordered[0], Order::Ascending));
    }

    #[test]
    fn a_cursor_of_another_version_is_refused() {
        let mut bytes = vec![2; BYTES - 2];
        bytes.extend_from_slice(&check(&bytes));
        assert_eq!(Cursor::parse(&BASE64URL_NOPAD.encode(&bytes)), None);
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_and_suits_a_url(cursor in cursor()) {
            let text = cursor.encode();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(Cursor::parse(&text), Some(cursor));
        }

        #[test]
        fn garbage_and_parts_are_refused(text in any::<String>(), cursor in cursor(), at in 0..42_usize) {
            prop_assert_eq!(Cursor::parse(&text), None);
            prop_assert_eq!(Cursor::parse(&cursor.encode()[..at]), None);
            let mut changed = cursor.encode().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = Cursor::parse(std::str::from_utf8(&changed).unwrap());
            // Sixteen bits of check let one change in 65,536 pass.
            prop_assert_ne!(changed, Some(cursor));
        }
    }
}
