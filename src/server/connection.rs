//! One connection from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::departure::{Reading, SharedStream};
use super::phase::{AnswerBody, Phase, SharedPhase};
use super::transport::Transport;
use super::{Handler, LONG_ANSWER_GRACE, LongAnswer, MAX_HEADER_BYTES, PeerInfo, ServerLimits, Shared};

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

/// Answers a connection's requests until it ends, is cut or times out. Ends silently: what a peer does to its
/// own connection is no error of ours.
pub(super) async fn run<H: Handler>(shared: &Shared<H>, stream: TcpStream, remote: SocketAddr) {
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
        let only_reads = request.method() == Method::GET;
        let (phase, answer) = (phase.clone(), shared.handler.handle(request, peer));
        let reading = reading.clone();
        async move {
            let mut answer: Response<H::Body> = tokio::select! {
                biased;
                answer = answer => answer,
                () = departure(&reading), if only_reads => {
                    return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
                }
            };
            if answer.headers().get(CONNECTION).is_some_and(|value| value == "close") {
                phase.expect_rest();
            }
            if answer.extensions().get::<LongAnswer>().is_some() {
                // What watches the peer meanwhile would take its next request for nothing.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                phase.begin_long_answer();
            }
            Ok(answer.map(|body| AnswerBody::new(body, phase)))
        }
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
            () = shared.pressure.notified(), if !closing => closing = phase.get() == Phase::Idle,
        }
        if closing {
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// Returns when nobody waits for an answer any more: a moment after the client closed its sending side. One that closed
/// nothing else (`nc -N` does so) gets what is ready by then. Requests that change something are always finished.
async fn departure(reading: &Reading) {
    reading.ended().await;
    tokio::time::sleep(DEPARTURE_GRACE).await;
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
        let text = str::from_utf8(REFUSAL).expect("plain text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let length = head.split("Content-Length: ").nth(1).expect("a length");
        assert_eq!(length.parse(), Ok(body.len()));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
