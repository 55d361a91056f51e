//! What rules count of a fold's blocks themselves, because the counts of levels and issues don't know it: queries, and
//! errors of some environments or issues. Read before the fold's transaction, outside of it, within bounds of bytes and
//! time; what is beyond them is left out and said so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{RuleKind, RuleSet, Rules, Setting, check_query, setting};
use crate::alert::text::cut;
use crate::block::BlockHeader;
use crate::block::decode::{Inflater, StoredEvent, lines};
use crate::event::Level;
use crate::project::ProjectRef;
use crate::search::event_filter::{Criteria, EventFilter, LevelSet};
use crate::search::language::ProjectName;
use crate::search::scan::for_each_admitted_line;
use crate::search::workers;
use crate::store::{FoldPiece, RecentBlock, RuleCount, RuleCountKey, Store, StoreError, bucket};
use crate::timestamp::Timestamp;

/// Bytes of blocks, inflated, that are looked through for one fold.
const MAX_BYTES: u64 = 16 << 20;
/// Time for that, waiting for the database and for a thread included.
const MAX_TIME: Duration = Duration::from_millis(500);
/// Blocks read at once.
const AT_ONCE: usize = 8;
/// Events tested between two looks at the clock: a regular expression may take a millisecond for each.
const BETWEEN_LOOKS: usize = 16;
/// Characters of a matching event's message that are kept, one for each query.
const MAX_SAMPLE: usize = 1_000;

/// Counts by block, under the rules of one version.
#[derive(Debug, Default)]
pub struct Tested {
    version: Option<i64>,
    counts: HashMap<Uuid, BTreeMap<RuleCountKey, RuleCount>>,
    /// The message of an event that matched, by project and query.
    samples: HashMap<(i64, i64), String>,
}

impl Tested {
    /// Whether it was made under the rules of this version.
    #[must_use]
    pub fn is_of(&self, version: i64) -> bool {
        self.version == Some(version)
    }

    /// The message of an event of this fold that a project's query matched.
    pub(super) fn sample(&self, project_id: i64, rule_id: i64) -> Option<&str> {
        self.samples.get(&(project_id, rule_id)).map(String::as_str)
    }

    /// What was counted of some of the blocks.
    #[must_use]
    pub fn of_blocks(&self, blocks: &[&FoldPiece]) -> BTreeMap<RuleCountKey, RuleCount> {
        let mut sums = BTreeMap::new();
        let counts = blocks.iter().filter_map(|piece| self.counts.get(&piece.block.block_id));
        for (key, count) in counts.flatten() {
            *sums.entry(*key).or_insert_with(RuleCount::default) += *count;
        }
        sums
    }
}

/// One rule made ready for the events of one project.
struct RuleTest {
    rule: Arc<Setting>,
    rule_id: i64,
    filter: EventFilter,
    /// All events of the rule's environments are counted too, for the share.
    counts_all: bool,
}

impl RuleTest {
    fn new(rule: &Arc<Setting>, project_id: i64, projects: &Arc<[ProjectName]>) -> Option<Self> {
        let setting::RuleId::Stored(rule_id) = rule.id else { return None };
        // From the start of time: what it counts was received now, whatever its own clock says.
        let mut criteria = Criteria::between(Timestamp::from_millis(0), Timestamp::LAST);
        let errors = || [Level::Error, Level::Fatal].into_iter().collect::<LevelSet>();
        criteria.levels = if rule.kind == RuleKind::ErrorRate {
            Some(rule.levels.unwrap_or_else(errors))
        } else {
            rule.levels
        };
        criteria.envs.clone_from(&rule.environments.include);
        criteria.fingerprint = match rule.issues.include.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        if rule.kind == RuleKind::Query {
            // It was read when it was saved; a version that reads it otherwise leaves it out.
            criteria.text = check_query(&rule.q).ok()?;
        }
        (criteria.project_id, criteria.projects) = (Some(project_id), projects.clone());
        criteria.narrow();
        let filter = EventFilter::new(criteria);
        let counts_all = rule.kind == RuleKind::ErrorRate && rule.share.is_some();
        Some(Self { rule: rule.clone(), rule_id, filter, counts_all })
    }

    /// The levels it counts, where it asks for nothing else: then the block's own counts tell.
    fn is_of_levels(&self) -> bool {
        self.filter.is_of_counts()
            && self.rule.environments.is_all()
            && self.rule.issues.is_all()
            && !self.counts_all
    }

    fn of_levels(&self, piece: &FoldPiece, counts: &mut BTreeMap<RuleCountKey, RuleCount>) {
        let levels = self.filter.criteria().levels;
        for (level, bucket, events) in &piece.levels {
            if levels.is_none_or(|levels| levels.contains(*level)) {
                let key = RuleCountKey {
                    project_id: piece.block.project_id,
                    rule_id: self.rule_id,
                    bucket: *bucket,
                };
                counts.entry(key).or_default().matched += i64::from(*events);
            }
        }
    }

    fn admits(&self, header: &BlockHeader) -> bool {
        self.counts_all || self.filter.admits(header)
    }

    /// Counts the events of an inflated body; false when the time was over before its end.
    fn count(&self, raw: &[u8], project_id: i64, until: Instant, counted: &mut Counted) -> bool {
        let (mut tested, mut in_time) = (0, true);
        let mut visit = |line: &[u8]| {
            tested += 1;
            if tested % BETWEEN_LOOKS == 0 && in_time {
                in_time = Instant::now() < until;
            }
            let Some(event) = in_time.then(|| StoredEvent::parse(line).ok()).flatten() else { return };
            if !self.rule.environments.admits(&event.env) {
                return;
            }
            let matched = self.filter.matches_event(&event) && self.rule.issues.admits(event.fingerprint);
            if matched && self.rule.kind == RuleKind::Query {
                let key = (project_id, self.rule_id);
                counted.samples.entry(key).or_insert_with(|| cut(&event.message, MAX_SAMPLE));
            }
            if matched || self.counts_all {
                let bucket = bucket(event.id.batch.received_at());
                let count = counted
                    .counts
                    .entry(RuleCountKey { project_id, rule_id: self.rule_id, bucket })
                    .or_default();
                count.matched += i64::from(matched);
                count.seen += i64::from(self.counts_all);
            }
        };
        if self.counts_all {
            lines(raw).for_each(&mut visit);
        } else {
            for_each_admitted_line(raw, &self.filter, &mut visit);
        }
        in_time
    }
}

/// The tests of each project that has any.
type Tests = HashMap<i64, Arc<Vec<RuleTest>>>;

impl Rules {
    /// Counts what the rules as last read count of these blocks themselves. Where no rule does, nothing is read.
    pub async fn test(&self, store: &Store, pieces: &[FoldPiece]) -> Tested {
        let set = self.book().current();
        let mut tested = Tested { version: Some(set.version()), ..Tested::default() };
        let tests = self.tests(&set, pieces);
        if tests.is_empty() {
            return tested;
        }
        let mut to_read = Vec::new();
        for piece in pieces {
            let Some(tests) = tests.get(&piece.block.project_id) else { continue };
            let counts = tested.counts.entry(piece.block.block_id).or_default();
            tests.iter().filter(|test| test.is_of_levels()).for_each(|test| test.of_levels(piece, counts));
            if tests.iter().any(|test| !test.is_of_levels()) {
                let (project_id, id) = (piece.block.project_id, piece.block.block_id);
                to_read.push(RecentBlock { project_id, id, events: piece.events });
            }
        }
        let mut done: HashSet<Uuid> = HashSet::new();
        let until = Instant::now() + MAX_TIME;
        let reading = read(store, &tests, &to_read, until, &mut tested, &mut done);
        match tokio::time::timeout(MAX_TIME, reading).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!(%error, "blocks could not be read for alert rules"),
        }
        self.note_blocks(done.len(), to_read.len() - done.len());
        tested
    }

    fn note_blocks(&self, tested: usize, skipped: usize) {
        self.outbox.rules().count_blocks(tested, skipped);
        if skipped > 0 && self.warned.blocks.is_due() {
            tracing::warn!(
                skipped,
                tested,
                "blocks were not looked through for alert rules: there were too many"
            );
        }
    }

    fn tests(&self, set: &RuleSet, pieces: &[FoldPiece]) -> Tests {
        let mut tests = Tests::new();
        let mut projects: Vec<i64> = pieces.iter().map(|piece| piece.block.project_id).collect();
        projects.sort_unstable();
        projects.dedup();
        for project_id in projects {
            let rules = set.counting(project_id);
            if rules.is_empty() {
                continue;
            }
            let known = self.directory.project(&ProjectRef::Id(project_id));
            let named =
                known.map(|project| ProjectName { id: project_id, slug: project.slug.as_str().to_owned() });
            let slugs: Arc<[ProjectName]> = named.into_iter().collect();
            let ready = rules.iter().filter_map(|rule| RuleTest::new(rule, project_id, &slugs)).collect();
            tests.insert(project_id, Arc::new(ready));
        }
        tests
    }
}

/// Reads blocks and counts their events, as far as bytes and time go; `done` has those that were looked through whole.
async fn read(
    store: &Store,
    tests: &Tests,
    blocks: &[RecentBlock],
    until: Instant,
    tested: &mut Tested,
    done: &mut HashSet<Uuid>,
) -> Result<(), StoreError> {
    if blocks.is_empty() {
        return Ok(());
    }
    let headers = store.read().await?.headers_of(blocks).await?;
    let asked = |header: &BlockHeader| {
        tests
            .get(&header.project_id)
            .is_some_and(|tests| tests.iter().any(|test| !test.is_of_levels() && test.admits(header)))
    };
    let (wanted, without): (Vec<BlockHeader>, Vec<BlockHeader>) = headers.into_iter().partition(asked);
    done.extend(without.iter().map(|header| header.id));
    let mut bytes = 0;
    for headers in wanted.chunks(AT_ONCE) {
        let fitting: Vec<BlockHeader> = headers
            .iter()
            .filter(|header| {
                bytes += u64::from(header.raw_bytes);
                bytes <= MAX_BYTES
            })
            .cloned()
            .collect();
        if fitting.is_empty() || Instant::now() >= until {
            break;
        }
        let ids: Vec<(i64, Uuid)> = fitting.iter().map(|header| (header.project_id, header.id)).collect();
        let bodies: HashMap<Uuid, Vec<u8>> = store.read().await?.bodies_of(&ids).await?.into_iter().collect();
        let tests: HashMap<i64, Arc<Vec<RuleTest>>> = tests.clone();
        let counted = workers::start(move |inflater| count_all(&fitting, &bodies, &tests, until, inflater))
            .done()
            .await?;
        for Counted { block, counts, samples, whole } in counted {
            let sums = tested.counts.entry(block).or_default();
            for (key, count) in counts {
                *sums.entry(key).or_default() += count;
            }
            tested.samples.extend(samples);
            if whole {
                done.insert(block);
            }
        }
    }
    Ok(())
}

/// What was counted of one block.
struct Counted {
    block: Uuid,
    counts: BTreeMap<RuleCountKey, RuleCount>,
    samples: HashMap<(i64, i64), String>,
    /// Whether it was looked through to its end.
    whole: bool,
}

fn count_all(
    headers: &[BlockHeader],
    bodies: &HashMap<Uuid, Vec<u8>>,
    tests: &Tests,
    until: Instant,
    inflater: &mut Inflater,
) -> Vec<Counted> {
    let mut all = Vec::with_capacity(headers.len());
    for header in headers {
        let (Some(body), Some(tests)) = (bodies.get(&header.id), tests.get(&header.project_id)) else {
            continue;
        };
        let raw = match inflater.inflate(header.codec, header.raw_bytes, body) {
            Ok(raw) => raw,
            Err(error) => {
                tracing::error!(%error, block = %header.id, "a block can't be read");
                continue;
            }
        };
        let (counts, samples) = (BTreeMap::new(), HashMap::new());
        let mut counted = Counted { block: header.id, counts, samples, whole: true };
        for test in tests.iter().filter(|test| !test.is_of_levels() && test.admits(header)) {
            let in_time = Instant::now() < until && test.count(raw, header.project_id, until, &mut counted);
            counted.whole &= in_time;
        }
        all.push(counted);
    }
    all
}
