//! The rest in one message: what of a rule and project is too much to be said one by one.

use super::{Found, Rules};
use crate::alert::AlertMessage;
use crate::timestamp::Timestamp;

/// Titles that are named; the rest is a number.
const MAX_NAMED: usize = 5;

/// `37 more issues`.
fn counted(number: usize) -> String {
    if number == 1 { "1 more issue".to_owned() } else { format!("{number} more issues") }
}

/// `37 more issues are new` and the first of them by name; `None` for none.
pub(super) fn more_are_new<'a>(titles: impl Iterator<Item = &'a str>) -> Option<String> {
    let titles: Vec<&str> = titles.collect();
    let are = if titles.len() == 1 { "is" } else { "are" };
    (!titles.is_empty()).then(|| format!("{} {are} new:\n{}", counted(titles.len()), named(&titles)))
}

fn named(titles: &[&str]) -> String {
    let mut lines: Vec<String> = titles.iter().take(MAX_NAMED).map(|title| format!("- {title}")).collect();
    if titles.len() > MAX_NAMED {
        lines.push(format!("and {} more", titles.len() - MAX_NAMED));
    }
    lines.join("\n")
}

impl Rules {
    /// The page with a project's issues, where `PUBLIC_URL` is known.
    pub(super) fn issues_link(&self, project: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}/ui/issues?project={project}"))
    }

    /// One message for all of these, of one rule and project, the worst first; `None` for none.
    pub(super) fn summed_up(&self, found: &[Found], now: Timestamp) -> Option<AlertMessage> {
        let (worst, project_id) = found.first().map(|found| (found, found.message.project_id))?;
        let mut message = self.message(&worst.rule, project_id, &counted(found.len()), now);
        let each = || found.iter().map(|found| &found.message);
        let titles: Vec<&str> = each().map(|message| message.title.as_str()).collect();
        message.sample = Some(named(&titles));
        message.level = each().filter_map(|message| message.level).max();
        message.count = Some(each().filter_map(|message| message.count).sum());
        message.window_seconds = worst.message.window_seconds;
        message.first_seen = each().filter_map(|message| message.first_seen).min();
        message.last_seen = each().filter_map(|message| message.last_seen).max();
        // Late if all of it is.
        let until: Option<Vec<Timestamp>> = each().map(|message| message.received_until).collect();
        message.received_until = until.and_then(|until| until.into_iter().max());
        message.link = self.issues_link(&message.project);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_rest_is_a_number() {
        assert_eq!(more_are_new([].into_iter()), None);
        assert_eq!(more_are_new(["a"].into_iter()).as_deref(), Some("1 more issue is new:\n- a"));
        let seven = more_are_new(["a", "b", "c", "d", "e", "f", "g"].into_iter());
        assert_eq!(seven.as_deref(), Some("7 more issues are new:\n- a\n- b\n- c\n- d\n- e\nand 2 more"));
    }
}
