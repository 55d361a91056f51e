//! What differs between the MySQL family and `SQLite`, in one place.
//!
//! Everything else is the same SQL text with `?` placeholders. Nothing here needs what `TiDB`, Galera or Vitess lack.

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL, `MariaDB` and their kin.
    MySql,
    /// The embedded default.
    Sqlite,
}

impl Dialect {
    /// An expression for the database's own clock, in milliseconds since the epoch.
    #[must_use]
    pub const fn now_ms(self) -> &'static str {
        match self {
            Self::MySql => "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        }
    }

    /// The start of an `INSERT` that leaves an existing row as it is.
    #[must_use]
    pub const fn insert_or_keep(self) -> &'static str {
        match self {
            Self::MySql => "INSERT IGNORE INTO",
            Self::Sqlite => "INSERT OR IGNORE INTO",
        }
    }

    /// Divides whole numbers, the rest dropped.
    #[must_use]
    pub const fn divide(self) -> &'static str {
        match self {
            Self::MySql => "DIV",
            Self::Sqlite => "/",
        }
    }

    /// The tail of an upsert. `set` is written with `new(column)` for the row that met an existing one.
    #[must_use]
    pub fn on_duplicate(self, key: &str, set: &str) -> String {
        match self {
            Self::MySql => format!("ON DUPLICATE KEY UPDATE {}", set.replace("new(", "VALUES(")),
            Self::Sqlite => {
                let set = set.replace("new(", "(excluded.");
                format!("ON CONFLICT ({key}) DO UPDATE SET {set}")
            }
        }
    }

    /// A text as a literal in which nothing has a meaning.
    #[must_use]
    pub fn text_literal(self, text: &str) -> String {
        let hex = data_encoding::HEXLOWER.encode(text.as_bytes());
        match self {
            Self::MySql => format!("CONVERT(X'{hex}' USING utf8mb4)"),
            Self::Sqlite => format!("CAST(X'{hex}' AS TEXT)"),
        }
    }

    /// Locks the rows a `SELECT` found until the transaction ends; `SQLite` has one writer anyway.
    #[must_use]
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::MySql => " FOR UPDATE",
            Self::Sqlite => "",
        }
    }

    /// Starts a transaction that will write.
    #[must_use]
    pub const fn begin_write(self) -> &'static str {
        match self {
            Self::MySql => "START TRANSACTION",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Starts a transaction that only reads and sees one moment, also where the server's default is to see each
    /// commit at once. Without `READ ONLY`: `TiDB` has no grammar for both.
    #[must_use]
    pub const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::MySql => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;START TRANSACTION WITH CONSISTENT SNAPSHOT"
            }
            Self::Sqlite => "BEGIN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upsert_names_the_new_row_as_each_dialect_does() {
        let set = "n = n + new(n), last_seen = new(last_seen)";
        assert_eq!(
            Dialect::MySql.on_duplicate("id", set),
            "ON DUPLICATE KEY UPDATE n = n + VALUES(n), last_seen = VALUES(last_seen)"
        );
        assert_eq!(
            Dialect::Sqlite.on_duplicate("id", set),
            "ON CONFLICT (id) DO UPDATE SET n = n + (excluded.n), last_seen = (excluded.last_seen)"
        );
    }
}
