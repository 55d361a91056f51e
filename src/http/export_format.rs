//! Events as NDJSON, CSV or a JSON array, for the route and the command line alike.
//!
//! CSV is that of RFC 4180 with a header row. A cell that a spreadsheet would take for a formula begins with an
//! apostrophe instead; `tags` and `ctx` are JSON.

use std::borrow::Cow;

use crate::http::log_json::LogJson;

/// The columns of the CSV, as the fields of an event.
pub const COLUMNS: [&str; 18] = [
    "id",
    "project_id",
    "project",
    "ts",
    "received_at",
    "level",
    "source",
    "env",
    "message",
    "ctx",
    "user_id",
    "request_id",
    "tags",
    "release",
    "stack",
    "fingerprint",
    "expires_at",
    "truncated",
];

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// A table.
    Csv,
    /// One JSON array.
    Json,
}

impl Format {
    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ndjson, Self::Csv, Self::Json].into_iter().find(|format| format.name() == name)
    }

    /// Its name, which is also what files of it end in.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Writes one export.
#[derive(Debug)]
pub struct ExportText {
    format: Format,
    rows: u64,
    continued: bool,
}

impl ExportText {
    /// `continued` leaves the header row out, so that parts make one table.
    #[must_use]
    pub const fn new(format: Format, continued: bool) -> Self {
        Self { format, rows: 0, continued }
    }

    /// Its format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Events written.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// What comes before the first event.
    #[must_use]
    pub fn begin(&self) -> String {
        match self.format {
            Format::Ndjson => String::new(),
            Format::Csv if self.continued => String::new(),
            Format::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Format::Json => "[".to_owned(),
        }
    }

    /// Adds an event.
    ///
    /// # Panics
    /// Never: an event is text and numbers, which can be written as JSON.
    pub fn push(&mut self, log: &LogJson<'_>, out: &mut String) {
        let first = self.rows == 0;
        self.rows += 1;
        if self.format == Format::Csv {
            return push_row(log, out);
        }
        if self.format == Format::Json {
            out.push_str(if first { "\n" } else { ",\n" });
        }
        out.push_str(&serde_json::to_string(log).expect("text and numbers are JSON"));
        if self.format == Format::Ndjson {
            out.push('\n');
        }
    }

    /// What comes after the last event.
    #[must_use]
    pub const fn end(&self) -> &'static str {
        match self.format {
            Format::Ndjson | Format::Csv => "",
            Format::Json => "\n]\n",
        }
    }
}

fn push_row(log: &LogJson<'_>, out: &mut String) {
    for (position, cell) in log.cells().iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        push_cell(cell, out);
    }
    out.push_str("\r\n");
}

/// A spreadsheet takes what begins so for a formula, a line feed or a space before it notwithstanding.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

fn push_cell(cell: &str, out: &mut String) {
    let guarded: Cow<'_, str> = if is_formula(cell) { format!("'{cell}").into() } else { cell.into() };
    if guarded.contains(['"', ',', '\r', '\n']) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        out.push('"');
        out.push_str(&guarded.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&guarded);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(text: &str) -> String {
        let mut out = String::new();
        push_cell(text, &mut out);
        out
    }

    /// A cell as a reader of RFC 4180 takes it.
    fn read(cell: &str) -> String {
        let quoted = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        quoted.map_or_else(|| cell.to_owned(), |inner| inner.replace("\"\"", "\""))
    }

    #[test]
    fn cells_are_quoted_where_they_must_be_and_formulas_are_text() {
        for (text, written) in [
            ("", ""),
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("=cmd|' /C calc'!A0,x", "\"'=cmd|' /C calc'!A0,x\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), written, "{text:?}");
        }
    }

    #[test]
    fn an_empty_export_is_valid_in_every_format() {
        let whole = |format| {
            let text = ExportText::new(format, false);
            text.begin() + text.end()
        };
        assert_eq!(whole(Format::Ndjson), "");
        assert_eq!(serde_json::from_str::<Vec<()>>(&whole(Format::Json)).unwrap(), []);
        assert_eq!(whole(Format::Csv), format!("{}\r\n", COLUMNS.join(",")));
        assert_eq!(ExportText::new(Format::Csv, true).begin(), "", "parts make one table");
    }

    proptest! {
        #[test]
        fn any_text_reads_back_but_for_the_guard(text in any::<String>()) {
            let back = read(&cell(&text));
            let unguarded = back.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(&back);
            prop_assert!(unguarded == text || back == text);
            prop_assert!(!is_formula(&back));
        }
    }
}
