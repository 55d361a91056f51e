//! Takes secrets out of an event before anything of it is durable or logged.
//!
//! Values under secret-like keys of `ctx`, and what looks like a secret in any text, become `[scrubbed]`.
//! Clean text is neither copied nor allocated. Work is linear in the event's size, no input panics, and
//! scrubbing twice changes nothing more. It is no promise: a secret that looks like prose stays.

use std::borrow::Cow;

use crate::event::Event;
use crate::project::ScrubSettings;

mod card;
mod json;
mod key;
mod pair;
mod suspect;
#[cfg(test)]
mod tests;
mod text;
mod token;

/// What stands in a secret's place.
pub const SCRUBBED: &str = "[scrubbed]";

/// A project's rules, made once and used for all its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubber {
    off: bool,
    extra_keys: Vec<String>,
}

impl Scrubber {
    /// The rules of a project. Extra keys match as the built-in ones do: in any case and with any separators.
    #[must_use]
    pub fn new(settings: &ScrubSettings) -> Self {
        let extra_keys = settings.extra_keys.iter().map(|key| key::plain(key)).filter(|key| !key.is_empty());
        Self { off: settings.off, extra_keys: extra_keys.collect() }
    }

    /// Takes the secrets out of every field. Fields without any are left as they are, borrowed ones borrowed.
    /// A field may grow over its bound (see [`crate::protocol::cut_to_size`]), `ctx` to about twice its size.
    pub fn scrub(&self, event: &mut Event<'_>) {
        if self.off {
            return;
        }
        let optional = [
            &mut event.stack,
            &mut event.user_id,
            &mut event.request_id,
            &mut event.release,
            &mut event.client_fingerprint,
        ];
        let fields =
            optional.into_iter().flatten().chain([&mut event.message, &mut event.source, &mut event.env]);
        for field in fields.chain(&mut event.tags) {
            if let Some(clean) = text::scrub(field) {
                *field = Cow::Owned(clean);
            }
        }
        if let Some(clean) = event.ctx.as_deref().and_then(|ctx| json::scrub(ctx.get(), &self.extra_keys)) {
            event.ctx = Some(Cow::Owned(clean));
        }
    }

    /// One text without its secrets, for what is not part of an event; borrowed when there are none.
    #[must_use]
    pub fn scrub_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.off { Cow::Borrowed(text) } else { text::scrub(text).map_or(Cow::Borrowed(text), Cow::Owned) }
    }
}
