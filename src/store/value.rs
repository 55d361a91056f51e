//! Values that go into statements and rows that come out, the same for both kinds of database.

use std::borrow::Cow;

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row as _};

use super::error::StoreError;

/// A value bound to a placeholder.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// Any integer column.
    Int(i64),
    /// Any text column.
    Text(Cow<'a, str>),
    /// Any binary column.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// Bytes it takes at most on its way to a server.
    pub(super) fn wire_bytes(&self) -> usize {
        // A length of up to nine bytes, and two for the type.
        11 + match self {
            Self::Null | Self::Int(_) => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

/// A row of a result, read by position.
pub enum Row {
    /// From the MySQL family.
    MySql(MySqlRow),
    /// From `SQLite`.
    Sqlite(SqliteRow),
}

macro_rules! read_column {
    ($row:expr, $index:expr, $type:ty) => {
        match $row {
            Row::MySql(row) => row.try_get_unchecked::<$type, usize>($index),
            Row::Sqlite(row) => row.try_get_unchecked::<$type, usize>($index),
        }
        .map_err(StoreError::from)
    };
}

impl Row {
    /// How many columns it has.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::MySql(row) => row.len(),
            Self::Sqlite(row) => row.len(),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the column is NULL, absent or of another type; so for all readers here.
    pub fn int(&self, index: usize) -> Result<i64, StoreError> {
        read_column!(self, index, i64)
    }

    /// An integer that may be NULL.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn optional_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        read_column!(self, index, Option<i64>)
    }

    /// Text.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn text(&self, index: usize) -> Result<String, StoreError> {
        read_column!(self, index, String)
    }

    /// Bytes.
    ///
    /// # Errors
    /// As [`Row::int`].
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        read_column!(self, index, Vec<u8>)
    }

    /// Exactly `N` bytes.
    ///
    /// # Errors
    /// As [`Row::int`], and when the length differs.
    pub fn array<const N: usize>(&self, index: usize) -> Result<[u8; N], StoreError> {
        let bytes = self.bytes(index)?;
        bytes.try_into().map_err(|_| StoreError::Corrupt(format!("column {index} is not {N} bytes")))
    }

    /// An integer that fits `T`.
    ///
    /// # Errors
    /// As [`Row::int`], and when it doesn't fit.
    pub fn narrow<T: TryFrom<i64>>(&self, index: usize) -> Result<T, StoreError> {
        let number = self.int(index)?;
        T::try_from(number)
            .map_err(|_| StoreError::Corrupt(format!("column {index} is out of range: {number}")))
    }
}

macro_rules! bind_all {
    ($arguments:ty, $values:expr) => {{
        let mut arguments = <$arguments>::default();
        for value in $values {
            match value {
                Value::Null => Arguments::add(&mut arguments, None::<i64>),
                Value::Int(number) => Arguments::add(&mut arguments, *number),
                Value::Text(text) => Arguments::add(&mut arguments, text.as_ref()),
                Value::Bytes(bytes) => Arguments::add(&mut arguments, bytes.as_ref()),
            }
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        }
        Ok(arguments)
    }};
}

pub(super) fn mysql_arguments(values: &[Value<'_>]) -> Result<MySqlArguments, StoreError> {
    bind_all!(MySqlArguments, values)
}

pub(super) fn sqlite_arguments(values: &[Value<'_>]) -> Result<SqliteArguments, StoreError> {
    bind_all!(SqliteArguments, values)
}
