//! What is usual, remembered for a while: what comes often all day is not worth reading an hour of counts each second.
//!
//! What was read once bounds what would be read now: of the time that says what is usual only its beginning has gone
//! meanwhile, and only what came since can have been added. A verdict by these bounds is the verdict of the counts.

use std::collections::BTreeMap;

use super::look::usual_in;
use crate::alert::spike::is_spike;

/// Seconds for which something read is worth something.
const VALID_SEC: i64 = 300;
/// Seconds at the beginning that may be gone by then; counts of past time stand at the start of their minute.
pub(super) const GONE_SEC: i64 = VALID_SEC + 60;
/// What is remembered at most: about 3 MB. What is beyond is read each time, within the bounds of a look.
const MAX_KNOWN: usize = 20_000;

/// What is counted: an issue, or with `None` the errors of a project.
pub(super) type Counted = (i64, Option<i64>);

/// What was read of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    pub what: Counted,
    /// The bucket of that time.
    pub read_at: i64,
    /// Events in the window that ended then.
    pub inside: i64,
    /// Events in the time before it.
    pub before: i64,
    /// Those of them that were not among the first [`GONE_SEC`] seconds.
    pub lasting: i64,
    /// All events there ever were, where that is known.
    pub total: Option<i64>,
}

/// A count to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Events in the window.
    pub count: i64,
    /// All events there ever were, where that is known.
    pub total: Option<i64>,
    /// Seconds of the window.
    pub window: i64,
    /// Minutes awake in the time before it.
    pub minutes: i64,
    /// Fewer are never a spike.
    pub least: u32,
}

/// Whether a count is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not, as there were so many events in the time before at least.
    Usual(i64),
    /// It is, with about so many events in the time before.
    Unusual(i64),
    /// The counts have to be asked.
    Unknown,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Usuals(BTreeMap<Counted, Usual>);

impl Usuals {
    /// Reads everything again.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Remembers what was read in a transaction that is committed.
    pub fn remember(&mut self, read: Vec<Usual>) {
        let Some(now) = read.iter().map(|one| one.read_at).max() else { return };
        if self.0.len() + read.len() > MAX_KNOWN {
            self.0.retain(|_, known| known.is_valid(now));
        }
        for one in read {
            if self.0.len() < MAX_KNOWN || self.0.contains_key(&one.what) {
                self.0.insert(one.what, one);
            }
        }
    }

    /// Judges a count at this bucket by what is remembered.
    pub fn judge(&self, what: Counted, now: i64, judged: Judged) -> Verdict {
        let known = self.0.get(&what).filter(|known| known.is_valid(now));
        let is_spike = |before: i64| {
            let usual = usual_in(judged.window, before, judged.minutes);
            is_spike(u64::try_from(judged.count).unwrap_or(0), usual, u64::from(judged.least))
        };
        let least = known.map_or(0, |known| known.lasting);
        if !is_spike(least) {
            return Verdict::Usual(least);
        }
        match (known, judged.total) {
            // Less than what is counted it has where its issue was deleted meanwhile.
            (None, Some(total)) if total == judged.count => Verdict::Unusual(0),
            (Some(Usual { before, inside, total: Some(then), .. }), Some(total)) => {
                if total < *then {
                    return Verdict::Unknown;
                }
                let most = before + inside + total - then - judged.count;
                if is_spike(most.max(*before)) { Verdict::Unusual(*before) } else { Verdict::Unknown }
            }
            _ => Verdict::Unknown,
        }
    }
}

impl Usual {
    const fn is_valid(&self, now: i64) -> bool {
        self.read_at <= now && now - self.read_at < VALID_SEC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(count: i64, total: i64) -> Judged {
        Judged { count, total: Some(total), window: 60, minutes: 59, least: 5 }
    }

    fn of(number: i64, read_at: i64) -> Usual {
        let what = (1, Some(number));
        Usual { what, read_at, inside: 10, before: 590, lasting: 550, total: Some(5_000) }
    }

    #[test]
    fn a_count_is_judged_without_reading_only_where_the_bounds_leave_no_doubt() {
        let mut usuals = Usuals::default();
        let what = (1, Some(7));
        assert_eq!(usuals.judge(what, 1_000, judged(4, 4)), Verdict::Usual(0));
        assert_eq!(usuals.judge(what, 1_000, judged(5, 5)), Verdict::Unusual(0), "it is new");
        assert_eq!(usuals.judge(what, 1_000, judged(5, 600)), Verdict::Unknown);
        assert_eq!(usuals.judge(what, 1_000, judged(15, 5)), Verdict::Unknown, "the issue was deleted");
        usuals.remember(vec![of(7, 1_000)]);
        assert_eq!(
            usuals.judge(what, 1_010, judged(12, 5_002)),
            Verdict::Usual(550),
            "ten a minute are usual"
        );
        assert_eq!(usuals.judge(what, 1_010, judged(100, 5_090)), Verdict::Unusual(590));
        assert_eq!(
            usuals.judge(what, 1_010, judged(34, 5_025)),
            Verdict::Unknown,
            "near three times as many"
        );
        assert_eq!(usuals.judge(what, 1_300, judged(12, 5_060)), Verdict::Unknown, "too long ago");
        assert_eq!(usuals.judge(what, 990, judged(12, 5_002)), Verdict::Unknown, "the clock was set back");
    }

    #[test]
    fn memory_is_bounded_and_what_is_too_old_makes_room() {
        let mut usuals = Usuals::default();
        usuals.remember((0..30_000).map(|number| of(number, 1_000)).collect());
        assert_eq!(usuals.0.len(), MAX_KNOWN);
        usuals.remember(vec![of(40_000, 1_400)]);
        assert_eq!(usuals.0.len(), 1);
    }
}
