//! One connection from its first byte to its last.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::departure::{Reading, SharedStream};
use super::phase::{AnswerBody, Phase, SharedPhase};
use super::share::ShareGuard;
use super::transport::Transport;
use super::{
    Handler, LONG_ANSWER_GRACE, LongAnswer, MAX_HEADER_BYTES, PeerInfo, ServerLimits, Shared, SharedMemory,
};

/// How long a read goes on after its client closed its sending side.
const DEPARTURE_GRACE: Duration = Duration::from_secs(1);

/// What an address that has its share of connections is told.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/problem+json\r\n\
    Retry-After: 5\r\n\
    Connection: close\r\n\
    Content-Length: 135\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"code\":\"overloaded\",\"detail\":\"Too many connections from one address.\"}";

/// What a client is told whose answer has no room.
const NO_ROOM: &str = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"overloaded","detail":"Too many large answers wait to be read."}"#;

/// Answers up to this many bytes need no room of their own.
const SMALL_ANSWER_BYTES: usize = 64 << 10;

/// Answers a connection's requests until it ends, is cut or times out. Ends silently: what a peer does to its
/// own connection is no error of ours.
pub(super) async fn run<H: Handler>(
    shared: &Shared<H>,
    stream: TcpStream,
    remote: SocketAddr,
    share: &ShareGuard,
) {
    // Answers are small and complete; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let peer = PeerInfo { local, remote };
    let phase = SharedPhase::new();
    let stream = SharedStream::new(stream);
    let reading = stream.reading();
    let peer_watch = reading.clone();
    let transport = Transport::new(stream, phase.clone(), &shared.limits);
    let service = service_fn(|request: Request<Incoming>| {
        phase.set(Phase::Busy);
        phase.pace().begin();
        let left = (request.method() == Method::GET).then(|| reading.clone());
        let answer = shared.handler.handle(request, peer);
        answered(shared, phase.clone(), answer, left)
    });
    let mut connection = pin!(http(&shared.limits).serve_connection(TokioIo::new(transport), service));
    let mut closing = false;
    let mut left = pin!(async {
        phase.long_answer().await;
        peer_watch.ended().await;
    });
    let mut overdue = pin!(async {
        shared.stop.cancelled().await;
        phase.long_answer().await;
        tokio::time::sleep(LONG_ANSWER_GRACE).await;
    });
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = shared.cut.cancelled() => return,
            // Nobody is there any more, or nobody reads: what the answer holds is freed by dropping it.
            () = left.as_mut() => return,
            () = overdue.as_mut() => return,
            () = shared.stop.cancelled(), if !closing => closing = true,
            () = shared.dawdlers.notified() => {
                if phase.is_dawdling() {
                    return shared.gauges.count_cut();
                }
            }
            () = wanted(shared, share) => {
                if phase.is_dawdling() {
                    return shared.gauges.count_cut();
                }
                closing |= phase.get() == Phase::Idle;
            }
        }
        if closing {
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// The handler's answer, ready to be written; an error, which ends the connection, when the client `left` meanwhile.
async fn answered<H: Handler>(
    shared: &Shared<H>,
    phase: SharedPhase,
    answer: impl Future<Output = Response<H::Body>>,
    left: Option<Reading>,
) -> io::Result<Response<AnswerBody<H::Body>>> {
    let left = async {
        match left {
            Some(reading) => departure(&reading).await,
            None => pending().await,
        }
    };
    let mut answer = tokio::select! {
        biased;
        answer = answer => answer,
        () = left => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    if answer.headers().get(CONNECTION).is_some_and(|value| value == "close") {
        phase.expect_rest();
    }
    if answer.extensions().get::<LongAnswer>().is_some() {
        // What watches the peer meanwhile would take its next request for nothing.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        phase.begin_long_answer();
    }
    phase.pace().begin();
    Ok(with_room(shared, phase, answer).await)
}

/// Returns when nobody waits for an answer any more: a moment after the client closed its sending side. One that closed
/// nothing else (`nc -N` does so) gets what is ready by then. Requests that change something are always finished.
async fn departure(reading: &Reading) {
    reading.ended().await;
    tokio::time::sleep(DEPARTURE_GRACE).await;
}

/// Resolves when others wait for a place, of all or of this address's.
async fn wanted<H>(shared: &Shared<H>, share: &ShareGuard) {
    tokio::select! {
        () = shared.pressure.notified() => {}
        () = share.pressed() => {}
    }
}

/// A large answer gets room for as long as it takes to be written, or is replaced by a short one that says there is none.
async fn with_room<H: Handler>(
    shared: &Shared<H>,
    phase: SharedPhase,
    answer: Response<H::Body>,
) -> Response<AnswerBody<H::Body>> {
    let bytes = usize::try_from(answer.body().size_hint().lower()).unwrap_or(usize::MAX);
    let has_own_memory = answer.extensions().get::<SharedMemory>().is_none();
    if bytes > SMALL_ANSWER_BYTES && has_own_memory {
        // Without waiting: what waits takes the memory that there is no room for.
        let Ok(room) = shared.answers.reserve(bytes, Duration::ZERO).await else {
            // Who takes its answer too slowly is in the way of the next one.
            shared.dawdlers.notify_waiters();
            let request_id = answer.headers().get("x-request-id").cloned();
            return no_room(phase, request_id);
        };
        phase.hold(Some(room));
    }
    answer.map(|body| AnswerBody::new(body, phase))
}

fn no_room<B>(phase: SharedPhase, request_id: Option<HeaderValue>) -> Response<AnswerBody<B>> {
    let mut answer = Response::new(AnswerBody::own(NO_ROOM, phase));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(request_id.map(|id| (HeaderName::from_static("x-request-id"), id)));
    answer
}

fn http(limits: &ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // hyper's own head timer starts when the connection falls idle; the transport has the stricter one.
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_HEADER_BYTES)
        // A client that closed its sending side still gets its answer.
        .half_close(true)
        // Not `pipeline_flush`: with unread bytes in its buffer hyper then keeps an answer back, and the answer to
        // a malformed head is lost.
        .keep_alive(true);
    builder
}

/// Tells a refused peer why, if the socket takes it at once, and closes.
pub(super) fn refuse(stream: &TcpStream) {
    // A new socket has room for this; if not, the close says enough.
    let _ = stream.try_write(REFUSAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_a_whole_answer() {
        assert!(serde_json::from_str::<serde_json::Value>(NO_ROOM).is_ok());
        let text = str::from_utf8(REFUSAL).expect("plain text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let length = head.split("Content-Length: ").nth(1).expect("a length");
        assert_eq!(length.parse(), Ok(body.len()));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
