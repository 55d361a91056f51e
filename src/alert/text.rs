//! Words of a message that all channels share, and cutting them to size.

use std::fmt::Write as _;

use super::{AlertKind, AlertMessage};

/// Characters of a title in a headline or subject.
pub(super) const MAX_TITLE_CHARS: usize = 200;
/// Environments, or sources, that are named; the rest is a number.
const MAX_NAMES: usize = 8;
/// Characters of one of them.
const MAX_NAME_CHARS: usize = 64;
/// What stands where something was cut off.
const CUT: char = '…';

/// Which characters count for two: whoever measures in UTF-16 is never exceeded then, nor is one who measures in
/// characters.
fn units(c: char) -> usize {
    c.len_utf16()
}

/// At most `max` UTF-16 units of a text, so at most as many characters; with a mark where something is missing.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().map(units).sum::<usize>() <= max {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(1);
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            let fits = units(*c) <= room;
            room = room.saturating_sub(units(*c));
            fits
        })
        .collect();
    if max > 0 {
        kept.push(CUT);
    }
    kept
}

/// A text on one line: control characters, and those that turn the direction of text around, become blanks.
pub(super) fn one_line(text: &str) -> String {
    let blank = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let spaced: String = text.chars().map(|c| if blank(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it is about, on one line and not too long.
pub(super) fn title(message: &AlertMessage) -> String {
    cut(&one_line(&message.title), MAX_TITLE_CHARS)
}

/// What happened to what: `Spike: card declined`.
pub(super) fn headline(message: &AlertMessage) -> String {
    if message.kind == AlertKind::OverflowEnded {
        return overflow_ended(message);
    }
    let over = if message.resolved { "Resolved: " } else { "" };
    format!("{over}{}: {}", message.kind.words(), title(message))
}

/// `Overflow ended: 41200 events from … to …`.
fn overflow_ended(message: &AlertMessage) -> String {
    let events = message.count.map_or_else(|| title(message), |count| format!("{count} events"));
    let span = message.first_seen.zip(message.last_seen);
    let span = span.map(|(from, to)| format!(" from {from} to {to}")).unwrap_or_default();
    format!("{}: {events}{span}", message.kind.words())
}

/// `42 in 60 s (usually 1.5)`.
fn count(message: &AlertMessage) -> Option<String> {
    let count = message.count?;
    let window = message.window_seconds.map(|seconds| format!(" in {}", span(seconds))).unwrap_or_default();
    let baseline = message.baseline.map(|usual| format!(" (usually {usual:.1})")).unwrap_or_default();
    Some(format!("{count}{window}{baseline}"))
}

fn span(seconds: u32) -> String {
    match seconds {
        seconds if seconds % 3_600 == 0 && seconds > 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 && seconds > 60 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn names(names: &[String]) -> Option<String> {
    let shown: Vec<String> =
        names.iter().take(MAX_NAMES).map(|name| cut(&one_line(name), MAX_NAME_CHARS)).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// Name and value of everything there is to say beside headline, sample, link and how to mute.
pub(super) fn facts(message: &AlertMessage) -> Vec<(&'static str, String)> {
    let text = |text: &str| (!text.is_empty()).then(|| cut(&one_line(text), MAX_NAME_CHARS));
    let facts = [
        ("Project", text(&message.project)),
        ("Level", message.level.map(|level| level.name().to_owned())),
        ("Events", count(message)),
        ("First seen", message.first_seen.map(|at| at.to_string())),
        ("Last seen", message.last_seen.map(|at| at.to_string())),
        ("Environments", names(&message.environments)),
        ("Sources", names(&message.sources)),
        ("Release", message.release.as_deref().and_then(text)),
        (
            "Held back",
            (message.suppressed > 0).then(|| format!("{} alerts before this one", message.suppressed)),
        ),
        ("Counted late", message.received_until.map(|until| format!("received until {until}"))),
        ("Rule", text(&message.rule)),
        ("Found", Some(message.at.to_string())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// All of it as plain text.
pub(super) fn plain(message: &AlertMessage, max_sample: usize) -> String {
    let mut text = format!("{}\n\n", headline(message));
    for (name, value) in facts(message) {
        let _ = writeln!(text, "{name}: {value}");
    }
    if let Some(sample) = &message.sample {
        let _ = writeln!(text, "\n{}", cut(&without_controls(sample), max_sample));
    }
    if let Some(link) = &message.link {
        let _ = writeln!(text, "\n{link}");
    }
    if let Some(mute) = &message.mute {
        let _ = writeln!(text, "\n{}", one_line(mute));
    }
    let _ = writeln!(text, "\nMessage {}", message.id);
    text
}

/// Lines stay lines; other control characters become blanks.
pub(super) fn without_controls(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// Safe within HTML text and attributes.
pub(super) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
