//! The pipeline of one batch, one line a step: limit, inflate, parse, limit, scrub, name, encode, queue, wait.
//!
//! It starts with a verified sender and ends with an answer that is true: accepted means committed. The database's work
//! belongs to the writer slots, so a client that goes away changes nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::block::EncodedBatch;
use crate::block::encode::BatchEncoder;
use crate::clock::Clock;
use crate::config::Limits;
use crate::error::{ApiError, Rejection};
use crate::event::{BatchId, Event};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::limit::Limiter;
use crate::memory::{BUDGET_WAIT, Budget, QUEUE_BUDGET_BYTES, Reservation};
use crate::outcome::Outcomes;
use crate::project::Project;
use crate::protocol::inflate::inflate;
use crate::protocol::{ParseRules, ParsedBatch, cut_to_size, native};
use crate::scrub::Scrubber;
use crate::timestamp::Timestamp;
use crate::write::{BatchKeys, IssueTitle, SeedTexts, Submission, WriteOutcome, WriteQueue, makes_issues};

/// Longest a client waits from the end of its body to its answer, room in memory and commit included; the batch may
/// still be stored after it, under the same id.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4_800);
/// Seconds a client is told to wait when there is no room.
const OVERLOADED_RETRY: u32 = 1;
/// Seconds a client is told to wait while the database is away.
const STORAGE_RETRY: u32 = 5;
/// Bodies larger than this are worked on off the async threads.
const INLINE_BYTES: usize = 256 * 1024;
/// Events further than this from their receipt stand in blocks of their own.
const LATE_MS: i64 = 3_600_000;
/// Bytes an event takes in the queue beside its line.
const EVENT_OVERHEAD_BYTES: usize = 128;

/// How many times its size a compressed body is likely to have at most.
const LIKELY_INFLATION: usize = 16;
/// And how many bytes, however small it is.
const LIKELY_INFLATED_BYTES: usize = 64 * 1024;

/// A body with the room it takes.
#[derive(Debug)]
pub struct IncomingBody {
    /// As sent.
    pub bytes: Bytes,
    /// `Content-Encoding`.
    pub encoding: Option<String>,
    /// Room in the body budget.
    pub room: Reservation,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredIn {
    /// In the database.
    Database,
    /// In the spool, on its way there.
    Spool,
}

impl StoredIn {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Spool => "spool",
        }
    }
}

/// What a sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Events in the batch.
    pub received: u32,
    /// Events stored, now or before.
    pub accepted: u32,
    /// Events refused for themselves.
    pub rejected: Vec<Rejection>,
    /// The batch was stored before.
    pub duplicate: bool,
    /// Where it is.
    pub stored: StoredIn,
}

/// The pipeline.
pub struct Ingest {
    limits: Limits,
    clock: Clock,
    limiter: Arc<Limiter>,
    queue: Arc<WriteQueue>,
    queue_budget: Budget,
    outcomes: Outcomes,
}

/// A batch that was read and charged.
struct Prepared {
    received: u32,
    rejected: Vec<Rejection>,
    /// Events that are not refused for themselves.
    acceptable: u32,
    /// Those events ready for the queue, or why the project may not send them now.
    content: Result<Content, ApiError>,
}

/// What goes into the queue.
struct Content {
    body_hash: [u8; 16],
    parts: Vec<EncodedBatch>,
    titles: Vec<IssueTitle>,
}

impl Ingest {
    /// A pipeline that ends in `queue`.
    #[must_use]
    pub fn new(
        limits: Limits,
        clock: Clock,
        limiter: Arc<Limiter>,
        queue: Arc<WriteQueue>,
        outcomes: Outcomes,
    ) -> Self {
        Self { limits, clock, limiter, queue, queue_budget: Budget::new(QUEUE_BUDGET_BYTES), outcomes }
    }

    /// What is counted.
    #[must_use]
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Room taken by queued batches.
    #[must_use]
    pub fn queue_budget(&self) -> Budget {
        self.queue_budget.clone()
    }

    /// Stores a batch of a verified sender.
    ///
    /// # Errors
    /// Everything in API.md's table after 401; nothing was stored then, except that after a 503 the batch may be
    /// stored all the same and is to be sent again under the same id.
    pub async fn accept(
        &self,
        project: &Arc<Project>,
        keys: BatchKeys,
        body: IncomingBody,
    ) -> Result<Receipt, ApiError> {
        let answer_by = Instant::now() + REPLY_TIMEOUT;
        let gates = async {
            self.check_request(project)?;
            self.inflate(body).await
        };
        let (bytes, body_room) = gates.await.inspect_err(|error| self.outcomes.request_refused(error))?;
        let now = self.clock.now();
        let batch = BatchId::new(now);
        let prepared = self.prepare(project, batch, now, bytes).await;
        let prepared = prepared.inspect_err(|error| self.outcomes.request_refused(error))?;
        self.outcomes.batch_read(prepared.received, prepared.rejected.iter().map(|one| &one.code));
        let Prepared { received, rejected, acceptable, content } = prepared;
        if acceptable == 0 {
            return Err(ApiError::AllRejected { received, rejected });
        }
        let stored = async {
            let Content { body_hash, parts, titles } = content?;
            // The body's room stands for its events until they have their own.
            let body_room = body_room;
            let room = self.reserve_queue(&parts).await?;
            drop(body_room);
            let (reply, outcome) = oneshot::channel();
            let project_id = project.id;
            let submission =
                Submission { project_id, keys, body_hash, batch, received, parts, titles, room, reply };
            self.queue.push(submission).map_err(|_| ApiError::StorageUnavailable(STORAGE_RETRY))?;
            wait_for(outcome, answer_by).await
        };
        match stored.await {
            Ok(WriteOutcome::Duplicate { received, accepted, in_spool }) => {
                self.outcomes.duplicate(acceptable);
                let stored = if in_spool { StoredIn::Spool } else { StoredIn::Database };
                Ok(Receipt { received, accepted, rejected, duplicate: true, stored })
            }
            Ok(outcome) => {
                self.outcomes.accepted(acceptable);
                let in_spool = outcome == WriteOutcome::Spooled;
                let stored = if in_spool { StoredIn::Spool } else { StoredIn::Database };
                Ok(Receipt { received, accepted: acceptable, rejected, duplicate: false, stored })
            }
            Err(error) => {
                self.outcomes.not_stored(acceptable, &error);
                Err(error)
            }
        }
    }

    fn cap(&self, project: &Project) -> u32 {
        project.minute_cap.unwrap_or(self.limits.rate_limit_per_minute)
    }

    /// A request has at least one event, so a project may make no more requests than events.
    fn check_request(&self, project: &Project) -> Result<(), ApiError> {
        let checked = self.limiter.check_project_request(project.id, self.cap(project));
        checked.map_err(ApiError::RateLimitedProject)
    }

    /// Undoes the Content-Encoding; room for the result is held meanwhile: first for a likely one, since the largest
    /// is rare and would keep small senders waiting for it.
    async fn inflate(&self, body: IncomingBody) -> Result<(Bytes, Reservation), ApiError> {
        let IncomingBody { bytes, encoding, mut room } = body;
        let identity = encoding.as_deref().is_none_or(|name| name.trim().eq_ignore_ascii_case("identity"));
        if identity {
            return Ok((bytes, room));
        }
        let most = self.limits.max_inflated_bytes;
        let likely = (bytes.len().saturating_mul(LIKELY_INFLATION)).max(LIKELY_INFLATED_BYTES).min(most);
        let mut inflated = Err(ApiError::Internal);
        let mut held = 0;
        for max in [likely, most] {
            let grown = room.extend(max - held, BUDGET_WAIT).await;
            grown.map_err(|_| ApiError::Overloaded(OVERLOADED_RETRY))?;
            held = max;
            let (encoding, bytes) = (encoding.clone(), bytes.clone());
            inflated = off_thread(true, move || inflate(encoding.as_deref(), bytes, max)).await?;
            if !matches!(inflated, Err(ApiError::PayloadTooLarge(_))) || max == most {
                break;
            }
        }
        let inflated = inflated?;
        room.shrink_to(inflated.len());
        Ok((inflated, room))
    }

    async fn prepare(
        &self,
        project: &Arc<Project>,
        batch: BatchId,
        now: Timestamp,
        bytes: Bytes,
    ) -> Result<Prepared, ApiError> {
        let project = project.clone();
        let max_events = self.limits.max_events_per_post;
        let large = bytes.len() > INLINE_BYTES;
        let (limiter, cap) = (self.limiter.clone(), self.cap(&project));
        off_thread(large, move || {
            let charge = |events| limiter.charge_project_events(project.id, cap, events);
            prepare(&project, batch, now, max_events, &bytes, charge)
        })
        .await?
    }

    async fn reserve_queue(&self, parts: &[EncodedBatch]) -> Result<Reservation, ApiError> {
        let bytes: usize =
            parts.iter().map(|part| part.lines.len() + part.heads.len() * EVENT_OVERHEAD_BYTES).sum();
        let reserved = self.queue_budget.reserve(bytes, BUDGET_WAIT).await;
        reserved.map_err(|_| ApiError::Overloaded(OVERLOADED_RETRY))
    }
}

async fn wait_for(
    outcome: oneshot::Receiver<WriteOutcome>,
    answer_by: Instant,
) -> Result<WriteOutcome, ApiError> {
    match tokio::time::timeout_at(answer_by, outcome).await {
        Ok(Ok(WriteOutcome::Conflict)) => Err(ApiError::IdempotencyConflict),
        Ok(Ok(WriteOutcome::Refused)) => Err(ApiError::Internal),
        Ok(Ok(WriteOutcome::Unavailable) | Err(_)) | Err(_) => {
            Err(ApiError::StorageUnavailable(STORAGE_RETRY))
        }
        Ok(Ok(outcome)) => Ok(outcome),
    }
}

/// Runs work in place, or on a thread for blocking work when it is `large`.
async fn off_thread<T: Send + 'static>(
    large: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    if !large {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::Internal)
}

/// Parse, charge, scrub, name, encode: everything between the bytes and the queue. What a project may not send costs
/// no more than to be counted.
fn prepare(
    project: &Project,
    batch: BatchId,
    now: Timestamp,
    max_events: usize,
    bytes: &[u8],
    charge: impl FnOnce(u32) -> Result<(), ApiError>,
) -> Result<Prepared, ApiError> {
    let text = native::decode(bytes);
    let rules = ParseRules { received_at: now, project_slug: project.slug.as_str(), max_events };
    let ParsedBatch { received, mut events, rejected } = native::parse(&text, &rules)?;
    let acceptable = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let content = charge(acceptable).map(|()| content(project, batch, now, &mut events, bytes));
    Ok(Prepared { received, rejected, acceptable, content })
}

fn content(
    project: &Project,
    batch: BatchId,
    now: Timestamp,
    events: &mut [Event<'_>],
    bytes: &[u8],
) -> Content {
    let scrubber = Scrubber::new(&project.scrub);
    let mut fingerprinter = Fingerprinter::new();
    let mut titles = Vec::new();
    let (mut timely, mut late) = (BatchEncoder::new(batch), BatchEncoder::new(batch));
    for event in events {
        scrubber.scrub(event);
        cut_to_size(event);
        event.fingerprint = fingerprinter.fingerprint(event);
        if makes_issues(event.level) {
            note_title(&mut titles, event, &mut fingerprinter);
        }
        let is_late = now.as_millis() - event.ts.as_millis() > LATE_MS;
        if is_late { late.push(event) } else { timely.push(event) }
    }
    let body_hash = xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes();
    let parts = vec![timely.finish(), late.finish()];
    Content { body_hash, parts, titles }
}

/// Titles of one batch are few; a batch of many different errors is bounded by its events.
fn note_title(titles: &mut Vec<IssueTitle>, event: &Event<'_>, fingerprinter: &mut Fingerprinter) {
    let fingerprint: Fingerprint = event.fingerprint;
    if titles.iter().rev().take(64).all(|title| title.fingerprint != fingerprint) {
        let texts = SeedTexts {
            title: fingerprinter.title(&event.message),
            source: event.source.to_string(),
            release: event.release.as_deref().unwrap_or_default().to_owned(),
        };
        titles.push(IssueTitle { fingerprint, texts });
    }
}

/// The body of a test event of our own, named by what asked for it.
#[must_use]
pub fn test_event(request_id: &str) -> Bytes {
    let event = serde_json::json!([{
        "level": "info",
        "message": "Test event from Tekno Logger",
        "source": "tekno-logger",
        "request_id": request_id,
    }]);
    Bytes::from(event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{ProjectSlug, ScrubSettings};

    #[test]
    fn what_a_project_may_not_send_is_counted_and_goes_no_further() {
        let project = Project {
            id: 1,
            slug: ProjectSlug::parse("web").expect("a slug"),
            name: "Web".to_owned(),
            retention_days: 1,
            minute_cap: None,
            scrub: ScrubSettings::default(),
            created_at: Timestamp::from_millis(0),
        };
        let now = Timestamp::from_millis(1_800_000_000_000);
        let body = br#"[{"message":"a"},{"level":"error"},{"message":"b"}]"#;
        let mut charged = 0;
        let refuse = |events| {
            charged = events;
            Err(ApiError::BatchExceedsCap("no more than one".to_owned()))
        };
        let prepared = prepare(&project, BatchId::new(now), now, 250, body, refuse).expect("it can be read");
        assert_eq!((prepared.received, prepared.rejected.len(), prepared.acceptable, charged), (3, 1, 2, 2));
        assert!(matches!(prepared.content, Err(ApiError::BatchExceedsCap(_))));
    }
}
