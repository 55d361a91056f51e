//! A socket that doesn't wait for ever: heads, blocked writes and the last words have their time.
//!
//! It sits between tokio's stream and hyper. Reads fail when a request's head takes too long, writes fail when
//! the peer takes too little, and a shutdown reads on for a moment when the peer is or may be still sending,
//! since closing a socket with unread bytes resets it and the peer may lose the answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ServerLimits;
use super::phase::{Phase, SharedPhase};

/// Least bytes a blocked client has to take within [`ServerLimits::write_timeout`].
pub const MIN_WRITE_PROGRESS: usize = 8 << 10;

/// Bytes taken from the socket at a time: hyper keeps up to two such pieces of a body that waits for room, in buffers of
/// their own. One less than its first buffer, since a read that fills one makes hyper double it.
const READ_BYTES: usize = (8 << 10) - 1;

/// Bytes read and forgotten, at most, after the last answer.
const LINGER_BYTES: usize = 2 << 20;

/// Time for them.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A timer made at its first use and reset afterwards.
#[derive(Default)]
struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Deadline {
    fn start(&mut self, after: Duration) {
        let at = Instant::now() + after;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
        self.running = true;
    }

    /// An error once the time is over; else wakes the task when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.running) else { return Ok(()) };
        match sleep.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// A stream with deadlines.
pub(super) struct Transport<S> {
    stream: S,
    phase: SharedPhase,
    header_timeout: Duration,
    write_timeout: Duration,
    answer_timeout: Duration,
    head: Deadline,
    received_any: bool,
    blocked: Deadline,
    /// For everything hyper has to write, from the first time the peer lets it wait.
    answer: Deadline,
    /// Something was written, or tried to be, since hyper had written all it had.
    unflushed: bool,
    /// Bytes the peer took since `blocked` was started.
    progress: usize,
    linger: Deadline,
    lingered: usize,
    finished: bool,
}

impl<S> Transport<S> {
    pub(super) fn new(stream: S, phase: SharedPhase, limits: &ServerLimits) -> Self {
        let mut head = Deadline::default();
        head.start(limits.header_timeout);
        Self {
            stream,
            phase,
            header_timeout: limits.header_timeout,
            write_timeout: limits.write_timeout,
            answer_timeout: limits.answer_timeout,
            head,
            received_any: false,
            blocked: Deadline::default(),
            answer: Deadline::default(),
            unflushed: false,
            progress: 0,
            linger: Deadline::default(),
            lingered: 0,
            finished: false,
        }
    }

    /// True when the client is likely to be sending still: its head was refused half-way, or its body.
    fn expects_rest(&self) -> bool {
        let in_a_head = self.phase.get() == Phase::Head && self.received_any;
        in_a_head || self.phase.expects_rest()
    }

    /// Judges what a write came to.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.progress += bytes;
                self.unflushed = true;
                self.phase.pace().move_on(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.unflushed = true;
                if !self.blocked.running || self.progress >= MIN_WRITE_PROGRESS {
                    self.progress = 0;
                    self.blocked.start(self.write_timeout);
                }
                if !self.answer.running {
                    self.answer.start(self.answer_timeout);
                }
                self.phase.pace().wait(Instant::now());
                self.blocked.check(context)?;
                self.answer.check(context)?;
                Poll::Pending
            }
        }
    }
}

/// Reads up to [`READ_BYTES`]; gives how many.
fn read_piece(
    stream: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<usize>> {
    let most = buffer.remaining().min(READ_BYTES);
    let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(most));
    ready!(Pin::new(stream).poll_read(context, &mut piece))?;
    let bytes = piece.filled().len();
    buffer.advance(bytes);
    Poll::Ready(Ok(bytes))
}

impl<S: AsyncRead + Unpin> AsyncRead for Transport<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = read_piece(&mut this.stream, context, buffer)?;
        let got = match read {
            Poll::Ready(bytes) => bytes,
            Poll::Pending => 0,
        };
        this.received_any |= got > 0;
        let phase = this.phase.get();
        match phase {
            Phase::Busy => this.head.running = false,
            Phase::Idle if got > 0 => {
                this.phase.set(Phase::Head);
                this.phase.pace().begin();
                this.head.start(this.header_timeout);
            }
            Phase::Head if read.is_pending() => this.head.check(context)?,
            Phase::Idle | Phase::Head => {}
        }
        // An idle connection is not waited for.
        if phase != Phase::Idle {
            let mut pace = this.phase.pace();
            if read.is_pending() { pace.wait(Instant::now()) } else { pace.move_on(got) }
        }
        read.map(|_| Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(context, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper flushes when it has written all it had: nothing is blocked any more.
        if std::mem::take(&mut this.unflushed) {
            this.blocked.running = false;
            this.answer.running = false;
            this.phase.written();
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.finished {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.finished = true;
        }
        let mut scratch = [0_u8; 4096];
        while this.lingered < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut this.stream).poll_read(context, &mut buffer);
            let bytes = buffer.filled().len();
            this.lingered += bytes;
            if !this.linger.running && (bytes > 0 || this.expects_rest()) {
                this.linger.start(LINGER_TIME);
            }
            match read {
                Poll::Ready(Ok(())) if bytes > 0 => {}
                Poll::Pending if this.linger.running && this.linger.check(context).is_ok() => {
                    return Poll::Pending;
                }
                // The peer is done, gone, silent or out of time.
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
