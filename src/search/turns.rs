//! Turns for searches: only so many at once, and whoever waits is served by caller, not by arrival.
//!
//! The next turn goes to the caller who has the fewest now, of those with as many to the one who was served longest
//! ago. So a page that asks for ten things, or a script that asks for hundreds, delays others by one search each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::limit::ClientKey;

/// Longest wait for a turn: a little more than a search takes at most.
pub const TURN_WAIT: Duration = Duration::from_secs(7);
/// Searches of one caller that wait.
pub const MAX_WAITING_EACH: usize = 16;
/// Searches that wait, over all callers.
pub const MAX_WAITING: usize = 128;

/// Whose searches are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerId {
    /// Holders of a project's read keys.
    Project(i64),
    /// An admin, by address.
    Address(ClientKey),
}

/// Nobody may wait any longer, or more may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTurn;

/// The turns. Clones share them.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Turns out now; a caller is named once for each.
    running: Vec<CallerId>,
    /// Callers who wait, the one served longest ago first; none without a ticket.
    waiting: VecDeque<Queue>,
    tickets: u64,
}

#[derive(Debug)]
struct Queue {
    caller: CallerId,
    tickets: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// The right to search; given on when dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    caller: CallerId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().give_back(self.caller);
    }
}

/// A place in the queue; given up when dropped.
struct Place {
    turns: Turns,
    caller: CallerId,
    ticket: u64,
    called: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.called {
            self.turns.lock().give_up(self.caller, self.ticket);
        }
    }
}

impl Turns {
    /// So many at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let state = State { free: most, running: Vec::new(), waiting: VecDeque::new(), tickets: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns nobody has.
    #[must_use]
    pub fn free(&self) -> usize {
        self.lock().free
    }

    /// Searches that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting_tickets()
    }

    /// Waits for a turn, at most `wait`. A client that goes away gives its turn, or its place among those who wait, to
    /// the next.
    ///
    /// # Errors
    /// [`NoTurn`] after that time, or at once where too many wait already.
    pub async fn acquire(&self, caller: CallerId, wait: Duration) -> Result<Turn, NoTurn> {
        let Some((ticket, call)) = self.lock().enter(caller)? else {
            return Ok(Turn { turns: self.clone(), caller });
        };
        let mut place = Place { turns: self.clone(), caller, ticket, called: false };
        tokio::time::timeout(wait, call).await.map_err(|_| NoTurn)?.map_err(|_| NoTurn)?;
        place.called = true;
        Ok(Turn { turns: self.clone(), caller })
    }
}

impl State {
    fn waiting_tickets(&self) -> usize {
        self.waiting.iter().map(|queue| queue.tickets.len()).sum()
    }

    /// A turn at once, or a ticket.
    fn enter(&mut self, caller: CallerId) -> Result<Option<(u64, oneshot::Receiver<()>)>, NoTurn> {
        if self.free > 0 {
            self.free -= 1;
            self.running.push(caller);
            return Ok(None);
        }
        if self.waiting_tickets() >= MAX_WAITING {
            return Err(NoTurn);
        }
        let own = self.waiting.iter().position(|queue| queue.caller == caller);
        let own = own.unwrap_or_else(|| {
            self.waiting.push_back(Queue { caller, tickets: VecDeque::new() });
            self.waiting.len() - 1
        });
        let queue = &mut self.waiting[own];
        if queue.tickets.len() >= MAX_WAITING_EACH {
            return Err(NoTurn);
        }
        self.tickets += 1;
        let (call, heard) = oneshot::channel();
        queue.tickets.push_back((self.tickets, call));
        Ok(Some((self.tickets, heard)))
    }

    fn give_back(&mut self, caller: CallerId) {
        if let Some(at) = self.running.iter().position(|running| *running == caller) {
            self.running.swap_remove(at);
        }
        self.free += 1;
        while let Some(next) = self.next() {
            let Some(mut queue) = self.waiting.remove(next) else { return };
            let ticket = queue.tickets.pop_front();
            let caller = queue.caller;
            if !queue.tickets.is_empty() {
                self.waiting.push_back(queue);
            }
            // One that doesn't hear it gives the turn on when its place is dropped.
            if ticket.is_some_and(|(_, call)| call.send(()).is_ok()) {
                self.free -= 1;
                self.running.push(caller);
                return;
            }
        }
    }

    /// Who is next: of those with the fewest turns the one served longest ago.
    fn next(&self) -> Option<usize> {
        let turns = |caller: CallerId| self.running.iter().filter(|running| **running == caller).count();
        let waiting = self.waiting.iter().enumerate();
        waiting.min_by_key(|(at, queue)| (turns(queue.caller), *at)).map(|(at, _)| at)
    }

    /// Takes a ticket out; one that was called already has a turn to give back.
    fn give_up(&mut self, caller: CallerId, ticket: u64) {
        let own = self.waiting.iter().position(|queue| queue.caller == caller);
        let found = own.and_then(|own| {
            let queue = &mut self.waiting[own];
            let at = queue.tickets.iter().position(|(number, _)| *number == ticket)?;
            queue.tickets.remove(at);
            Some((own, queue.tickets.is_empty()))
        });
        match found {
            Some((own, true)) => drop(self.waiting.remove(own)),
            Some((_, false)) => {}
            None => self.give_back(caller),
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
