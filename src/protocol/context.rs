//! Builds an event's `ctx`: what the client put there, and every field that has no place of its own.
//!
//! The result is valid JSON for serde and for every server's JSON functions, on one line, at most 64 KiB. The usual
//! case, a tidy `ctx` alone, is borrowed from the body. What is larger keeps its first entries: those over 8 KiB
//! become a text of their first 8 KiB, and what then doesn't fit is left out.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::scan::{Kind, Scanner, Value};
use super::text::{Room, decode, text_of, write_string, write_tidy};
use super::{CTX_BYTES, CTX_ENTRY_BYTES, FIELD_CHARS};

/// Numbers tried to keep a field beside an entry of `ctx` with its name: `url`, `url_2`, …, `url_9`.
const MOST_NAMESAKES: u32 = 9;
/// Names that are compared one by one.
const FEW_NAMES: usize = 24;
/// Bytes kept free for the closing bracket.
const CLOSING_BYTES: usize = 1;

/// A field outside `ctx` that is kept inside it.
#[derive(Clone, Debug)]
pub struct Extra<'a> {
    /// Its name as text.
    pub name: Cow<'a, str>,
    /// Its value as found in the body.
    pub value: Value<'a>,
}

/// A finished `ctx`.
#[derive(Debug, Default)]
pub struct Context<'a> {
    /// `None` when there was nothing to keep.
    pub json: Option<Cow<'a, RawValue>>,
    /// Something was cut or left out.
    pub truncated: bool,
}

/// How deep [`build`]'s result will be.
#[must_use]
pub fn depth(ctx: Option<&Value<'_>>, extras: &[Extra<'_>]) -> u32 {
    let inside = extras.iter().map(|extra| extra.value.depth + 1).max();
    match ctx {
        None => inside.unwrap_or(0),
        Some(ctx) if ctx.kind == Kind::Object => ctx.depth.max(inside.unwrap_or(0)),
        Some(ctx) => inside.map_or(ctx.depth, |inside| inside.max(ctx.depth + 1)),
    }
}

/// Merges `extras` behind the entries of `ctx`; a `ctx` that is no object becomes the entry `ctx` beside them.
///
/// An entry of `ctx` is never overwritten: a field of the same name is kept as `name_2`.
#[must_use]
pub fn build<'a>(ctx: Option<&Value<'a>>, extras: &[Extra<'a>]) -> Context<'a> {
    let ctx = ctx.filter(|value| value.kind != Kind::Null);
    if ctx.is_none() && extras.is_empty() {
        return Context::default();
    }
    if let (Some(ctx), []) = (ctx, extras)
        && !ctx.traits.untidy
        && ctx.raw.len() <= CTX_BYTES
        && let Ok(json) = serde_json::from_str::<&RawValue>(ctx.raw)
    {
        return Context { json: Some(Cow::Borrowed(json)), truncated: false };
    }
    let raw_bytes = ctx.map_or(0, |ctx| ctx.raw.len()) + extras.iter().map(extra_bytes).sum::<usize>();
    let whole = if raw_bytes <= CTX_BYTES { write(ctx, extras, false).ok() } else { None };
    let (text, truncated) = match whole {
        Some(text) => (text, false),
        None => (write(ctx, extras, true).unwrap_or_else(|kept| kept), true),
    };
    let json = RawValue::from_string(text).ok().map(Cow::Owned);
    debug_assert!(json.is_some(), "what was written is JSON");
    Context { json, truncated }
}

fn extra_bytes(extra: &Extra<'_>) -> usize {
    extra.name.len() + extra.value.raw.len() + 4
}

/// The text, or in `Err` what of it fits.
fn write<'a>(ctx: Option<&Value<'a>>, extras: &[Extra<'a>], tight: bool) -> Result<String, String> {
    let array = ctx.is_some_and(|ctx| ctx.kind == Kind::Array) && extras.is_empty();
    let mut writer =
        Writer { text: String::new(), names: (!extras.is_empty()).then(Names::default), tight, full: false };
    match ctx {
        Some(ctx) if array => {
            writer.text.push('[');
            writer.entries(ctx, b'[', b']');
        }
        Some(ctx) if ctx.kind == Kind::Object => {
            writer.text.push('{');
            writer.entries(ctx, b'{', b'}');
        }
        Some(ctx) if extras.is_empty() => {
            writer.value(ctx);
            return if writer.full { Err("null".to_owned()) } else { Ok(writer.text) };
        }
        Some(ctx) => {
            writer.text.push('{');
            writer.entry(Some(Cow::Borrowed("ctx")), ctx);
        }
        None => writer.text.push('{'),
    }
    writer.extras(extras);
    writer.text.push(if array { ']' } else { '}' });
    if writer.full { Err(writer.text) } else { Ok(writer.text) }
}

/// The names in an object: compared one by one while they are few, which is the faster way, else hashed.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    fn contain(&self, name: &str) -> bool {
        self.few.iter().any(|taken| taken == name) || self.many.contains(name)
    }

    fn insert(&mut self, name: Cow<'a, str>) {
        if self.few.len() < FEW_NAMES {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
    }
}

struct Writer<'a> {
    text: String,
    /// Names taken so far, bounded with the text; kept only when there are extras.
    names: Option<Names<'a>>,
    /// Large entries are cut.
    tight: bool,
    /// Something didn't fit; nothing is added any more.
    full: bool,
}

impl<'a> Writer<'a> {
    /// The entries of an array or object that a scanner has passed before.
    fn entries(&mut self, container: &Value<'a>, open: u8, close: u8) {
        let mut scanner = Scanner::new(container.raw);
        let mut more = scanner.enter(open, close).unwrap_or(false);
        while more && !self.full {
            let key = if open == b'{' { scanner.key().ok() } else { None };
            let Ok(value) = scanner.value() else { return };
            self.entry(key.map(|key| decode(&key)), &value);
            more = scanner.another(close).unwrap_or(false);
        }
    }

    fn extras(&mut self, extras: &[Extra<'a>]) {
        for extra in extras {
            if self.full {
                return;
            }
            let name = Room::Chars(FIELD_CHARS).cut(extra.name.clone());
            match self.free_name(name.text) {
                Some(name) => self.entry(Some(name), &extra.value),
                None => self.full = true,
            }
        }
    }

    fn free_name(&self, name: Cow<'a, str>) -> Option<Cow<'a, str>> {
        let taken = |name: &Cow<'a, str>| self.names.as_ref().is_some_and(|names| names.contain(name));
        if !taken(&name) {
            return Some(name);
        }
        let numbered = |number| Cow::Owned(format!("{name}_{number}"));
        (2..=MOST_NAMESAKES).map(numbered).find(|candidate| !taken(candidate))
    }

    /// Adds an entry, or takes it back and stops when it doesn't fit.
    fn entry(&mut self, name: Option<Cow<'a, str>>, value: &Value<'_>) {
        if self.full {
            return;
        }
        let before = self.text.len();
        if before > 1 {
            self.text.push(',');
        }
        if let Some(name) = name {
            let name = if self.tight { Room::Chars(FIELD_CHARS).cut(name).text } else { name };
            write_string(&name, &mut self.text);
            self.text.push(':');
            if let Some(names) = &mut self.names {
                names.insert(name);
            }
        }
        self.value(value);
        if self.text.len() + CLOSING_BYTES > CTX_BYTES {
            self.full = true;
        }
        if self.full {
            self.text.truncate(before);
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        if self.tight && value.raw.len() > CTX_ENTRY_BYTES {
            write_string(&text_of(value, Room::Bytes(CTX_ENTRY_BYTES)).text, &mut self.text);
        } else if value.traits.untidy {
            write_tidy(value.raw, &mut self.text);
        } else {
            self.text.push_str(value.raw);
        }
        if self.text.len() > CTX_BYTES {
            self.full = true;
        }
    }
}
