//! Many rows, or many questions, in one packet of text: what a transaction waits for doesn't grow with its rows.
//!
//! Prepared statements would be one for each number of rows, or one round trip for each.

use std::fmt::Write as _;

use super::STATEMENT_TIMEOUT;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::value::{Row, Value};

/// Bytes of text in a packet, unless one row or question alone has more: a server takes a MiB at least.
const MAX_PACKET_BYTES: usize = 256 << 10;
/// Rows of one statement.
const MAX_ROWS: usize = 1_000;

impl Connection {
    /// Inserts rows by `head VALUES … tail`, in the order given; returns the rows it changed (on a server, an upsert counts
    /// its updated rows for two).
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn insert_rows<const N: usize>(
        &mut self,
        head: &str,
        rows: &[[Value<'_>; N]],
        tail: &str,
    ) -> Result<u64, StoreError> {
        let (mut sql, mut in_sql, mut changed) = (String::new(), 0, 0);
        for row in rows {
            let row = literals(row, self.dialect());
            let is_full = in_sql == MAX_ROWS || sql.len() + row.len() + tail.len() > MAX_PACKET_BYTES;
            if in_sql > 0 && is_full {
                changed += self.change(format!("{sql} {tail}"), STATEMENT_TIMEOUT).await?;
                in_sql = 0;
            }
            if in_sql == 0 {
                sql = format!("{head} VALUES {row}");
            } else {
                let _ = write!(sql, ",{row}");
            }
            in_sql += 1;
        }
        if in_sql > 0 {
            changed += self.change(format!("{sql} {tail}"), STATEMENT_TIMEOUT).await?;
        }
        Ok(changed)
    }

    /// Runs queries, many in a packet; their rows come one after the other.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn select_packets(
        &mut self,
        queries: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut packet, mut rows) = (String::new(), Vec::new());
        for query in queries {
            if !packet.is_empty() && packet.len() + query.len() >= MAX_PACKET_BYTES {
                rows.extend(self.select(std::mem::take(&mut packet), STATEMENT_TIMEOUT).await?);
            }
            if !packet.is_empty() {
                packet.push(';');
            }
            packet.push_str(&query);
        }
        if !packet.is_empty() {
            rows.extend(self.select(packet, STATEMENT_TIMEOUT).await?);
        }
        Ok(rows)
    }
}

fn literals(row: &[Value<'_>], dialect: Dialect) -> String {
    let mut sql = "(".to_owned();
    for (position, value) in row.iter().enumerate() {
        if position > 0 {
            sql.push(',');
        }
        match value {
            Value::Null => sql.push_str("NULL"),
            Value::Int(number) => {
                let _ = write!(sql, "{number}");
            }
            Value::Text(text) if is_plain(text) => {
                let _ = write!(sql, "'{text}'");
            }
            Value::Text(text) => sql.push_str(&dialect.text_literal(text)),
            Value::Bytes(bytes) => sql.push_str(&hex_literal(bytes)),
        }
    }
    sql.push(')');
    sql
}

/// Whether a text means itself within quotes in every dialect.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-' | b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_none_means_anything_but_itself() {
        let row: [Value<'_>; 6] =
            [7_i64.into(), "card 7".into(), "it's".into(), (&[1_u8, 0xff]).into(), Value::Null, "".into()];
        assert_eq!(
            literals(&row, Dialect::MySql),
            "(7,'card 7',CONVERT(X'69742773' USING utf8mb4),X'01ff',NULL,'')"
        );
        assert_eq!(literals(&row[2..3], Dialect::Sqlite), "(CAST(X'69742773' AS TEXT))");
    }
}
