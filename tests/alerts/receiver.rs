//! An HTTP server that keeps what it gets and answers by a script, or as Discord does.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{PATIENCE, until};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// What it was answered.
    pub status: u16,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer of the script.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn saying(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    script: VecDeque<Reply>,
    /// When messages were taken within the present window, for Discord's limit.
    taken: VecDeque<Instant>,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

/// Messages a Discord webhook takes in [`DISCORD_WINDOW`].
pub const DISCORD_LIMIT: usize = 5;
pub const DISCORD_WINDOW: Duration = Duration::from_secs(2);

impl Receiver {
    /// Answers 204 where the script says nothing else.
    pub async fn start() -> Self {
        Self::serve(|state, _| state.script.pop_front().unwrap_or_else(|| Reply::status(204))).await
    }

    /// Speaks Discord's limits: five messages in two seconds, told in headers, and a 429 with a fraction of a second
    /// for those who don't listen; one text too long fails the message.
    pub async fn discord() -> Self {
        Self::serve(discord).await
    }

    async fn serve(answer: fn(&mut State, &Received) -> Reply) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                let service = service_fn(move |request| handle(state.clone(), answer, request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { port, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers the next requests so.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script.extend(replies);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Everything it got, once there are at least so many.
    pub async fn at_least(&self, count: usize) -> Vec<Received> {
        until(&format!("{count} requests"), PATIENCE, || async { self.received().len() >= count }).await;
        self.received()
    }
}

async fn handle(
    state: Arc<Mutex<State>>,
    answer: fn(&mut State, &Received) -> Reply,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned();
    let mut received = Received {
        method: head.method.to_string(),
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        status: 0,
    };
    let mut state = state.lock().unwrap();
    let reply = answer(&mut state, &received);
    received.status = reply.status;
    state.received.push(received);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(Bytes::from(reply.body))).unwrap())
}

fn discord(state: &mut State, received: &Received) -> Reply {
    let now = Instant::now();
    while state.taken.front().is_some_and(|at| now.duration_since(*at) >= DISCORD_WINDOW) {
        state.taken.pop_front();
    }
    let reset = state
        .taken
        .front()
        .map_or(DISCORD_WINDOW, |first| DISCORD_WINDOW.saturating_sub(now.duration_since(*first)));
    let limits = |reply: Reply, left: usize| {
        reply
            .with("x-ratelimit-limit", &DISCORD_LIMIT.to_string())
            .with("x-ratelimit-remaining", &left.to_string())
            .with("x-ratelimit-reset-after", &format!("{:.3}", reset.as_secs_f64() + 0.001))
    };
    if state.taken.len() >= DISCORD_LIMIT {
        let said = json!({ "message": "You are being rate limited.", "retry_after": reset.as_secs_f64() + 0.001, "global": false });
        return limits(Reply::status(429).saying(&said.to_string()), 0);
    }
    if let Some(why) = discord_refuses(&received.json()) {
        return Reply::status(400).saying(&json!({ "code": 50_035, "message": why }).to_string());
    }
    state.taken.push_back(now);
    limits(Reply::status(200).saying(r#"{"id":"1"}"#), DISCORD_LIMIT - state.taken.len())
}

fn discord_refuses(body: &Value) -> Option<&'static str> {
    let chars = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let embeds = body["embeds"].as_array()?;
    let mut sum = 0;
    for embed in embeds {
        let fields = embed["fields"].as_array().cloned().unwrap_or_default();
        sum += chars(&embed["title"]) + chars(&embed["description"]) + chars(&embed["footer"]["text"]);
        sum += fields.iter().map(|field| chars(&field["name"]) + chars(&field["value"])).sum::<usize>();
        let long = chars(&embed["title"]) > 256
            || chars(&embed["description"]) > 4_096
            || chars(&embed["footer"]["text"]) > 2_048
            || fields.len() > 25
            || fields.iter().any(|field| chars(&field["name"]) > 256 || chars(&field["value"]) > 1_024);
        let empty = fields.iter().any(|field| chars(&field["name"]) == 0 || chars(&field["value"]) == 0);
        if long || empty {
            return Some("Invalid Form Body");
        }
    }
    let wrong = embeds.len() > 10 || sum > 6_000 || chars(&body["content"]) > 2_000;
    (wrong || (embeds.is_empty() && chars(&body["content"]) == 0)).then_some("Invalid Form Body")
}
