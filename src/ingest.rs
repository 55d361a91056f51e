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
use crate::clock::Clock;
use crate::config::Limits;
use crate::error::{ApiError, Rejection};
use crate::event::BatchId;
use crate::limit::Limiter;
use crate::memory::{BUDGET_WAIT, Budget, QUEUE_BUDGET_BYTES, Reservation, WORK_BUDGET_BYTES};
use crate::outcome::Outcomes;
use crate::project::Project;
use crate::protocol::inflate::inflate;
use crate::timestamp::Timestamp;
use crate::write::{BatchKeys, IssueTitle, Submission, WriteOutcome, WriteQueue};

mod prepare;

use prepare::{Content, Prepared, prepare};

/// Longest a client waits for its answer, not counting the time its own sending takes: room in memory, reading and
/// commit included; the batch may still be stored after it, under the same id.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4_800);
/// Seconds a client is told to wait when there is no room.
const OVERLOADED_RETRY: u32 = 1;
/// Seconds a client is told to wait while the database is away.
const STORAGE_RETRY: u32 = 5;
/// With less time than this left, a batch is refused rather than queued: its answer would be too late.
const COMMIT_TIME: Duration = Duration::from_millis(300);
/// Bodies larger than this are worked on off the async threads, a few at a time.
const INLINE_BYTES: usize = 128 * 1024;
/// How many times its size a body may take while it is read: as repaired text, as events, as encoded lines.
const WORK_FACTOR: usize = 4;
/// Large bodies worked on at once, at most, however many processors there are.
const MAX_WORKERS: usize = 4;

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
    /// Of those, events that are in quarantine.
    pub quarantined: u32,
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
    work_budget: Budget,
    /// The least a large body takes of it, so that there are no more of them than processors.
    work_share: usize,
    outcomes: Outcomes,
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
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        let (queue_budget, work_budget) = (Budget::new(QUEUE_BUDGET_BYTES), Budget::new(WORK_BUDGET_BYTES));
        let work_share = WORK_BUDGET_BYTES / workers;
        Self { limits, clock, limiter, queue, queue_budget, work_budget, work_share, outcomes }
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

    /// As [`Ingest::accept_by`], for a sender that has not waited yet.
    ///
    /// # Errors
    /// As there.
    pub async fn accept(
        &self,
        project: &Arc<Project>,
        keys: BatchKeys,
        body: IncomingBody,
    ) -> Result<Receipt, ApiError> {
        self.accept_by(answer_by(Duration::ZERO), project, keys, body).await
    }

    /// Stores a batch of a verified sender, or gives up in time to say so by `answer_by`.
    ///
    /// # Errors
    /// Everything in API.md's table after 401; nothing was stored then, except that after a 503 the batch may be
    /// stored all the same and is to be sent again under the same id.
    pub async fn accept_by(
        &self,
        answer_by: Instant,
        project: &Arc<Project>,
        keys: BatchKeys,
        body: IncomingBody,
    ) -> Result<Receipt, ApiError> {
        let now = self.clock.now();
        let arrival = self.outcomes.arrival(Some(project.id), now);
        let batch = BatchId::new(now);
        let prepared = async {
            self.check_request(project)?;
            let (bytes, body_room) = self.inflate(body, answer_by).await?;
            Ok((self.prepare(project, batch, now, bytes, answer_by).await?, body_room))
        };
        let (prepared, body_room) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return arrival.end_with(error),
        };
        let Prepared { received, rejected, acceptable, content } = prepared;
        let read = arrival.read(received, acceptable, rejected.iter().map(|one| one.code).collect());
        if acceptable == 0 {
            read.committed();
            return Err(ApiError::AllRejected { received, rejected });
        }
        let queued = async {
            let (Content { body_hash, parts, titles }, charge) = match content {
                Ok(content) => content,
                Err(error) => return Err((read, error)),
            };
            let read = read.charged(charge);
            let room = match self.reserve_queue(&parts, &titles, answer_by).await {
                Ok(room) => room,
                Err(error) => return Err((read, error)),
            };
            // The body's room stood for its events until they had their own.
            drop(body_room);
            let (reply, outcome) = oneshot::channel();
            let (project_id, fate) = (project.id, read.queued());
            let submission =
                Submission { project_id, keys, body_hash, batch, received, parts, titles, room, fate, reply };
            let pushed = self.queue.push(submission);
            pushed.map_err(|back| (back.fate, ApiError::StorageUnavailable(STORAGE_RETRY)))?;
            Ok(outcome)
        };
        let outcome = match queued.await {
            Ok(outcome) => outcome,
            Err((read, error)) => return read.end_with(error),
        };
        // From here on the writer counts what becomes of it, whoever waits.
        let stored_in = |in_spool| if in_spool { StoredIn::Spool } else { StoredIn::Database };
        match wait_for(outcome, answer_by).await? {
            WriteOutcome::Duplicate { received, accepted, in_spool } => {
                let stored = stored_in(in_spool);
                Ok(Receipt { received, accepted, quarantined: 0, rejected, duplicate: true, stored })
            }
            outcome => {
                let stored = stored_in(outcome == WriteOutcome::Spooled);
                let quarantined = if let WriteOutcome::Quarantined(events) = outcome { events } else { 0 };
                let accepted = acceptable;
                Ok(Receipt { received, accepted, quarantined, rejected, duplicate: false, stored })
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
    async fn inflate(
        &self,
        body: IncomingBody,
        answer_by: Instant,
    ) -> Result<(Bytes, Reservation), ApiError> {
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
            let grown = room.extend(max - held, patience(answer_by)).await;
            grown.map_err(|_| ApiError::Overloaded(OVERLOADED_RETRY))?;
            held = max;
            let (encoding, bytes, work) = (encoding.clone(), bytes.clone(), self.work(0, answer_by).await?);
            inflated = off_thread(Some(work), move || inflate(encoding.as_deref(), bytes, max)).await?;
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
        answer_by: Instant,
    ) -> Result<Prepared, ApiError> {
        let project = project.clone();
        let large = bytes.len() > INLINE_BYTES;
        let work = if large { Some(self.work(bytes.len(), answer_by).await?) } else { None };
        let (limits, limiter, cap) = (self.limits.clone(), self.limiter.clone(), self.cap(&project));
        off_thread(work, move || {
            let charge = |events| limiter.charge_project_events(project.id, cap, events);
            prepare(&project, batch, now, &limits, &bytes, charge)
        })
        .await?
    }

    /// A turn at working on a large body, and room for what that takes.
    async fn work(&self, body_bytes: usize, answer_by: Instant) -> Result<Reservation, ApiError> {
        let bytes = body_bytes.saturating_mul(WORK_FACTOR).clamp(self.work_share, WORK_BUDGET_BYTES);
        let time_left = answer_by.saturating_duration_since(Instant::now()).saturating_sub(COMMIT_TIME);
        let reserved = self.work_budget.reserve(bytes, time_left).await;
        reserved.map_err(|_| ApiError::Overloaded(OVERLOADED_RETRY))
    }

    async fn reserve_queue(
        &self,
        parts: &[EncodedBatch],
        titles: &[IssueTitle],
        answer_by: Instant,
    ) -> Result<Reservation, ApiError> {
        if answer_by < Instant::now() + COMMIT_TIME {
            return Err(ApiError::Overloaded(OVERLOADED_RETRY));
        }
        let parts: usize = parts.iter().map(EncodedBatch::memory_bytes).sum();
        let titles: usize = titles.iter().map(IssueTitle::memory_bytes).sum();
        let bytes = size_of::<Submission>() + parts + titles;
        let reserved = self.queue_budget.reserve(bytes, patience(answer_by)).await;
        reserved.map_err(|_| ApiError::Overloaded(OVERLOADED_RETRY))
    }
}

/// When a client that waited for so long already is to have its answer.
#[must_use]
pub fn answer_by(waited: Duration) -> Instant {
    Instant::now() + REPLY_TIMEOUT.saturating_sub(waited)
}

/// How long to wait for room.
fn patience(answer_by: Instant) -> Duration {
    BUDGET_WAIT.min(answer_by.saturating_duration_since(Instant::now()))
}

async fn wait_for(
    outcome: oneshot::Receiver<WriteOutcome>,
    answer_by: Instant,
) -> Result<WriteOutcome, ApiError> {
    match tokio::time::timeout_at(answer_by, outcome).await {
        Ok(Ok(WriteOutcome::Conflict)) => Err(ApiError::IdempotencyConflict),
        Ok(Ok(WriteOutcome::Unavailable) | Err(_)) | Err(_) => {
            Err(ApiError::StorageUnavailable(STORAGE_RETRY))
        }
        Ok(Ok(outcome)) => Ok(outcome),
    }
}

/// Runs work in place, or where it has a turn on a thread for blocking work. The turn ends with the work, also when the
/// client has gone meanwhile and nobody waits for it.
async fn off_thread<T: Send + 'static>(
    turn: Option<Reservation>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let Some(turn) = turn else { return Ok(work()) };
    let work = move || {
        let done = work();
        drop(turn);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::Internal)
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
