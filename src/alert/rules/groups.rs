//! What was found, by project and rule, and what of it is to be said: a few messages each, then one for the rest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::said::{Findings, Quiet, Said};
use super::turns::in_turn;
use super::{Found, Setting};
use crate::store::{Cooldown, CooldownKey};
use crate::timestamp::Timestamp;

/// Messages of a rule that finds many things in a project, within its cooldown, before one message stands for the rest.
pub(super) const FEW: u64 = 3;
/// Of those things, how many are looked up one by one: enough to find a few that were not said.
const LOOKED_UP: usize = 6;
/// Of the others, of how many it is read whether they were said.
const MAX_READ: usize = 1_000;
/// A rule that has no cooldown counts its messages in a minute.
const LEAST_PERIOD_MS: i64 = 60_000;
/// Groups of findings that one look takes to the database, beside those that are not found again.
const MAX_GROUPS: usize = 300;

/// What one rule found in one project; the worst first where it finds many things.
pub(super) struct Group {
    pub rule: Arc<Setting>,
    pub found: Vec<Found>,
}

/// A message that may be said, and what stands behind it.
pub(super) struct Saying {
    /// What it says; more than one when it is about all of them.
    pub of: Vec<Found>,
    /// What it is said about.
    pub key: CooldownKey,
    /// Held back before, which it tells.
    pub suppressed: u64,
    /// How many messages of its rule and project come before it.
    pub rank: usize,
    /// Of a rule that finds many things: it is one of the few.
    pub is_single: bool,
    /// After it the rule says no more in the project until its cooldown is over.
    pub closes: bool,
}

impl Saying {
    /// Names exactly these findings.
    pub fn digest(&self) -> i64 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for found in &self.of {
            hash.update(found.group.as_bytes());
            hash.update(&found.slot.unwrap_or_default().to_be_bytes());
        }
        hash.digest().cast_signed()
    }
}

/// What is known of all that was looked up, as it changes.
pub(super) struct Ledger<'a> {
    pub now: Timestamp,
    before: BTreeMap<CooldownKey, Cooldown>,
    after: BTreeMap<CooldownKey, Cooldown>,
    rules: BTreeMap<CooldownKey, Arc<Setting>>,
    pub findings: &'a mut Findings,
}

/// By project and rule, in turns among the projects. What is known to be quiet is left out.
pub(super) fn groups(found: Vec<Found>, said: &Said, now: Timestamp) -> (Vec<Group>, Vec<Found>) {
    let mut all: BTreeMap<(i64, String), Group> = BTreeMap::new();
    let mut states: BTreeSet<CooldownKey> = BTreeSet::new();
    for found in found {
        let key = found.key();
        let is_known = said.is_quiet(&found, &key, now)
            || (found.is_one_of_many()
                && !said.was_said(&key, now)
                && said.is_quiet(&found, &found.more(), now));
        // Of two that say the same the first is said.
        let is_again = found.each == 0 && !states.insert(key.clone());
        if !is_known && !is_again {
            let none = || Group { rule: found.rule.clone(), found: Vec::new() };
            all.entry((key.project_id, key.rule)).or_insert_with(none).found.push(found);
        }
    }
    let mut all: Vec<Group> = all.into_values().collect();
    for group in &mut all {
        if group.finds_many() {
            // What was said lately is not among those few that are looked up.
            let was_said = |found: &Found| found.each == 0 && said.was_said(&found.key(), now);
            group.found.sort_by_key(|found| (was_said(found), Reverse(found.weight())));
        }
    }
    // The rules of a project in the order of their kinds.
    all.sort_by_key(|group| (group.project_id(), group.rule.kind));
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for group in in_turn(all, Group::project_id) {
        if taken.len() < MAX_GROUPS || group.happened_once() {
            taken.push(group);
        } else {
            left.extend(group.found);
        }
    }
    (taken, left)
}

impl Found {
    /// What its rule says about the rest in a project …
    pub(super) fn more(&self) -> CooldownKey {
        self.key_of(format!("{}:more", self.message.project_id))
    }

    /// … and where it counts its messages about one of many. Since when stands in `said_at`, how many in `suppressed`.
    fn few(&self) -> CooldownKey {
        self.key_of(format!("{}:few", self.message.project_id))
    }
}

impl Group {
    fn project_id(&self) -> i64 {
        self.found.first().map_or(0, |found| found.message.project_id)
    }

    pub fn finds_many(&self) -> bool {
        self.found.first().is_some_and(Found::is_one_of_many)
    }

    fn happened_once(&self) -> bool {
        self.found.iter().any(Found::happened_once)
    }

    /// What has to be known before anything of it is said.
    pub fn keys(&self) -> Vec<CooldownKey> {
        let looked_up = if self.finds_many() { LOOKED_UP } else { self.found.len() };
        let mut keys: Vec<CooldownKey> = self.found.iter().take(looked_up).map(Found::key).collect();
        for found in &self.found {
            keys.extend(found.silences.clone().map(|group| found.key_of(group)));
        }
        if let Some(found) = self.found.first().filter(|found| found.is_one_of_many()) {
            keys.extend([found.more(), found.few()]);
        }
        keys
    }

    /// What is read besides and not held: whether the others were said lately. Who says one of them holds what counts the
    /// messages of all.
    pub fn other_keys(&self) -> Vec<CooldownKey> {
        let others = self.found.iter().skip(LOOKED_UP).take(MAX_READ);
        others.filter(|found| found.is_one_of_many() && found.each == 0).map(Found::key).collect()
    }

    /// What of it may be said; what is held back is counted.
    pub fn decide(self, ledger: &mut Ledger<'_>) -> Vec<Saying> {
        if self.finds_many() {
            return self.decide_many(ledger);
        }
        let mut sayings = Vec::new();
        for (rank, found) in self.found.into_iter().enumerate() {
            let key = found.key();
            if !ledger.hold_back(&found, &key) {
                let suppressed = ledger.of(&key).suppressed + found.each.saturating_sub(1);
                sayings.push(Saying {
                    of: vec![found],
                    key,
                    suppressed,
                    rank,
                    is_single: false,
                    closes: false,
                });
            }
        }
        sayings
    }

    fn decide_many(self, ledger: &mut Ledger<'_>) -> Vec<Saying> {
        let mut unsaid = Vec::new();
        let (mut known, mut again) = (0, Vec::new());
        for (place, found) in self.found.into_iter().enumerate() {
            if place >= LOOKED_UP {
                let was_said = found.each == 0 && ledger.is_held_back(&found, &found.key());
                if was_said { again.push(found) } else { unsaid.push(found) }
            } else if !ledger.hold_back(&found, &found.key()) {
                unsaid.push(found);
                known += 1;
            }
        }
        let Some(worst) = unsaid.first().or(again.first()) else { return Vec::new() };
        let (more, few) = (worst.more(), worst.few());
        let lasts = worst.each == 0;
        let is_held_back = unsaid.is_empty() || (lasts && ledger.is_held_back(worst, &more));
        // Those that are not held by themselves are counted with the rest.
        let held_back = again.len() + if is_held_back { unsaid.len() } else { 0 };
        if held_back > 0 {
            ledger.count(worst, &more, held_back as u64, "suppressed");
        }
        if is_held_back {
            return Vec::new();
        }
        let used = ledger.used(&few, &self.rule);
        let left = usize::try_from(FEW.saturating_sub(used)).unwrap_or(0);
        let singles = match unsaid.len() {
            all if all <= left => all,
            1 => 1,
            _ => usize::from(used == 0),
        };
        let rest = unsaid.split_off(singles.min(known));
        // What was held back of the rest is told by whatever is said next.
        let mut suppressed = ledger.of(&more).suppressed;
        let mut sayings = Vec::new();
        for (rank, found) in unsaid.into_iter().enumerate() {
            let key = found.key();
            let held_back = ledger.of(&key).suppressed + std::mem::take(&mut suppressed);
            let closes = lasts && left == 0;
            sayings.push(Saying {
                of: vec![found],
                key,
                suppressed: held_back,
                rank,
                is_single: true,
                closes,
            });
        }
        if !rest.is_empty() {
            let rank = sayings.len();
            sayings.push(Saying { of: rest, key: more, suppressed, rank, is_single: false, closes: lasts });
        }
        sayings
    }
}

impl<'a> Ledger<'a> {
    pub fn new(
        groups: &[Group],
        before: BTreeMap<CooldownKey, Cooldown>,
        now: Timestamp,
        findings: &'a mut Findings,
    ) -> Self {
        let rules =
            groups.iter().flat_map(|group| group.keys().into_iter().map(|key| (key, group.rule.clone())));
        Self { now, after: before.clone(), rules: rules.collect(), before, findings }
    }

    fn of(&self, key: &CooldownKey) -> Cooldown {
        self.after.get(key).copied().unwrap_or(Cooldown::NEVER)
    }

    fn at(&mut self, key: &CooldownKey) -> &mut Cooldown {
        self.after.entry(key.clone()).or_insert(Cooldown::NEVER)
    }

    /// Messages of the few that were said in the rule's cooldown.
    fn used(&self, few: &CooldownKey, rule: &Setting) -> u64 {
        let known = self.of(few);
        let since = self.now.as_millis() - known.said_at.as_millis();
        if (0..rule.cooldown_ms().max(LEAST_PERIOD_MS)).contains(&since) { known.suppressed } else { 0 }
    }

    fn is_held_back(&self, found: &Found, key: &CooldownKey) -> bool {
        found.rule.is_held_back(&self.of(key), self.now)
    }

    /// Whether something is said to be quiet, in which case it is counted.
    fn hold_back(&mut self, found: &Found, key: &CooldownKey) -> bool {
        let is_held_back = self.is_held_back(found, key);
        if is_held_back {
            self.count(found, key, 1, "suppressed");
        }
        is_held_back
    }

    /// Counts so many things like this one that were found and not said.
    fn count(&mut self, found: &Found, key: &CooldownKey, number: u64, outcome: &'static str) {
        let now = self.now;
        let known = self.at(key);
        let times = found.held_back(known, now) * number;
        if times > 0 {
            known.suppressed += times;
            known.found_at = now;
            self.findings.count(found.rule.kind, outcome, times);
        }
    }

    /// A message was said, by somebody at least.
    pub fn said(&mut self, saying: &Saying) {
        let now = self.now;
        let Some(found) = saying.of.first() else { return };
        *self.at(&saying.key) = Cooldown { said_at: now, found_at: now, suppressed: 0 };
        if let Some(group) = &found.silences {
            let other = self.at(&found.key_of(group.clone()));
            (other.said_at, other.found_at) = (now, now);
        }
        if !found.is_one_of_many() {
            return;
        }
        let more = self.at(&found.more());
        more.suppressed = 0;
        if saying.closes {
            (more.said_at, more.found_at) = (now, now);
        }
        if saying.is_single {
            let (few, used) = (found.few(), self.used(&found.few(), &found.rule));
            let few = self.at(&few);
            let said_at = if used == 0 { now } else { few.said_at };
            *few = Cooldown { said_at, found_at: now, suppressed: used + 1 };
        }
    }

    /// There was no room for a message.
    pub fn lost(&mut self, saying: &Saying) {
        let key = match saying.of.first() {
            Some(found) if found.is_one_of_many() => found.more(),
            _ => saying.key.clone(),
        };
        if let Some(found) = saying.of.first() {
            self.count(found, &key, saying.of.len() as u64, "lost");
        }
    }

    /// What has changed, to be written; what of it is quiet now is among the findings.
    pub fn close(self) -> BTreeMap<CooldownKey, Cooldown> {
        for (key, known) in &self.after {
            let Some(rule) = self.rules.get(key).filter(|_| !key.group.ends_with(":few")) else { continue };
            let until = known.said_at.plus_millis(rule.cooldown_ms());
            let counts_from = known.found_at.plus_millis(i64::from(rule.window_sec) * 1_000);
            if rule.is_held_back(known, self.now) {
                self.findings.quiet.push((key.clone(), Quiet { until, counts_from }));
            }
        }
        let before = self.before;
        self.after.into_iter().filter(|(key, known)| before.get(key) != Some(known)).collect()
    }
}
