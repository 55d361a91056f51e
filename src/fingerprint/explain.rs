//! Why an event has the fingerprint it has, for people.

use super::{DEFAULT_GROUPING, Fingerprint, Fingerprinter, Parts, SeenFrame, Told, names_default, visible};

/// Frames that are shown at most.
const MAX_SHOWN_FRAMES: usize = 60;

/// What a fingerprint is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The message's template.
    Template,
    /// A stack trace.
    Stack,
    /// The client's own grouping.
    Client,
}

impl Kind {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Stack => "stack",
            Self::Client => "client",
        }
    }
}

/// What a fingerprint was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The fingerprint these parts give.
    pub fingerprint: Fingerprint,
    /// What it is of.
    pub kind: Kind,
    /// The message's template.
    pub template: String,
    /// Types of the exceptions in a trace, the outermost first; empty when none is named.
    pub types: Vec<String>,
    /// The first frames of a trace, each with why it counts or doesn't.
    pub frames: Vec<SeenFrame>,
    /// What was hashed, in words and in order, the version first.
    pub hashed: Vec<String>,
}

impl Fingerprinter {
    /// Why an event of these parts has the fingerprint it has.
    pub fn explain(&mut self, parts: &Parts<'_>) -> Explanation {
        let (message, stack) = (visible::text(parts.message), parts.stack.map(visible::text));
        let parts = &Parts { message: &message, stack: stack.as_deref(), ..*parts };
        let fingerprint = self.of_parts(parts);
        let template = self.template(parts.message).to_owned();
        let mut hashed = vec![format!("version {}", super::VERSION)];
        let trace = parts.trace();
        let own: Vec<&str> = parts.own().filter(|part| !DEFAULT_GROUPING.contains(part)).collect();
        let with_default = own.is_empty() || parts.own().any(names_default);
        let mut types = Vec::new();
        let mut frames = Vec::new();
        if with_default {
            hashed.push(format!("source {}", parts.source));
        }
        if let Some(trace) = trace {
            let told = Told::of(&trace, parts, &mut self.scratch);
            if with_default {
                hashed.extend(told.types.iter().map(|kind| format!("type {kind}")));
                hashed.extend(told.codes.iter().map(|code| format!("code {code}")));
                hashed.extend(trace.counted().into_iter().map(frame_text));
                hashed.extend(told.text.map(|text| format!("template {}", self.template(text))));
            }
            types = told.types.iter().map(|kind| (*kind).to_owned()).collect();
            frames = trace.frames;
        } else if with_default {
            hashed.push(format!("template {template}"));
        }
        hashed.extend(own.iter().map(|part| format!("client {part}")));
        let kind = match () {
            () if !own.is_empty() => Kind::Client,
            () if frames.is_empty() => Kind::Template,
            () => Kind::Stack,
        };
        frames.truncate(MAX_SHOWN_FRAMES);
        Explanation { fingerprint, kind, template, types, frames, hashed }
    }
}

fn frame_text((function, file): (&str, &str)) -> String {
    match (function, file) {
        ("", file) => format!("frame in {file}"),
        (function, "") => format!("frame {function}"),
        (function, file) => format!("frame {function} in {file}"),
    }
}
