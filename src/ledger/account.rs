//! One account of the ledger: an hour, a project or all of them, with both sums and whether they hold.

use std::collections::BTreeMap;

use super::{Entry, Kind};

/// Numbers by kind and reason, and what else is needed for the sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    written: BTreeMap<(Kind, String), i64>,
    /// Events in blocks that are committed and not yet folded.
    pub unfolded: i64,
    /// Events in this instance's spool.
    pub in_spool: i64,
    /// Events in the blocks of the database, counted there.
    pub in_blocks: i64,
    /// Events that other instances told a moment ago to have in their spools.
    pub told_elsewhere: i64,
}

impl Account {
    /// Adds a stored entry; a name this version doesn't know is left out.
    pub fn add(&mut self, name: &str, amount: i64) {
        if let Some((kind, reason)) = Entry::parse(name) {
            *self.written.entry((kind, reason.to_owned())).or_default() += amount;
        }
    }

    /// Adds another account.
    pub fn merge(&mut self, other: &Self) {
        for (key, amount) in &other.written {
            *self.written.entry(key.clone()).or_default() += amount;
        }
        self.unfolded += other.unfolded;
        self.in_spool += other.in_spool;
        self.in_blocks += other.in_blocks;
        self.told_elsewhere += other.told_elsewhere;
    }

    /// What was written of a kind, over all reasons.
    #[must_use]
    pub fn sum(&self, kind: Kind) -> i64 {
        self.of_kind(kind).map(|(_, amount)| amount).sum()
    }

    /// What was written of a kind by reason.
    pub fn reasons(&self, kind: Kind) -> impl Iterator<Item = (&str, i64)> {
        self.of_kind(kind).filter(|(_, amount)| *amount != 0)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&str, i64)> {
        let ours = self.written.iter().filter(move |((one, _), _)| *one == kind);
        ours.map(|((_, reason), amount)| (reason.as_str(), *amount))
    }

    /// Events committed to the database or the spool: of folded blocks, of blocks about to be folded, of the spool.
    #[must_use]
    pub fn accepted(&self) -> i64 {
        self.sum(Kind::Accepted) + self.unfolded + self.in_spool
    }

    /// Events received: those accepted, and those that were read and not committed.
    #[must_use]
    pub fn received(&self) -> i64 {
        self.accepted() + self.sum(Kind::Read) - self.sum(Kind::Committed)
    }

    /// The first sum: accepted + duplicate + rejected + limited + refused.
    #[must_use]
    pub fn accounted_received(&self) -> i64 {
        let rest = [Kind::Duplicate, Kind::Rejected, Kind::Limited, Kind::Refused];
        self.accepted() + rest.map(|kind| self.sum(kind)).iter().sum::<i64>()
    }

    /// The second sum: accepted − purged − deleted − in spool − quarantined.
    #[must_use]
    pub fn accounted_stored(&self) -> i64 {
        let gone = [Kind::Purged, Kind::Deleted, Kind::Quarantined];
        self.accepted() - self.in_spool - gone.map(|kind| self.sum(kind)).iter().sum::<i64>()
    }

    /// Events that writers saw committed and that are neither in the database nor in this instance's spool.
    fn absent(&self) -> i64 {
        (self.sum(Kind::Committed) - self.accepted()).max(0)
    }

    /// Those of the absent that wait in the spools of other instances, as these told. Never more than are absent: an event
    /// that has come into the database since it was told of is not counted twice.
    #[must_use]
    pub fn in_other_spools(&self) -> i64 {
        self.told_elsewhere.min(self.absent())
    }

    /// Events that writers saw committed and that are nowhere: in a spool whose instance is not heard of, or lost with one.
    #[must_use]
    pub fn missing(&self) -> i64 {
        self.absent() - self.in_other_spools()
    }

    /// Events that are accepted although no writer came to say so: what a process counted in its last second before it
    /// was killed.
    #[must_use]
    pub fn uncounted(&self) -> i64 {
        (self.accepted() - self.sum(Kind::Committed)).max(0)
    }

    /// Whether both sums hold and nothing is missing.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.received() == self.accounted_received()
            && self.in_blocks == self.accounted_stored()
            && self.missing() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(entries: &[(&str, i64)]) -> Account {
        let mut account = Account::default();
        for (name, amount) in entries {
            account.add(name, *amount);
        }
        account
    }

    #[test]
    fn an_account_is_balanced_when_both_sums_hold_and_nothing_is_missing() {
        let mut one = account(&[
            ("read", 20),
            ("committed", 12),
            ("accepted", 6),
            ("duplicate", 3),
            ("rejected:message_missing", 1),
            ("rejected:not_an_object", 1),
            ("limited:rate_limited_project", 1),
            ("refused:overloaded", 2),
            ("requests:unauthorized", 9),
            ("purged", 2),
            ("deleted:filter", 1),
            ("quarantined", 1),
            ("fold:abc", 77),
        ]);
        one.unfolded = 4;
        one.in_spool = 2;
        one.in_blocks = 6;
        assert_eq!((one.accepted(), one.received(), one.accounted_received()), (12, 20, 20));
        assert_eq!(one.accounted_stored(), 6);
        assert!(one.is_balanced());
        assert_eq!(one.reasons(Kind::Rejected).count(), 2);
        let mut lost = one.clone();
        lost.in_spool = 1;
        assert_eq!((lost.missing(), lost.is_balanced()), (1, false), "what was in a spool is gone");
        lost.told_elsewhere = 5;
        assert_eq!(
            (lost.in_other_spools(), lost.missing()),
            (1, 0),
            "another instance told of more, of late"
        );
        assert!(lost.is_balanced());
        one.told_elsewhere = 5;
        assert_eq!(
            (one.in_other_spools(), one.accepted()),
            (0, 12),
            "told of before it came into the database"
        );
        one.told_elsewhere = 0;
        let mut altered = one.clone();
        altered.in_blocks = 5;
        assert!(!altered.is_balanced(), "a block went without a word");
        let mut killed = one.clone();
        killed.add("accepted", 5);
        killed.in_blocks += 5;
        assert_eq!(
            (killed.uncounted(), killed.is_balanced()),
            (5, true),
            "a kill before the tally was written"
        );
        one.add("duplicate", 1);
        assert!(!one.is_balanced(), "an event with two outcomes");
    }
}
