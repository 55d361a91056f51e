//! One HTTP/1.1 request on one connection.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;

use super::{MAX_ANSWER_BYTES, OutboundError, OutboundStream, Target};

/// Most bytes of an answer's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of an answer.
const MAX_HEADERS: usize = 100;

/// What is sent.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where to.
    pub target: &'a Target,
    /// POST, GET.
    pub method: Method,
    /// Beside `Host`, `User-Agent` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, possibly empty.
    pub body: Vec<u8>,
}

impl<'a> Request<'a> {
    /// A GET without a body.
    #[must_use]
    pub fn get(target: &'a Target) -> Self {
        Self { target, method: Method::GET, headers: Vec::new(), body: Vec::new() }
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post_json(target: &'a Target, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { target, method: Method::POST, headers, body }
    }

    /// One more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// At most [`MAX_ANSWER_BYTES`] of the body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends the request and reads the answer; the caller bounds the time.
pub(super) async fn exchange(stream: OutboundStream, request: Request<'_>) -> Result<Answer, OutboundError> {
    let request = to_hyper(request)?;
    let broken = |error: hyper::Error| OutboundError::Broken(format!("no HTTP answer: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let talk = async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, mut body) = response.into_parts();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            let room = MAX_ANSWER_BYTES - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if read.len() == MAX_ANSWER_BYTES {
                break;
            }
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: read })
    };
    // The connection ends by itself once `talk` has dropped its half; how doesn't matter then.
    let (answer, _) = tokio::join!(talk, connection);
    answer
}

fn to_hyper(request: Request<'_>) -> Result<hyper::Request<Full<Bytes>>, OutboundError> {
    let malformed = || OutboundError::Refused("the request can't be written as HTTP".to_owned());
    let Request { target, method, headers, body } = request;
    let mut built = hyper::Request::new(Full::new(Bytes::from(body)));
    *built.method_mut() = method;
    *built.uri_mut() = target.path.parse::<Uri>().map_err(|_| malformed())?;
    let fields = built.headers_mut();
    fields.insert(HOST, HeaderValue::try_from(target.authority()).map_err(|_| malformed())?);
    fields.insert(USER_AGENT, HeaderValue::from_static(concat!("tekno-logger/", env!("CARGO_PKG_VERSION"))));
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in headers {
        let mut value = HeaderValue::try_from(value).map_err(|_| malformed())?;
        value.set_sensitive(name == "authorization");
        fields.append(HeaderName::from_static(name), value);
    }
    Ok(built)
}
