//! What a connection is doing, as seen from both sides of hyper: the socket below and the handler above.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::pace::Pace;
use crate::memory::Reservation;

/// The phases of a kept-alive connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of the next request has come.
    Idle,
    /// The head of a request is due, or coming in.
    Head,
    /// A request is being read, handled or answered.
    Busy,
}

/// One connection's phase, shared.
#[derive(Clone, Debug)]
pub(super) struct SharedPhase(Arc<State>);

#[derive(Debug)]
struct State {
    phase: AtomicU8,
    rest_expected: AtomicBool,
    answer_lasts: AtomicBool,
    /// Rings when an answer that lasts begins.
    lasting: Notify,
    pace: Mutex<Pace>,
    /// Room of an answer that is not all written.
    room: Mutex<Option<Reservation>>,
}

impl SharedPhase {
    /// A new connection owes a request.
    pub(super) fn new() -> Self {
        Self(Arc::new(State {
            phase: AtomicU8::new(Phase::Head as u8),
            rest_expected: AtomicBool::new(false),
            answer_lasts: AtomicBool::new(false),
            lasting: Notify::new(),
            pace: Mutex::default(),
            room: Mutex::default(),
        }))
    }

    pub(super) fn get(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Busy,
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::Release);
    }

    /// The handler closes the connection by its answer: the client may still be sending.
    pub(super) fn expect_rest(&self) {
        self.0.rest_expected.store(true, Ordering::Release);
    }

    pub(super) fn expects_rest(&self) -> bool {
        self.0.rest_expected.load(Ordering::Acquire)
    }

    /// An answer that lasts begins.
    pub(super) fn begin_long_answer(&self) {
        self.0.answer_lasts.store(true, Ordering::Release);
        self.0.lasting.notify_one();
    }

    /// Whether such an answer is being given.
    pub(super) fn answer_lasts(&self) -> bool {
        self.0.answer_lasts.load(Ordering::Acquire)
    }

    /// Resolves when one is.
    pub(super) async fn long_answer(&self) {
        while !self.answer_lasts() {
            self.0.lasting.notified().await;
        }
    }

    /// How fast the peer gives or takes what is under way.
    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the peer is too slow for a time when others wait.
    pub(super) fn is_dawdling(&self) -> bool {
        self.pace().is_dawdling(self.get(), Instant::now())
    }

    /// Keeps the room of an answer until all of it is written.
    pub(super) fn hold(&self, room: Option<Reservation>) {
        *self.room() = room;
    }

    /// Everything that hyper had is written.
    pub(super) fn written(&self) {
        self.pace().begin();
        if self.get() != Phase::Busy {
            drop(self.room().take());
        }
    }

    fn room(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer's body; when hyper is done with it the connection is idle again.
pub(super) struct AnswerBody<B> {
    body: Content<B>,
    phase: SharedPhase,
}

enum Content<B> {
    Handlers(B),
    /// The server's own, given once.
    Own(Option<Bytes>),
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, phase: SharedPhase) -> Self {
        Self { body: Content::Handlers(body), phase }
    }

    pub(super) fn own(text: &'static str, phase: SharedPhase) -> Self {
        Self { body: Content::Own(Some(Bytes::from_static(text.as_bytes()))), phase }
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        self.phase.0.answer_lasts.store(false, Ordering::Release);
        self.phase.set(Phase::Idle);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.get_mut().body {
            Content::Handlers(body) => Pin::new(body).poll_frame(context),
            Content::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Content::Handlers(body) => body.is_end_stream(),
            Content::Own(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Content::Handlers(body) => body.size_hint(),
            Content::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}
