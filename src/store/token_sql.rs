//! Token filters tested by a server, so that only the headers of blocks that may match travel.
//!
//! The arithmetic is that of [`crate::block::filter`]: a filter's size is a power of two, so each row's own length cuts
//! a token's probes to its bits. Of an id filter that lies in parts ([`super::id_filters`]) only the token's own is read;
//! one that isn't there admits everything. It is text, not a prepared statement: the shape differs from search to search.

use std::fmt::Write as _;

use super::id_filters::IN_PARTS;
use crate::block::filter::{MIN_BYTES, PART_BYTES, part, probes};
use crate::block::token_test::TokenTest;

/// Tokens in all the queries of one packet together; each takes up to 1,050 bytes of SQL.
pub(super) const MAX_TOKENS: usize = 600;

/// The condition ` AND (…)` on `id_filter` and `text_filter`; empty for a test that always holds.
pub(super) fn condition(test: &TokenTest) -> String {
    let mut sql = String::new();
    if *test != TokenTest::Always {
        sql.push_str(" AND ");
        push(test, &mut sql);
    }
    sql
}

fn push(test: &TokenTest, sql: &mut String) {
    match test {
        TokenTest::Always => sql.push_str("1 = 1"),
        TokenTest::Id(token) => push_id(*token, sql),
        TokenTest::Text(token) => push_token("text_filter", *token, sql),
        TokenTest::All(tests) => push_list(tests, " AND ", sql),
        TokenTest::Any(tests) => push_list(tests, " OR ", sql),
    }
}

fn push_list(tests: &[TokenTest], joint: &str, sql: &mut String) {
    sql.push('(');
    for (position, test) in tests.iter().enumerate() {
        if position > 0 {
            sql.push_str(joint);
        }
        push(test, sql);
    }
    sql.push(')');
}

/// In the row, or where the row says that the filter lies in parts, in its part.
fn push_id(token: u64, sql: &mut String) {
    let part = part(token);
    let _ = write!(sql, "CASE WHEN {IN_PARTS} THEN COALESCE((SELECT ");
    for (position, probe) in probes(token).into_iter().enumerate() {
        let joint = if position == 0 { "" } else { " AND " };
        let (byte, bit) = ((probe / 8) as usize % PART_BYTES, 1_u8 << (probe % 8));
        let _ = write!(sql, "{joint}ORD(SUBSTRING(f.bits, {}, 1)) & {bit} > 0", byte + 1);
    }
    let _ = write!(
        sql,
        " FROM id_filters AS f WHERE f.project_id = blocks.project_id \
         AND f.part = ({part} & ((1 << LENGTH(id_filter)) - 1)) AND f.id = blocks.id), 1) ELSE "
    );
    push_token("id_filter", token, sql);
    sql.push_str(" END");
}

/// All probes set, or a filter of a length that says nothing.
fn push_token(filter: &str, token: u64, sql: &mut String) {
    let _ =
        write!(sql, "(LENGTH({filter}) < {MIN_BYTES} OR LENGTH({filter}) & (LENGTH({filter}) - 1) > 0 OR (");
    for (position, probe) in probes(token).into_iter().enumerate() {
        let joint = if position == 0 { "" } else { " AND " };
        let (byte, bit) = (probe / 8, 1_u8 << (probe % 8));
        let _ = write!(
            sql,
            "{joint}ORD(SUBSTRING({filter}, ({byte} & (LENGTH({filter}) - 1)) + 1, 1)) & {bit} > 0"
        );
    }
    sql.push_str("))");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_follows_the_documented_arithmetic() {
        // h1 = 9 and h2 = 1 (made odd): probes 9 to 14, all in the second byte.
        let sql = condition(&TokenTest::Id(9));
        assert!(sql.contains(" ELSE (LENGTH(id_filter) < 8 OR "), "{sql}");
        // Bits in the part are the same, and it is the first of any number.
        assert!(sql.contains("f.part = (0 & ((1 << LENGTH(id_filter)) - 1))"), "{sql}");
        for bit in [2, 4, 8, 16, 32, 64] {
            let probe =
                format!("ORD(SUBSTRING(id_filter, (1 & (LENGTH(id_filter) - 1)) + 1, 1)) & {bit} > 0");
            assert!(sql.contains(&probe), "{sql}");
            assert!(sql.contains(&format!("ORD(SUBSTRING(f.bits, 2, 1)) & {bit} > 0")), "{sql}");
        }
        assert!(condition(&TokenTest::Id(9 | 13 << 59)).contains("f.part = (13 & "), "the highest five bits");
        assert_eq!(condition(&TokenTest::Always), "");
        let either = condition(&TokenTest::any([TokenTest::Id(1), TokenTest::Text(2)]));
        assert!(either.contains(" OR (LENGTH(text_filter)"), "{either}");
    }

    #[test]
    fn the_tokens_of_a_packet_fit_half_a_mebibyte() {
        let most = condition(&TokenTest::all(
            (0..MAX_TOKENS as u64).map(|token| TokenTest::Id(token << 54 | token << 33 | 0xFFF)),
        ));
        assert!(most.len() <= 640 << 10, "{}", most.len());
    }
}
