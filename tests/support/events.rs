//! A reader of server-sent events.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// One message of a stream; a comment has its text as `event` and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub event: String,
    pub data: String,
}

impl Message {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("JSON, not {self:?}"))
    }

    fn parse(text: &str) -> Self {
        let mut message = Self::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("", comment)) => message.event = format!(":{comment}"),
                Some(("id", id)) => id.clone_into(&mut message.id),
                Some(("event", event)) => event.clone_into(&mut message.event),
                Some(("data", data)) => message.data += data,
                Some(("retry", _)) => {}
                _ => panic!("no line of a stream: {line:?}"),
            }
        }
        message
    }
}

/// An open stream.
pub struct Events {
    response: Response,
    unread: String,
}

impl Events {
    /// Opens it; it must be answered.
    pub async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(status, 200);
        assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
        assert_eq!(header("content-encoding"), None);
        let mut events = Self { response, unread: String::new() };
        assert_eq!(events.next().await.unwrap().event, ":tail");
        events
    }

    /// The next message or comment; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let message = Message::parse(&self.unread[..end]);
                self.unread.drain(..end + 2);
                return Some(message);
            }
            let read = timeout(PATIENCE, self.response.chunk()).await.expect("the stream says something");
            let Some(chunk) = read.expect("the stream ends well") else {
                assert_eq!(self.unread, "", "a message was cut off");
                return None;
            };
            self.unread += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next message but comments, which must be a log.
    pub async fn log(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("another message");
            if message.event.starts_with(':') {
                continue;
            }
            assert_eq!(message.event, "log", "{message:?}");
            let log = message.json();
            assert_eq!(log["id"], *message.id, "the id of the stream is the event's");
            return log;
        }
    }

    /// The messages of so many logs.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.log().await["message"].as_str().unwrap().to_owned());
        }
        texts
    }

    /// The reason for which it ends, and its end.
    pub async fn end(mut self) -> String {
        loop {
            let message = self.next().await.expect("a reason before the end");
            if message.event == "end" {
                assert_eq!(self.next().await, None);
                return message.json()["reason"].as_str().unwrap().to_owned();
            }
        }
    }
}
