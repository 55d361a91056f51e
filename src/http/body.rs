//! Request bodies: room first, then bytes, each with its bound.
//!
//! [`read_body`] reserves from the memory budget ahead of what it reads, in steps, so that a client holds room
//! for what it has sent and not for what it has announced. A refused body is read and forgotten up to a bound
//! ([`drain`]), since most clients look for an answer only when they have sent everything.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use poem::Body;
use poem::http::{HeaderMap, header};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::ApiError;
use crate::memory::{BUDGET_WAIT, Budget, Exhausted, Reservation};

#[cfg(test)]
mod tests;

/// Room reserved before the first byte is read; a smaller body reserves its own length.
const FIRST_STEP: usize = 16 << 10;

/// Each further step makes the room this many times as large, up to the announced length or the cap.
const STEP_FACTOR: usize = 4;

/// Bytes of a refused body that are read and forgotten.
pub const DRAIN_BYTES: usize = 2 << 20;

/// Seconds after which a client that found no room may come again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// How long a body may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTimes {
    /// For all of it.
    pub whole: Duration,
    /// Between two bytes.
    pub progress: Duration,
    /// For the bytes of a refused body.
    pub drain: Duration,
}

impl Default for BodyTimes {
    /// 30 s, 10 s and 5 s.
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(30),
            progress: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// A body and the room it takes; keep the one as long as the other.
#[derive(Debug)]
pub struct ReadBody {
    /// As sent.
    pub bytes: Bytes,
    /// Exactly as large.
    pub reservation: Reservation,
    /// How long its sender was kept waiting for room: part of how long it waits for its answer.
    pub waited: Duration,
}

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRefusal {
    /// For the client.
    pub error: ApiError,
    /// False when bytes of the body are still to come: the answer then says `Connection: close`.
    pub drained: bool,
}

/// Reads a body of at most `cap` bytes.
///
/// # Errors
/// [`ApiError::PayloadTooLarge`] beyond `cap`, [`ApiError::Overloaded`] when it waited for room for [`BUDGET_WAIT`] in
/// all, [`ApiError::RequestTimeout`] when it takes too long, [`ApiError::InvalidEncoding`] when it
/// breaks off.
pub async fn read_body(
    headers: &HeaderMap,
    body: Body,
    cap: usize,
    budget: &Budget,
    times: BodyTimes,
) -> Result<ReadBody, BodyRefusal> {
    let announced = announced_length(headers);
    let asked = Instant::now();
    let refused_early = match announced {
        Some(length) if length > cap => Err(too_large(cap)),
        _ => reserve_first(announced, cap, budget).await,
    };
    let reservation = match refused_early {
        Ok(reservation) => reservation,
        Err(error) => return Err(BodyRefusal { error, drained: drain(headers, body, times).await }),
    };
    let mut stream = Box::pin(body.into_bytes_stream());
    let most = announced.unwrap_or(cap);
    let mut reading = Reading { bytes: Vec::new(), reservation, most, cap, waited: asked.elapsed() };
    match reading.read_all(&mut stream, times).await {
        Ok(()) => Ok(reading.finish()),
        Err(error) => {
            // What was read makes room before more is read and forgotten.
            drop(reading);
            let stuck = matches!(error, ApiError::RequestTimeout | ApiError::InvalidEncoding(_));
            let drained = !stuck && drain_stream(&mut stream, times).await;
            Err(BodyRefusal { error, drained })
        }
    }
}

/// Reads and forgets a body that was refused before it was read, at most [`DRAIN_BYTES`] in
/// [`BodyTimes::drain`]. True when it came to its end. A client that waits for `100 Continue` has sent nothing
/// and is not asked to.
pub async fn drain(headers: &HeaderMap, body: Body, times: BodyTimes) -> bool {
    if body.is_empty() {
        return true;
    }
    let waits = headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    !waits && drain_stream(&mut Box::pin(body.into_bytes_stream()), times).await
}

async fn drain_stream(
    stream: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
    times: BodyTimes,
) -> bool {
    let read_on = async {
        let mut left = DRAIN_BYTES;
        while let Some(chunk) = stream.next().await {
            let Ok(chunk) = chunk else { return false };
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    };
    timeout(times.drain, read_on).await.unwrap_or(false)
}

/// A body on its way in.
struct Reading {
    bytes: Vec<u8>,
    reservation: Reservation,
    /// What is worth reserving.
    most: usize,
    cap: usize,
    /// For room, so far.
    waited: Duration,
}

impl Reading {
    async fn read_all(
        &mut self,
        stream: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
        times: BodyTimes,
    ) -> Result<(), ApiError> {
        self.bytes.reserve_exact(self.reservation.bytes());
        let end = Instant::now() + times.whole;
        loop {
            let next = end.min(Instant::now() + times.progress);
            match timeout_at(next, stream.next()).await {
                Ok(Some(Ok(chunk))) => self.take(&chunk).await?,
                Ok(None) => return Ok(()),
                Ok(Some(Err(_))) => return Err(ApiError::InvalidEncoding("The body broke off.".to_owned())),
                Err(_elapsed) => return Err(ApiError::RequestTimeout),
            }
        }
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), ApiError> {
        let needed = self.bytes.len() + chunk.len();
        if needed > self.cap {
            return Err(too_large(self.cap));
        }
        let room = self.reservation.bytes();
        if needed > room {
            let wanted = (room.max(FIRST_STEP) * STEP_FACTOR).min(self.most).max(needed);
            let (asked, patience) = (Instant::now(), BUDGET_WAIT.saturating_sub(self.waited));
            let grown = self.reservation.grow(wanted - room, patience).await;
            self.waited += asked.elapsed();
            grown.map_err(|exhausted| no_room(exhausted, self.cap))?;
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(mut self) -> ReadBody {
        self.bytes.shrink_to_fit();
        self.reservation.shrink_to(self.bytes.len());
        ReadBody { bytes: Bytes::from(self.bytes), reservation: self.reservation, waited: self.waited }
    }
}

async fn reserve_first(
    announced: Option<usize>,
    cap: usize,
    budget: &Budget,
) -> Result<Reservation, ApiError> {
    let first = announced.unwrap_or(cap).min(FIRST_STEP);
    budget.reserve(first, BUDGET_WAIT).await.map_err(|exhausted| no_room(exhausted, cap))
}

/// hyper has checked the header; a chunked body has none.
fn announced_length(headers: &HeaderMap) -> Option<usize> {
    let value = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // A number too large to hold is too large to read.
    value.parse::<u64>().ok().map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

fn too_large(cap: usize) -> ApiError {
    ApiError::PayloadTooLarge(format!("The body may have at most {cap} bytes."))
}

fn no_room(exhausted: Exhausted, cap: usize) -> ApiError {
    match exhausted {
        Exhausted::TooLarge => too_large(cap),
        Exhausted::Busy => ApiError::Overloaded(RETRY_AFTER_SECONDS),
    }
}
