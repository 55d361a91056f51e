//! One event's fields: which names they go by, and how they are brought within bounds.
//!
//! | field | names | absent, `null` or empty |
//! | --- | --- | --- |
//! | time | `ts`, `timestamp`; else `time`, `@timestamp` if they read as a time after 2000 | time of receipt |
//! | level | `level`; else `severity` if it reads as a level | `info` |
//! | message | `message`; else `msg` | refused |
//! | source | `source` | the project's slug |
//! | environment | `env`, `environment` | `production` |
//! | context | `ctx`, `context` | none |
//! | others | `user_id`, `request_id`, `tags`, `release`, `stack`, `stack_trace`, `fingerprint` | none |
//!
//! `userId`, `requestId` and `stackTrace` are read as well. Everything else is kept in `ctx`: unknown fields, a
//! second name for the same field, and a text field whose value is a list or object. A time or level that can't be
//! read costs nothing but itself: the event is kept with the time of receipt or as `info`, and what was sent is in
//! `ctx` as `ts_original` or `level_original`. Numbers and `true`/`false` are taken as text where text is due.

use std::borrow::Cow;

use super::super::context::{self, Extra};
use super::super::scan::{Kind, ScanError, Scanner, Value};
use super::super::text::{Cut, Room, decode, text_of};
use super::super::{
    CTX_BYTES, CTX_ENTRY_BYTES, FIELD_CHARS, MAX_DEPTH, MAX_TAGS, MESSAGE_BYTES, MESSAGE_MISSING, ParseRules,
    SECRET_SLACK, STACK_BYTES,
};
use super::too_deep;
use crate::error::Rejection;
use crate::event::{Event, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// `time` is often a duration: it is the event's time only from 2000-01-01 on.
const PLAUSIBLE_FROM: Timestamp = Timestamp::from_millis(946_684_800_000);
/// The environment of events that name none.
const DEFAULT_ENV: &str = "production";
/// Text of this length or more is not looked at as a time or level.
const SHORT: Room = Room::Bytes(100);

/// A field with a place of its own.
#[derive(Clone, Copy)]
enum Field {
    Ts,
    OtherTs,
    Level,
    OtherLevel,
    Message,
    OtherMessage,
    Source,
    Env,
    Ctx,
    UserId,
    RequestId,
    Tags,
    Release,
    Stack,
    Fingerprint,
}

const FIELDS: usize = Field::Fingerprint as usize + 1;

impl Field {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "message" => Self::Message,
            "level" => Self::Level,
            "ts" | "timestamp" => Self::Ts,
            "ctx" | "context" => Self::Ctx,
            "source" => Self::Source,
            "env" | "environment" => Self::Env,
            "user_id" | "userId" => Self::UserId,
            "request_id" | "requestId" => Self::RequestId,
            "tags" => Self::Tags,
            "release" => Self::Release,
            "stack" | "stack_trace" | "stackTrace" => Self::Stack,
            "fingerprint" => Self::Fingerprint,
            "msg" => Self::OtherMessage,
            "severity" => Self::OtherLevel,
            "time" | "@timestamp" => Self::OtherTs,
            _ => return None,
        })
    }
}

/// A field as found: its key and its value.
type Found<'a> = (Value<'a>, Value<'a>);

/// An event as found in the body, field by field.
#[derive(Default)]
pub(super) struct Fields<'a> {
    own: [Option<Found<'a>>; FIELDS],
    extras: Vec<Extra<'a>>,
    /// What the extras will take in `ctx`, about; bounds their number.
    extra_bytes: usize,
    deepest: u32,
    truncated: bool,
}

impl<'a> Fields<'a> {
    /// Takes the object the scanner is at in place of what was here before.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'a>) -> Result<(), ScanError> {
        self.own = [None; FIELDS];
        self.extras.clear();
        (self.extra_bytes, self.deepest, self.truncated) = (0, 0, false);
        let mut more = scanner.enter(b'{', b'}')?;
        while more {
            let key = scanner.key()?;
            let value = scanner.value()?;
            self.put(key, value);
            more = scanner.another(b'}')?;
        }
        Ok(())
    }

    fn put(&mut self, key: Value<'a>, value: Value<'a>) {
        let plain = !key.traits.escaped && !key.traits.untidy;
        let field = if plain { Field::of(key.inner()) } else { Field::of(&decode(&key)) };
        let Some(field) = field else { return self.keep(decode(&key), value) };
        let slot = &mut self.own[field as usize];
        if value.kind == Kind::Null || value.raw == "\"\"" {
            return;
        }
        if slot.is_some() {
            return self.keep(decode(&key), value);
        }
        *slot = Some((key, value));
        self.deepest = self.deepest.max(value.depth);
    }

    /// Keeps a value for `ctx`, as long as there is any hope of room for it.
    fn keep(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        if self.extra_bytes > CTX_BYTES {
            self.truncated = true;
            return;
        }
        self.extra_bytes += name.len() + value.raw.len().min(CTX_ENTRY_BYTES) + 4;
        self.extras.push(Extra { name, value });
    }

    /// The event, or why it is refused.
    pub(super) fn normalise(&mut self, index: u32, rules: &ParseRules<'a>) -> Result<Event<'a>, Rejection> {
        let Some(message) = self.message() else {
            let detail = Cow::Borrowed("an event needs a message that is not empty");
            return Err(Rejection { index, code: MESSAGE_MISSING, detail });
        };
        let ts = self.ts(rules.received_at);
        let level = self.level();
        let source = self.text(Field::Source).unwrap_or(Cow::Borrowed(rules.project_slug));
        let env = self.text(Field::Env).unwrap_or(Cow::Borrowed(DEFAULT_ENV));
        let user_id = self.text(Field::UserId);
        let request_id = self.text(Field::RequestId);
        let release = self.text(Field::Release);
        let client_fingerprint = self.grouping();
        let stack = self.stack();
        let tags = self.tags();
        let ctx = self.own[Field::Ctx as usize].map(|(_, value)| value);
        if self.deepest.max(context::depth(ctx.as_ref(), &self.extras)) > MAX_DEPTH {
            return Err(too_deep(index));
        }
        let ctx = context::build(ctx.as_ref(), &self.extras);
        Ok(Event {
            index,
            ts,
            level,
            message,
            source,
            env,
            ctx: ctx.json,
            user_id,
            request_id,
            tags,
            release,
            stack,
            client_fingerprint,
            fingerprint: Fingerprint::default(),
            truncated: self.truncated || ctx.truncated,
        })
    }

    fn take(&mut self, field: Field) -> Option<Found<'a>> {
        self.own[field as usize].take()
    }

    /// Gives back a field that stood in for nothing.
    fn keep_found(&mut self, found: Option<Found<'a>>) {
        if let Some((key, value)) = found {
            self.keep(decode(&key), value);
        }
    }

    fn noting_cut(&mut self, cut: Cut<'a>) -> Cow<'a, str> {
        self.truncated |= cut.cut;
        cut.text
    }

    fn message(&mut self) -> Option<Cow<'a, str>> {
        let other = self.take(Field::OtherMessage);
        let value = match self.take(Field::Message) {
            Some((_, value)) => {
                self.keep_found(other);
                value
            }
            None => other?.1,
        };
        Some(self.noting_cut(text_of(&value, Room::Bytes(MESSAGE_BYTES + SECRET_SLACK))))
    }

    fn ts(&mut self, received_at: Timestamp) -> Timestamp {
        let mut found = None;
        if let Some((_, value)) = self.take(Field::Ts) {
            found = read_ts(&value, received_at);
            if found.is_none() {
                self.keep(Cow::Borrowed("ts_original"), value);
            }
        }
        if let Some((key, value)) = self.take(Field::OtherTs) {
            let other = read_ts(&value, received_at).filter(|ts| found.is_none() && *ts >= PLAUSIBLE_FROM);
            match other {
                Some(_) => found = other,
                None => self.keep(decode(&key), value),
            }
        }
        found.map_or(received_at, |ts| ts.min(received_at))
    }

    fn level(&mut self) -> Level {
        let mut found = None;
        if let Some((_, value)) = self.take(Field::Level) {
            found = read_level(&value);
            if found.is_none() {
                self.keep(Cow::Borrowed("level_original"), value);
            }
        }
        if let Some((key, value)) = self.take(Field::OtherLevel) {
            let other = read_level(&value).filter(|_| found.is_none());
            match other {
                Some(_) => found = other,
                None => self.keep(decode(&key), value),
            }
        }
        found.unwrap_or(Level::Info)
    }

    /// A short text; a list or object is kept in `ctx` instead.
    fn text(&mut self, field: Field) -> Option<Cow<'a, str>> {
        let (key, value) = self.take(field)?;
        if is_container(&value) {
            self.keep(decode(&key), value);
            return None;
        }
        Some(self.noting_cut(text_of(&value, Room::Chars(FIELD_CHARS + SECRET_SLACK))))
    }

    /// The client's own grouping: a text, or a list of them as Sentry has it, which is joined; an object is its JSON.
    fn grouping(&mut self) -> Option<Cow<'a, str>> {
        let (_, value) = self.take(Field::Fingerprint)?;
        let room = Room::Chars(FIELD_CHARS + SECRET_SLACK);
        if value.kind != Kind::Array {
            return Some(self.noting_cut(text_of(&value, room)));
        }
        let mut parts = String::new();
        let whole = each_entry(&value, |_, part| {
            if part.kind != Kind::Null {
                parts.push_str(if parts.is_empty() { "" } else { "\n" });
                parts.push_str(&text_of(&part, room).text);
            }
            parts.len() <= FIELD_CHARS * 4
        });
        self.truncated |= !whole;
        Some(self.noting_cut(room.cut(Cow::Owned(parts)))).filter(|parts| !parts.is_empty())
    }

    /// The stack trace; a list of lines is joined, anything else but a string is its JSON.
    fn stack(&mut self) -> Option<Cow<'a, str>> {
        let (_, value) = self.take(Field::Stack)?;
        let room = Room::Bytes(STACK_BYTES + SECRET_SLACK);
        if value.kind != Kind::Array {
            return Some(self.noting_cut(text_of(&value, room)));
        }
        let mut lines = String::new();
        let whole = each_entry(&value, |_, line| {
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(&text_of(&line, room).text);
            lines.len() <= STACK_BYTES
        });
        self.truncated |= !whole;
        Some(self.noting_cut(room.cut(Cow::Owned(lines)))).filter(|stack| !stack.is_empty())
    }

    /// Labels from a list, from an object as `key:value`, or a single one.
    fn tags(&mut self) -> Vec<Cow<'a, str>> {
        let mut tags = Vec::new();
        let Some((_, value)) = self.take(Field::Tags) else { return tags };
        let room = Room::Chars(FIELD_CHARS + SECRET_SLACK);
        let mut any_cut = false;
        let mut add = |key: Option<Value<'a>>, value: Value<'a>| {
            if value.kind == Kind::Null || value.raw == "\"\"" {
                return true;
            }
            if tags.len() == MAX_TAGS {
                return false;
            }
            let mut tag = text_of(&value, room);
            if let Some(key) = key {
                let key = text_of(&key, room);
                any_cut |= key.cut || tag.cut;
                tag = room.cut(Cow::Owned(format!("{}:{}", key.text, tag.text)));
            }
            any_cut |= tag.cut;
            tags.push(tag.text);
            true
        };
        let whole = if is_container(&value) { each_entry(&value, add) } else { add(None, value) };
        self.truncated |= any_cut || !whole;
        tags
    }
}

fn is_container(value: &Value<'_>) -> bool {
    matches!(value.kind, Kind::Array | Kind::Object)
}

/// Shows each entry of a list or object, with its key if it has one, until `show` has enough; false when it had.
fn each_entry<'a>(value: &Value<'a>, mut show: impl FnMut(Option<Value<'a>>, Value<'a>) -> bool) -> bool {
    let object = value.kind == Kind::Object;
    let (open, close) = if object { (b'{', b'}') } else { (b'[', b']') };
    let mut scanner = Scanner::new(value.raw);
    let mut more = scanner.enter(open, close).unwrap_or(false);
    while more {
        let key = if object { scanner.key().ok() } else { None };
        let Ok(entry) = scanner.value() else { break };
        if !show(key, entry) {
            return false;
        }
        more = scanner.another(close).unwrap_or(false);
    }
    true
}

/// As the contract says of every time that comes in: absolute, or relative to now as `-15m`.
fn read_ts(value: &Value<'_>, received_at: Timestamp) -> Option<Timestamp> {
    match value.kind {
        Kind::String => {
            let text = text_of(value, SHORT).text;
            Timestamp::parse_text(&text).or_else(|| Timestamp::parse_query(&text, received_at))
        }
        Kind::Number => Timestamp::from_epoch_number(value.raw),
        _ => None,
    }
}

fn read_level(value: &Value<'_>) -> Option<Level> {
    match value.kind {
        Kind::String => Level::parse(&text_of(value, SHORT).text),
        // `30.0` is how some languages print an integer.
        Kind::Number => Level::from_number(value.raw.strip_suffix(".0").unwrap_or(value.raw).parse().ok()?),
        _ => None,
    }
}
