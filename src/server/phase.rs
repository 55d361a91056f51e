//! What a connection is doing, as seen from both sides of hyper: the socket below and the handler above.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

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
}

impl SharedPhase {
    /// A new connection owes a request.
    pub(super) fn new() -> Self {
        Self(Arc::new(State {
            phase: AtomicU8::new(Phase::Head as u8),
            rest_expected: AtomicBool::new(false),
            answer_lasts: AtomicBool::new(false),
            lasting: Notify::new(),
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
}

/// An answer's body; when hyper is done with it the connection is idle again.
pub(super) struct AnswerBody<B> {
    body: B,
    phase: SharedPhase,
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, phase: SharedPhase) -> Self {
        Self { body, phase }
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        self.phase.0.answer_lasts.store(false, Ordering::Release);
        self.phase.set(Phase::Idle);
    }
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
