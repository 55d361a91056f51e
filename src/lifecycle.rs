//! Tasks that live as long as the process: who owns them, in which order they stop, and what a death means.
//!
//! Each task belongs to a [`Stage`]. A stop goes through the stages in order: the stage's token is cancelled,
//! its tasks get the stage's bound to end by themselves, then they are dropped. A task that ends without having
//! been asked to, fails or panics takes the process down in the same order, and the exit code says so. Nothing
//! here knows what the tasks do.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(test)]
mod tests;

/// Parts of the process in the order in which they stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The server: stops accepting, then finishes the requests it has.
    Serve,
    /// The writers: commit what is queued.
    Write,
    /// The drain of the spool: hands over what it can and keeps the rest.
    Drain,
    /// The fold: counts what was committed.
    Fold,
    /// Maintenance, alerts, keep-awake: stop between two slices of work.
    Background,
}

const STOP_ORDER: [Stage; 5] = [Stage::Serve, Stage::Write, Stage::Drain, Stage::Fold, Stage::Background];

/// How long each stage may take to stop before its tasks are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopBounds {
    /// For requests to be answered, which includes the commits they wait for.
    pub serve: Duration,
    /// For the queue to be committed; with `serve` it fits into the shortest grace of a host, 10 s.
    pub write: Duration,
    /// For the step of the drain in hand.
    pub drain: Duration,
    /// For the last fold.
    pub fold: Duration,
    /// For the slices in hand.
    pub background: Duration,
}

impl Default for StopBounds {
    /// 10 s in all: 4 for requests, 3.5 for writers, the rest for what can be done at the next start.
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            serve: millis(4_000),
            write: millis(3_500),
            drain: millis(800),
            fold: millis(900),
            background: millis(800),
        }
    }
}

impl StopBounds {
    fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Serve => self.serve,
            Stage::Write => self.write,
            Stage::Drain => self.drain,
            Stage::Fold => self.fold,
            Stage::Background => self.background,
        }
    }
}

/// What a task came to; a task that can't fail is of type `()`.
pub trait TaskEnd: Send + 'static {
    /// The failure in words, or `None`.
    fn failure(self) -> Option<String>;
}

impl TaskEnd for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: std::fmt::Display + Send + 'static> TaskEnd for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Why the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitOutcome {
    /// Asked to stop, and everything ended by itself.
    Clean,
    /// Asked to stop, but tasks of these stages had to be dropped.
    CutShort(Vec<Stage>),
    /// A task ended that should have lived.
    TaskDied {
        /// The task's name.
        task: &'static str,
        /// What became of it.
        cause: String,
    },
}

impl ExitOutcome {
    /// 0 when clean, else 1.
    #[must_use]
    pub fn code(&self) -> u8 {
        u8::from(*self != Self::Clean)
    }
}

impl From<ExitOutcome> for ExitCode {
    fn from(outcome: ExitOutcome) -> Self {
        Self::from(outcome.code())
    }
}

/// Asks the process to stop. Clones ask the same process.
#[derive(Clone, Debug, Default)]
pub struct ShutdownTrigger {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl ShutdownTrigger {
    /// Asks for an orderly stop.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Asks for a stop without waiting for anyone.
    pub fn stop_now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// The first call asks for an orderly stop, each further one for a stop at once, as signals do.
    pub fn signalled(&self) {
        if self.soft.is_cancelled() {
            self.stop_now();
        } else {
            self.stop();
        }
    }

    /// Cancelled as soon as a stop was asked for, before any stage is stopped (`/readyz` turns red by it).
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.soft.clone()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Death {
    task: &'static str,
    cause: String,
}

struct StageTasks {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Drops the tasks that are left.
    drop_now: CancellationToken,
    dropped_any: Arc<AtomicBool>,
}

/// Owns the tasks of the process.
pub struct Lifecycle {
    trigger: ShutdownTrigger,
    bounds: StopBounds,
    stages: [StageTasks; STOP_ORDER.len()],
    first_death: Arc<OnceLock<Death>>,
}

impl Lifecycle {
    /// No tasks yet.
    #[must_use]
    pub fn new(bounds: StopBounds) -> Self {
        let trigger = ShutdownTrigger::default();
        let stages = STOP_ORDER.map(|_| StageTasks {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            drop_now: trigger.hard.child_token(),
            dropped_any: Arc::default(),
        });
        Self { trigger, bounds, stages, first_death: Arc::default() }
    }

    /// What stops this process.
    #[must_use]
    pub fn trigger(&self) -> ShutdownTrigger {
        self.trigger.clone()
    }

    /// Cancelled when it is a stage's turn to stop; its tasks then finish what they have and end.
    #[must_use]
    pub fn stop_token(&self, stage: Stage) -> CancellationToken {
        self.stages[stage as usize].stop.clone()
    }

    /// Starts a task that lives until its stage's stop token is cancelled. Failing or panicking is a death, and
    /// so is ending while no stop was asked for. `name` is for the log.
    pub fn spawn<F>(&self, stage: Stage, name: &'static str, task: F)
    where
        F: Future<Output: TaskEnd> + Send + 'static,
    {
        let owner = &self.stages[stage as usize];
        let (drop_now, dropped_any) = (owner.drop_now.clone(), owner.dropped_any.clone());
        let (first_death, trigger) = (self.first_death.clone(), self.trigger.clone());
        owner.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = AssertUnwindSafe(task).catch_unwind() => ended,
                () = drop_now.cancelled() => return dropped_any.store(true, Ordering::Release),
            };
            let cause = match ended {
                Err(_panic) => Some("panicked".to_owned()),
                Ok(end) => match end.failure() {
                    Some(failure) => Some(failure),
                    None if !trigger.soft.is_cancelled() => Some("ended early".to_owned()),
                    None => None,
                },
            };
            let Some(cause) = cause else { return };
            tracing::error!(task = name, cause, "a task died; stopping");
            // Only the first death is kept: the others follow from it or from the stop.
            let _ = first_death.set(Death { task: name, cause });
            trigger.stop();
        });
    }

    /// From now on the first SIGTERM or SIGINT asks for an orderly stop, the second for one at once.
    ///
    /// # Errors
    /// When the system refuses to install a handler.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let trigger = self.trigger.clone();
        // Not one of the stages' tasks: it has to hear the second signal while they stop.
        tokio::spawn(async move {
            while !trigger.hard.is_cancelled() {
                tokio::select! {
                    _ = terminate.recv() => tracing::info!("SIGTERM"),
                    _ = interrupt.recv() => tracing::info!("SIGINT"),
                }
                trigger.signalled();
            }
        });
        Ok(())
    }

    /// Waits until a stop is asked for or a task dies, then stops stage after stage.
    pub async fn run(self) -> ExitOutcome {
        self.trigger.soft.cancelled().await;
        let mut cut_short = Vec::new();
        for (stage, owner) in STOP_ORDER.into_iter().zip(&self.stages) {
            if !self.stop_stage(stage, owner).await {
                tracing::warn!(?stage, "tasks had to be dropped");
                cut_short.push(stage);
            }
        }
        match self.first_death.get() {
            Some(death) => ExitOutcome::TaskDied { task: death.task, cause: death.cause.clone() },
            None if cut_short.is_empty() => ExitOutcome::Clean,
            None => ExitOutcome::CutShort(cut_short),
        }
    }

    /// True when every task of the stage ended by itself.
    async fn stop_stage(&self, stage: Stage, owner: &StageTasks) -> bool {
        owner.stop.cancel();
        owner.tasks.close();
        tokio::select! {
            () = owner.tasks.wait() => {}
            () = self.trigger.hard.cancelled() => {}
            () = tokio::time::sleep(self.bounds.of(stage)) => {}
        }
        owner.drop_now.cancel();
        // A task that blocks its thread can't be dropped; the process ends without it.
        let all_gone = tokio::time::timeout(DROP_WAIT, owner.tasks.wait()).await.is_ok();
        all_gone && !owner.dropped_any.load(Ordering::Acquire)
    }
}

/// How long dropped tasks get to run their destructors.
const DROP_WAIT: Duration = Duration::from_millis(200);
