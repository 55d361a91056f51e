//! From when to when there are events, by what the indexes on blocks' times begin and end with.

use super::error::StoreError;
use super::value::Row;
use crate::timestamp::Timestamp;

/// Two queries a project: times of its block that begins first and of the one that ends last, of those received at or
/// after a time that reach into `[from, to)`.
pub(super) fn time_range_sql(projects: &[(i64, Timestamp)], from: Timestamp, to: Timestamp) -> String {
    let (from, to) = (from.as_millis(), to.as_millis());
    let query = |(project_id, received_after): &(i64, Timestamp), column: &str, order: &str| {
        let received_after = received_after.as_millis();
        format!(
            "SELECT ts_first, ts_last FROM blocks WHERE project_id = {project_id} AND ts_last >= {from} \
             AND ts_first < {to} AND received_last >= {received_after} ORDER BY {column} {order}, id {order} LIMIT 1"
        )
    };
    let both = |project| [query(project, "ts_first", "ASC"), query(project, "ts_last", "DESC")];
    projects.iter().flat_map(both).collect::<Vec<_>>().join(";")
}

/// The range over all rows; `None` of none.
pub(super) fn read_time_range(rows: &[Row]) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let mut range: Option<(i64, i64)> = None;
    for row in rows {
        let (first, last) = (row.int(0)?, row.int(1)?);
        range = Some(range.map_or((first, last), |range| (range.0.min(first), range.1.max(last))));
    }
    Ok(range.map(|(first, last)| (Timestamp::from_millis(first), Timestamp::from_millis(last))))
}
