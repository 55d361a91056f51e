//! What this instance knows to be said: so that what is found again each second isn't put to the database each second.
//!
//! The database knows all of it. What is forgotten here is looked up there and found to be held back: it is neither said
//! twice nor lost.

use std::collections::BTreeMap;

use super::recent::Unread;
use super::usual::Usual;
use super::{Found, RuleKind};
use crate::alert::watch::Over;
use crate::store::CooldownKey;
use crate::timestamp::Timestamp;

/// Cooldowns remembered: about 2 MB.
const MAX_SAID: usize = 10_000;

/// What rules found and did within one transaction. Whoever commits that hands it to [`super::Rules::committed`]; it is
/// dropped with a transaction that is rolled back, and so nothing of it is taken for said.
#[must_use]
#[derive(Debug)]
pub struct Findings {
    pub(super) at: Timestamp,
    pub(super) quiet: Vec<(CooldownKey, Quiet)>,
    pub(super) outcomes: Vec<(RuleKind, &'static str, u64)>,
    pub(super) usual: Vec<Usual>,
    /// What has its turn in the next look.
    pub(super) left: Vec<Found>,
    /// What is judged in the next look.
    pub(super) unread: Unread,
    /// What is over, until it is said …
    pub(super) over: Box<Over>,
    /// … and that it was.
    pub(super) ended: bool,
}

impl Findings {
    pub(super) fn begun(over: Over, at: Timestamp) -> Self {
        let (quiet, outcomes, usual) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            at,
            quiet,
            outcomes,
            usual,
            left: Vec::new(),
            unread: Unread::default(),
            over: Box::new(over),
            ended: false,
        }
    }

    pub(super) fn count(&mut self, kind: RuleKind, outcome: &'static str, times: u64) {
        if times > 0 {
            self.outcomes.push((kind, outcome, times));
        }
    }
}

/// What is known to be quiet, without asking the database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    /// It says nothing before this …
    pub until: Timestamp,
    /// … and counts nothing before this.
    pub counts_from: Timestamp,
}

/// What this instance has said lately.
#[derive(Debug, Default)]
pub(super) struct Said {
    known: BTreeMap<CooldownKey, Quiet>,
    /// The time of what was remembered last.
    at: Timestamp,
}

impl Said {
    /// Looks everything up again.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// Looks everything up again where the clock was set back: what was said by one that was ahead is quiet for as long
    /// as that was, which the database knows better.
    pub fn begin(&mut self, now: Timestamp) {
        if now < self.at {
            self.forget();
        }
        self.at = now;
    }

    /// Whether there is nothing to do about a state that lasts.
    pub fn is_quiet(&self, found: &Found, key: &CooldownKey, now: Timestamp) -> bool {
        let quiet = self.known.get(key);
        found.each == 0 && quiet.is_some_and(|quiet| now < quiet.until && now < quiet.counts_from)
    }

    /// Whether it was said within its cooldown, as far as is known here.
    pub fn was_said(&self, key: &CooldownKey, now: Timestamp) -> bool {
        self.known.get(key).is_some_and(|quiet| now < quiet.until)
    }

    /// Remembers what is committed. Beyond the bound what may be said again soonest is forgotten.
    pub fn remember(&mut self, quiet: Vec<(CooldownKey, Quiet)>, now: Timestamp) {
        self.begin(now);
        self.known.extend(quiet);
        if self.known.len() > MAX_SAID {
            self.known.retain(|_, quiet| now < quiet.until);
        }
        if self.known.len() > MAX_SAID {
            let mut ends: Vec<Timestamp> = self.known.values().map(|quiet| quiet.until).collect();
            ends.sort_unstable();
            let edge = ends[ends.len() - MAX_SAID / 2];
            self.known.retain(|_, quiet| quiet.until >= edge);
            // Many that end at once.
            while self.known.len() > MAX_SAID {
                self.known.pop_last();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn of(number: usize, until: i64) -> (CooldownKey, Quiet) {
        let key = CooldownKey { project_id: 1, rule: "spike".to_owned(), group: number.to_string() };
        (key, Quiet { until: at(until), counts_from: at(until) })
    }

    #[test]
    fn what_a_clock_that_was_ahead_said_is_looked_up_again() {
        let mut said = Said::default();
        said.remember(vec![of(1, 7_200 + 900)], at(7_200));
        said.begin(at(7_201));
        assert!(said.was_said(&of(1, 0).0, at(7_201)));
        said.begin(at(1));
        assert!(!said.was_said(&of(1, 0).0, at(1)));
        said.remember(vec![of(2, 901)], at(1));
        said.remember(vec![of(3, 902)], at(2));
        assert!(said.was_said(&of(2, 0).0, at(2)), "it goes on by the time there is");
    }

    #[test]
    fn what_was_said_last_is_remembered_and_memory_is_bounded() {
        let mut said = Said::default();
        said.remember((0..MAX_SAID).map(|number| of(number, 900)).collect(), at(0));
        assert!(said.was_said(&of(0, 0).0, at(1)));
        said.remember(vec![of(MAX_SAID, 1_800)], at(1));
        assert!(said.known.len() <= MAX_SAID);
        assert!(said.was_said(&of(MAX_SAID, 0).0, at(1)), "the newest");
        said.remember((0..MAX_SAID).map(|number| of(number, 3_000)).collect(), at(2_000));
        assert_eq!(said.known.len(), MAX_SAID, "what is over went");
        for round in 0..20 {
            said.remember(
                (0..1_000).map(|number| of(20_000 + round * 1_000 + number, 4_000)).collect(),
                at(2_000),
            );
            assert!(said.known.len() <= MAX_SAID);
        }
    }
}
