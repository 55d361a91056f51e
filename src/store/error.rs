//! What a database's answer means for us: one table from error numbers to what we do about them.
//!
//! None of these is ever the client's fault; a client sees `storage_unavailable` or a duplicate's answer.

use std::time::Duration;

/// Why a store operation did not happen.
#[derive(Debug)]
pub enum StoreError {
    /// The database can't be used now: unreachable, refusing, read-only, full, over its limits. Back off.
    Away(String),
    /// Lost against another transaction (deadlock, lock wait, write conflict). The same again may pass at once.
    Conflict(String),
    /// A unique key was met.
    Duplicate(String),
    /// No answer in time; the connection was dropped, and a commit may or may not have happened.
    TimedOut(Duration),
    /// All connections were in use for so long; nothing was asked of the database.
    Busy(Duration),
    /// The database refused the statement for itself; the same again will fail again.
    Refused(String),
    /// A stored value is not what we wrote.
    Corrupt(String),
    /// The schema is newer than this binary.
    SchemaTooNew(String),
}

impl StoreError {
    /// True when a commit that ended so may have happened.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Away(_) | Self::TimedOut(_))
    }

    /// True when `SQLite` says that its file is damaged or no database at all.
    #[must_use]
    pub fn tells_of_damage(&self) -> bool {
        match self {
            // The low byte of an extended code is the plain one; no server's number that means "away" ends like it.
            Self::Away(why) => {
                let code = why.split_once(':').and_then(|(code, _)| code.parse::<u16>().ok());
                code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
            }
            _ => false,
        }
    }

    /// True when the database as a whole is out of reach.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::TimedOut(_))
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) => write!(f, "database away: {why}"),
            Self::Conflict(why) => write!(f, "transaction conflict: {why}"),
            Self::Duplicate(why) => write!(f, "duplicate key: {why}"),
            Self::TimedOut(after) => write!(f, "no answer from the database in {} ms", after.as_millis()),
            Self::Busy(after) => write!(f, "no connection came free in {} ms", after.as_millis()),
            Self::Refused(why) => write!(f, "statement refused: {why}"),
            Self::Corrupt(why) => write!(f, "stored value unreadable: {why}"),
            Self::SchemaTooNew(why) => write!(f, "schema is newer than this version: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What an error number asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// As [`StoreError::Away`].
    Away,
    /// As [`StoreError::Conflict`].
    Conflict,
    /// As [`StoreError::Duplicate`].
    Duplicate,
    /// As [`StoreError::Refused`].
    Refused,
}

/// `MySQL`, `MariaDB`, `TiDB` and Vitess error numbers; what is not listed is [`Meaning::Refused`].
pub const MYSQL_ERRORS: &[(u16, Meaning, &str)] = &[
    (1020, Meaning::Conflict, "row changed since it was read (MariaDB's snapshot isolation)"),
    (1021, Meaning::Away, "disk full"),
    (1026, Meaning::Away, "file write error"),
    (1030, Meaning::Away, "storage engine error"),
    (1037, Meaning::Away, "out of memory"),
    (1038, Meaning::Away, "out of sort memory"),
    (1040, Meaning::Away, "too many connections"),
    (1041, Meaning::Away, "out of memory"),
    (1044, Meaning::Away, "access denied to the database"),
    (1045, Meaning::Away, "access denied"),
    (1047, Meaning::Away, "node not ready (Galera)"),
    (1049, Meaning::Away, "unknown database"),
    (1053, Meaning::Away, "server shutting down"),
    (1062, Meaning::Duplicate, "duplicate key"),
    (1114, Meaning::Away, "table full"),
    (1129, Meaning::Away, "host blocked"),
    (1135, Meaning::Away, "no thread for a connection"),
    (1142, Meaning::Away, "right to the table taken away (hosts do so over a quota)"),
    (1146, Meaning::Away, "table gone (it is made again)"),
    (1153, Meaning::Refused, "packet too large"),
    (1158, Meaning::Away, "network read error"),
    (1159, Meaning::Away, "network read timeout"),
    (1160, Meaning::Away, "network write error"),
    (1161, Meaning::Away, "network write timeout"),
    (1180, Meaning::Away, "commit failed, it may have happened (Galera cut off)"),
    (1181, Meaning::Away, "rollback failed"),
    (1203, Meaning::Away, "user's connections used up"),
    (1205, Meaning::Conflict, "lock wait timeout"),
    (1213, Meaning::Conflict, "deadlock or certification failure"),
    (1226, Meaning::Away, "user's resource quota used up"),
    (1290, Meaning::Away, "server is read-only"),
    (1317, Meaning::Away, "query interrupted"),
    (1412, Meaning::Conflict, "table changed since the transaction began"),
    (1461, Meaning::Away, "prepared statements used up"),
    (1586, Meaning::Duplicate, "duplicate key, with the key's name"),
    (1637, Meaning::Away, "too many transactions"),
    (1698, Meaning::Away, "access denied"),
    (1792, Meaning::Away, "transaction is read-only"),
    (1836, Meaning::Away, "server is read-only"),
    (1927, Meaning::Away, "connection killed"),
    (1969, Meaning::Away, "statement time used up (MariaDB)"),
    (2006, Meaning::Away, "server has gone away"),
    (2013, Meaning::Away, "connection lost"),
    (3024, Meaning::Away, "statement time used up"),
    (3118, Meaning::Away, "account locked"),
    (4031, Meaning::Away, "disconnected for inactivity"),
    (4151, Meaning::Away, "account locked (MariaDB)"),
    (8022, Meaning::Conflict, "transaction to be retried (TiDB)"),
    (9001, Meaning::Away, "placement driver timeout (TiDB)"),
    (9002, Meaning::Away, "storage timeout (TiDB)"),
    (9003, Meaning::Away, "storage busy (TiDB)"),
    (9005, Meaning::Away, "region unavailable (TiDB)"),
    (9007, Meaning::Conflict, "write conflict (TiDB)"),
];

/// `SQLite` extended result codes; the low byte decides where the whole is not listed.
pub const SQLITE_ERRORS: &[(u16, Meaning, &str)] = &[
    (5, Meaning::Conflict, "busy"),
    (6, Meaning::Conflict, "table locked"),
    (8, Meaning::Away, "read-only"),
    (10, Meaning::Away, "input or output error"),
    (11, Meaning::Away, "file corrupt"),
    (13, Meaning::Away, "disk full"),
    (14, Meaning::Away, "file can't be opened"),
    (26, Meaning::Away, "not a database"),
    (1555, Meaning::Duplicate, "duplicate primary key"),
    (2067, Meaning::Duplicate, "duplicate unique key"),
    (2579, Meaning::Duplicate, "duplicate row id"),
];

/// What a `MySQL` error number means.
#[must_use]
pub fn mysql_meaning(number: u16) -> Meaning {
    lookup(MYSQL_ERRORS, number).unwrap_or(Meaning::Refused)
}

/// What an `SQLite` extended result code means.
#[must_use]
pub fn sqlite_meaning(code: u16) -> Meaning {
    lookup(SQLITE_ERRORS, code).or_else(|| lookup(SQLITE_ERRORS, code & 0xff)).unwrap_or(Meaning::Refused)
}

fn lookup(table: &[(u16, Meaning, &str)], number: u16) -> Option<Meaning> {
    table.iter().find(|row| row.0 == number).map(|row| row.1)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => from_database(database.as_ref()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Corrupt(error.to_string())
            }
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Self::Refused(error.to_string()),
            _ => Self::Away(error.to_string()),
        }
    }
}

fn from_database(error: &dyn sqlx::error::DatabaseError) -> StoreError {
    let (meaning, number) = match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(mysql) => (mysql_meaning(mysql.number()), u32::from(mysql.number())),
        None => sqlite_code(error),
    };
    let text = format!("{number}: {}", error.message());
    match meaning {
        Meaning::Away => StoreError::Away(text),
        Meaning::Conflict => StoreError::Conflict(text),
        Meaning::Duplicate => StoreError::Duplicate(text),
        Meaning::Refused => StoreError::Refused(text),
    }
}

fn sqlite_code(error: &dyn sqlx::error::DatabaseError) -> (Meaning, u32) {
    let code = error.code().and_then(|code| code.parse::<u16>().ok()).unwrap_or(0);
    (sqlite_meaning(code), u32::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_that_asks_for_patience_is_never_the_clients_fault() {
        for number in [1040, 1047, 1180, 1203, 1226, 1290, 1461, 2006, 2013] {
            assert_eq!(mysql_meaning(number), Meaning::Away, "{number}");
        }
        for number in [1205, 1213] {
            assert_eq!(mysql_meaning(number), Meaning::Conflict, "{number}");
        }
        assert_eq!(mysql_meaning(1062), Meaning::Duplicate);
        assert_eq!(mysql_meaning(1064), Meaning::Refused);
    }

    #[test]
    fn sqlite_codes_fall_back_to_their_low_byte() {
        assert_eq!(sqlite_meaning(5), Meaning::Conflict);
        assert_eq!(sqlite_meaning(517), Meaning::Conflict, "busy snapshot");
        assert_eq!(sqlite_meaning(13), Meaning::Away);
        assert_eq!(sqlite_meaning(778), Meaning::Away, "write error");
        assert_eq!(sqlite_meaning(1555), Meaning::Duplicate);
        assert_eq!(sqlite_meaning(1299), Meaning::Refused, "not null");
    }

    #[test]
    fn no_number_stands_in_a_table_twice() {
        for table in [MYSQL_ERRORS, SQLITE_ERRORS] {
            let mut numbers: Vec<u16> = table.iter().map(|row| row.0).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all);
        }
    }

    #[test]
    fn a_lost_connection_is_away_and_ambiguous() {
        let lost =
            StoreError::from(sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        assert!(lost.is_away() && lost.is_ambiguous());
    }
}
