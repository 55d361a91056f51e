//! Why a database refused something for itself: what of its answer is kept, and the words for it.

use super::error::StoreError;

/// Characters of a database's message that are kept.
const MAX_MESSAGE_CHARS: usize = 200;

/// A refusal, fit to be stored anywhere: its message is printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The database's error number; 0 where we refused in its stead.
    pub number: u16,
    /// What it said, cut and cleaned; for an admin.
    pub message: String,
}

/// Kinds of refusals, as far as they can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// More bytes than the database takes at once.
    TooLarge,
    /// A trigger or a constraint of the database said no.
    Rule,
    /// A value doesn't fit its column.
    Value,
    /// Anything else.
    Other,
}

/// Error numbers with a meaning of their own: of servers, then of `SQLite` (by the low byte).
const KINDS: &[(u16, RefusalKind)] = &[
    (0, RefusalKind::TooLarge),
    (18, RefusalKind::TooLarge),
    (19, RefusalKind::Rule),
    (20, RefusalKind::Value),
    (1118, RefusalKind::TooLarge),
    (1153, RefusalKind::TooLarge),
    (1264, RefusalKind::Value),
    (1301, RefusalKind::TooLarge),
    (1366, RefusalKind::Value),
    (1406, RefusalKind::Value),
    (1644, RefusalKind::Rule),
    (3140, RefusalKind::Value),
    (3819, RefusalKind::Rule),
    (4025, RefusalKind::Rule),
    (8004, RefusalKind::TooLarge),
    (8025, RefusalKind::TooLarge),
];

impl Refusal {
    /// From what [`StoreError::Refused`] holds: a number, a colon and the database's words, or words of ours.
    #[must_use]
    pub fn of(why: &str) -> Self {
        let numbered = why.split_once(": ").and_then(|(number, text)| Some((number.parse().ok()?, text)));
        let (number, text) = numbered.unwrap_or((0, why));
        let printable = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
        Self { number, message: text.chars().take(MAX_MESSAGE_CHARS).map(printable).collect() }
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        let listed = |number| KINDS.iter().find(|row| row.0 == number).map(|row| row.1);
        // SQLite's extended codes end in the plain one.
        let plain = Some(self.number & 0xff).filter(|code| *code != 0);
        listed(self.number).or_else(|| plain.and_then(listed)).unwrap_or(RefusalKind::Other)
    }
}

impl RefusalKind {
    /// The stable code in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Rule => "rule",
            Self::Value => "value",
            Self::Other => "other",
        }
    }

    /// One sentence about it that names nothing of the database's.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TooLarge => "The event is larger than the database takes at once.",
            Self::Rule => "A trigger or a constraint of the database refuses the event.",
            Self::Value => "A value of the event does not fit the database's column.",
            Self::Other => "The database refuses the event.",
        }
    }
}

impl StoreError {
    /// What it says, if it is a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(why) => Some(Refusal::of(why)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_words_are_taken_apart_and_made_fit_to_be_stored() {
        let refusal = Refusal::of("1644: caf\u{e9}\n\u{0}no");
        assert_eq!((refusal.number, refusal.message.as_str()), (1644, "caf???no"));
        assert_eq!(Refusal::of("no number: here").message, "no number: here");
        assert_eq!(Refusal::of(&"x".repeat(10_000)).message.len(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn each_kind_is_told_by_its_number() {
        let kind = |number| Refusal { number, message: String::new() }.kind();
        assert_eq!(kind(0), RefusalKind::TooLarge, "refused by us, for its size");
        assert_eq!(kind(1644), RefusalKind::Rule);
        assert_eq!(kind(1811), RefusalKind::Rule, "a trigger of SQLite");
        assert_eq!(kind(275), RefusalKind::Rule, "a CHECK of SQLite");
        assert_eq!(kind(1406), RefusalKind::Value);
        assert_eq!(kind(1054), RefusalKind::Other);
    }
}
