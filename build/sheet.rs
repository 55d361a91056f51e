//! A sheet without comments, and without the blanks that say nothing, by the way this project writes sheets.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A style sheet as it is sent.
///
/// # Errors
/// The first line with a comment that goes on over its end.
pub fn strip(text: &str) -> Result<String, String> {
    let mut sent = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.matches("/*").count() != line.matches("*/").count() {
            return Err(format!("line {}: a comment must end on its line", number + 1));
        }
        let is_comment = line.starts_with("/*") && line.find("*/") == line.len().checked_sub(2);
        if is_comment || line.is_empty() {
            continue;
        }
        let line = tight(line);
        if line.starts_with('}') && sent.ends_with(';') {
            sent.pop();
        }
        sent.push_str(&line);
        // A selector may go on in the next line.
        if !sent.ends_with(['{', '}', ';', ',']) {
            sent.push('\n');
        }
    }
    Ok(sent)
}

/// Gives the sheet's own variables names of one letter or two, the most frequent ones first, but for those of which
/// `is_said` knows that a script sets them.
pub fn shorten(style: &str, is_said: impl Fn(&str) -> bool) -> String {
    let end = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
    let parts = || style.split("--").skip(1).map(|part| part.split_at(end(part)));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in parts() {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<(&str, usize)> =
        counts.into_iter().filter(|(name, _)| !is_said(&format!("--{name}"))).collect();
    names.sort_by_key(|(name, count)| (Reverse(*count), *name));
    let letters = || ('a'..='z').map(String::from);
    let pairs = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    let short: BTreeMap<&str, String> =
        names.into_iter().map(|(name, _)| name).zip(letters().chain(pairs)).collect();
    let mut sent = style.split("--").next().unwrap_or_default().to_owned();
    for (name, rest) in parts() {
        sent.extend(["--", short.get(name).map_or(name, String::as_str), rest]);
    }
    sent
}

/// What blanks say nothing beside, in this order.
const TIGHT: [(&str, &str); 9] = [
    (" {", "{"),
    ("{ ", "{"),
    (" }", "}"),
    ("} ", "}"),
    (";}", "}"),
    ("; ", ";"),
    (": ", ":"),
    (", ", ","),
    (" > ", ">"),
];

/// A line of a sheet without the blanks beside its marks. Texts in quotes stay as they are. A colon with a blank is one of
/// a declaration; before one of a selector the blank says something.
fn tight(line: &str) -> String {
    let mut sent = String::with_capacity(line.len());
    for (at, part) in line.split('"').enumerate() {
        if at > 0 {
            sent.push('"');
        }
        if at % 2 == 1 {
            sent.push_str(part);
            continue;
        }
        sent.push_str(&TIGHT.iter().fold(part.to_owned(), |part, (from, to)| part.replace(from, to)));
    }
    sent
}
