//! The threads that inflate and test blocks: few, for all searches of the process together, and of low priority.
//!
//! Threads start when there is work and end when there is none for a while, and their memory with them. A job is run in
//! the order it came; one whose caller has gone is left out. Where the system knows priorities per thread, ingest goes
//! first: a scan takes the CPU that nobody else wants.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::block::decode::Inflater;
use crate::store::StoreError;

/// Threads at most, however many cores there are: each holds an inflated block.
const MAX_THREADS: usize = 4;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);
/// How much lower than the rest of the process a thread's priority is (0 to 19).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Says that the rest of some work isn't wanted any more. Clones say it together.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether it was said.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says it.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Says it when dropped, as when the client of a request goes away.
    #[must_use]
    pub fn guard(&self) -> StopGuard {
        StopGuard(self.clone())
    }
}

/// Says [`Stop`] when dropped.
#[derive(Debug)]
pub struct StopGuard(Stop);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.set();
    }
}

type Job = Box<dyn FnOnce(&mut Inflater) + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

struct Pool {
    state: Mutex<State>,
    wake: Condvar,
    most: usize,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Pool { state: Mutex::default(), wake: Condvar::new(), most: cores.clamp(1, MAX_THREADS) }
});

/// Threads that may work at once: into so many parts work is best split.
#[must_use]
pub fn threads() -> usize {
    POOL.most
}

/// A job on its way. Dropped before its turn it is not run; once it runs it goes on: give it a [`Stop`].
#[derive(Debug)]
pub struct Task<T>(oneshot::Receiver<T>);

impl<T> Task<T> {
    /// What the job gave.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it panicked or no thread could be had.
    pub async fn done(self) -> Result<T, StoreError> {
        self.0.await.map_err(|_| StoreError::Corrupt("reading blocks failed".to_owned()))
    }
}

/// Starts a job, which has the inflater of its thread. Jobs waiting are bounded by their callers: each has as many as
/// there are [`threads`], and callers have turns.
pub fn start<T: Send + 'static>(job: impl FnOnce(&mut Inflater) -> T + Send + 'static) -> Task<T> {
    let (give, wait) = oneshot::channel();
    POOL.push(Box::new(move |inflater| {
        if !give.is_closed() {
            // The panic hook has reported a panic; who asked may have gone meanwhile.
            if let Ok(done) = catch_unwind(AssertUnwindSafe(|| job(inflater))) {
                let _ = give.send(done);
            }
        }
    }));
    Task(wait)
}

impl Pool {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads == self.most {
            self.wake.notify_one();
            return;
        }
        let thread = std::thread::Builder::new().name("search".to_owned());
        match thread.spawn(move || self.work()) {
            Ok(_) => state.threads += 1,
            Err(error) => {
                tracing::error!(%error, "no thread for a search");
                if state.threads == 0 {
                    // Nobody would ever run them: whoever waits is told.
                    state.jobs.clear();
                }
            }
        }
    }

    fn work(&self) {
        yield_to_others();
        let mut inflater = Inflater::default();
        while let Some(job) = self.next() {
            job(&mut inflater);
        }
    }

    /// The next job; `None` ends the thread, which is counted out.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            let waited = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

/// Linux has a priority for each thread; where the process's own would change, nothing is done.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "a search's thread keeps the process's priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_run_beside_each_other_and_give_their_results() {
        let jobs = (0..50).map(|number| start(move |_| number * 2).done());
        let done = futures_util::future::join_all(jobs).await;
        let done: Vec<i32> = done.into_iter().map(|done| done.expect("no job panics")).collect();
        assert_eq!(done, (0..50).map(|number| number * 2).collect::<Vec<_>>());
        assert!(POOL.lock().threads <= POOL.most);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_error_and_harms_no_other() {
        let failed = start(|_| -> () { panic!("on purpose") }).done().await;
        assert!(matches!(failed, Err(StoreError::Corrupt(_))));
        assert_eq!(start(|_| 7).done().await.expect("the next one runs"), 7);
    }

    #[test]
    fn a_guard_stops_when_it_is_dropped() {
        let stop = Stop::default();
        let guard = stop.guard();
        assert!(!stop.is_set());
        drop(guard);
        assert!(stop.is_set());
    }
}
