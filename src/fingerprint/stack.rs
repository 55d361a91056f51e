//! A stack trace as a fingerprint sees it: types of the exceptions, what codes they said, and the frames that count.
//!
//! Chained exceptions are put in one order whatever the language prints first: types from the outermost on, frames from
//! those of the root cause on, innermost first. Of the frames those of the application's own code count, or all where
//! there are none; each once, so that recursion of any depth is the same.

use std::borrow::Cow;

use super::header::{self, Header, Link};
use super::judge;
use super::library;
use super::line::{self, Frame};
use super::visible;

/// Lines that are looked at; a stack is at most 32 KiB.
const MAX_LINES: usize = 600;
/// Frames that are read.
const MAX_READ: usize = 250;
/// Frames that count at most, equal ones as one.
pub(super) const MAX_COUNTED: usize = 16;
/// Exceptions of a chain that are told apart.
const MAX_CHAIN: usize = 8;

/// Why a frame counts or doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Of the application's own code.
    Own,
    /// Of a library, in a trace that has nothing else.
    OnlyLibraries,
    /// Of a library, told by this part of its file or function.
    Library(&'static str),
    /// The same function is there already.
    Repeated,
    /// There were `MAX_COUNTED` before.
    Beyond,
}

impl Verdict {
    /// Whether the frame is part of the fingerprint.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Own | Self::OnlyLibraries)
    }
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFrame {
    /// Function, with its module or class as far as printed, without what varies; empty when it has no name.
    pub function: String,
    /// File's name, with its folder where that tells more; may be empty.
    pub file: String,
    /// Why it counts or doesn't.
    pub verdict: Verdict,
}

/// What was read of a trace with at least one frame.
#[derive(Clone, Debug)]
pub(super) struct Trace<'a> {
    /// Types from the outermost exception on; empty when none is named.
    pub kinds: Vec<&'a str>,
    /// What the exceptions said, in the same order.
    pub said: Vec<&'a str>,
    /// A panic has no type: what it said takes its place.
    pub is_panic: bool,
    /// The root cause's first, innermost first.
    pub frames: Vec<SeenFrame>,
}

impl Trace<'_> {
    /// Frames that are part of the fingerprint. Where one came twice their order says nothing: which of two functions
    /// that call each other is on top depends on the depth.
    pub(super) fn counted(&self) -> Vec<(&str, &str)> {
        let counted = self.frames.iter().filter(|frame| frame.verdict.counts());
        let mut counted: Vec<(&str, &str)> =
            counted.map(|frame| (frame.function.as_str(), frame.file.as_str())).collect();
        if self.frames.iter().any(|frame| frame.verdict == Verdict::Repeated) {
            counted.sort_unstable();
        }
        counted
    }
}

/// Reads a trace; `None` when no line of it is a frame.
pub(super) fn read(text: &str) -> Option<Trace<'_>> {
    Reader::of(text).finish()
}

/// The frames of libraries in a trace, each with its first line and its last, from 0 and in their order. None where the
/// whole trace has no other frames, and none beyond what is read of a trace.
#[must_use]
pub fn library_lines(text: &str) -> Vec<[usize; 2]> {
    // Each line for itself: what is left out may have a line's end within, and lines are to keep their numbers.
    let plain: Vec<Cow<'_, str>> = text.split('\n').map(visible::text).collect();
    let plain = plain.join("\n");
    let mut reader = Reader::of(&plain);
    reader.end_pending(reader.number);
    if reader.own == 0 { Vec::new() } else { reader.libraries }
}

/// One exception of a chain.
#[derive(Default)]
struct Exception<'a> {
    kind: &'a str,
    said: &'a str,
    /// How deep it is: the root cause is deepest.
    depth: i32,
    /// Innermost first, but in Python last.
    frames: Vec<Frame<'a>>,
    is_python: bool,
    /// What is told beside counts for nothing.
    is_aside: bool,
    /// A list of causes follows that are no frames.
    in_list: bool,
}

struct Reader<'a> {
    chain: Vec<Exception<'a>>,
    /// The one whose lines come now.
    at: usize,
    /// A function whose file is on the next line.
    pending: &'a str,
    is_panic: bool,
    read: usize,
    /// The line is indented: it belongs to what is told beside, if that is what came before.
    indented: bool,
    /// The line's number, from 0.
    number: usize,
    /// First and last lines of frames of libraries, whatever exception they are of, …
    libraries: Vec<[usize; 2]>,
    /// … and how many others there are.
    own: usize,
}

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().take(MAX_LINES).collect();
        let mut reader = Reader {
            chain: vec![Exception::default()],
            at: 0,
            pending: "",
            is_panic: false,
            read: 0,
            indented: false,
            number: 0,
            libraries: Vec::new(),
            own: 0,
        };
        for (number, line) in lines.iter().enumerate() {
            let next = lines.get(number + 1).map_or("", |line| line.trim());
            if reader.read >= MAX_READ {
                break;
            }
            reader.number = number;
            if !reader.line(line, next) {
                break;
            }
        }
        reader
    }

    /// Takes a line; false when what follows doesn't belong to the trace.
    fn line(&mut self, raw: &'a str, next: &'a str) -> bool {
        let bare = line::without_margin(raw);
        let line = bare.trim();
        self.indented = bare.starts_with([' ', '\t']);
        if line.is_empty() {
            self.current().in_list = false;
            return true;
        }
        if line.starts_with("goroutine ") && line.ends_with("]:") {
            return self.read == 0;
        }
        // `+---------------- 2 ----------------` before each part of a group: the first is its cause.
        if let Some(part) = line.strip_prefix("+-").and_then(|rest| rest.split_once("--- ")) {
            self.push(if part.1.starts_with("1 ") { Link::Cause } else { Link::Aside });
            self.current().is_python = false;
            return true;
        }
        let line = line.strip_prefix("Exception Group ").unwrap_or(line);
        if line.starts_with("Traceback (most recent call last)") {
            if self.current().is_python || !self.current().frames.is_empty() {
                self.push(Link::Effect);
            }
            self.current().is_python = true;
            return true;
        }
        if line.starts_with("--- End of inner exception stack trace") {
            self.shallower();
            return true;
        }
        if line.starts_with("[errors]: [") {
            self.push(Link::Aside);
            return true;
        }
        if line == "Caused by:" {
            self.current().in_list = true;
            return true;
        }
        let code_of_python =
            self.current().is_python && bare.starts_with([' ', '\t']) && !line.starts_with("File \"");
        let above = self.libraries.last_mut().filter(|lines| lines[1] + 1 == self.number);
        if let Some(lines) = above.filter(|_| code_of_python) {
            lines[1] = self.number;
        }
        if self.current().in_list || code_of_python || self.is_frame(line, next) {
            return true;
        }
        self.header(line, next);
        true
    }

    /// Takes a line that is a frame, or a function whose file comes next.
    fn is_frame(&mut self, line: &'a str, next: &'a str) -> bool {
        let pending = std::mem::take(&mut self.pending);
        if let Some(frame) = line::frame(line, pending) {
            if let Some((kind, said)) = line::ruby(line).and_then(|(_, rest)| header::ruby_kind(rest)) {
                if !self.current().kind.is_empty() || !self.current().frames.is_empty() {
                    self.push(Link::Cause);
                }
                self.name(kind, said);
            }
            self.add(frame, [self.number - usize::from(!pending.is_empty()), self.number]);
            return true;
        }
        self.pending = pending;
        self.end_pending(self.number.saturating_sub(1));
        if let Some(function) = line::rust_function(line) {
            if next.starts_with("at ") {
                self.pending = function;
                return true;
            }
            // Built without debug information; else a numbered list of anything.
            if function.contains("::") {
                self.add(Frame { language: line::Language::Rust, function, file: "" }, [self.number; 2]);
                return true;
            }
        }
        // Where the goroutine was started is not where it is.
        if line.starts_with("created by ") {
            return true;
        }
        if line::go_place(next).is_some()
            && let Some(function) = line::go_function(line)
        {
            self.pending = function;
            return true;
        }
        false
    }

    /// Takes the function on a line as a frame, when its file didn't come.
    fn end_pending(&mut self, number: usize) {
        let function = std::mem::take(&mut self.pending);
        if !function.is_empty() {
            self.add(Frame { language: line::Language::Rust, function, file: "" }, [number; 2]);
        }
    }

    fn add(&mut self, frame: Frame<'a>, lines: [usize; 2]) {
        // Not `std::panicking::try`, which is what catches a panic, at the other end.
        const PANICS: [&str; 9] = [
            "rust_begin_unwind",
            "core::panicking::",
            "std::panicking::begin_panic",
            "std::panicking::rust_panic",
            "std::panicking::default_hook",
            "std::panicking::panic",
            "runtime.gopanic",
            "runtime.sigpanic",
            "runtime.panic",
        ];
        let is_started = frame.language == line::Language::Go && frame.function.is_empty();
        if is_started {
            return;
        }
        self.read += 1;
        match library::mark(&frame) {
            Some(_) => self.libraries.push(lines),
            None => self.own += 1,
        }
        let panics = matches!(frame.language, line::Language::Go | line::Language::Rust);
        // What is above is what handles the panic.
        let function = frame.function.strip_prefix("__rustc::").unwrap_or(frame.function);
        if panics && (function == "panic" || PANICS.iter().any(|start| function.starts_with(start))) {
            self.current().frames.clear();
        }
        self.current().frames.push(frame);
    }

    fn header(&mut self, line: &'a str, next: &'a str) {
        if let Some(said) = header::panic(line, Some(next)) {
            if self.current().said.is_empty() {
                self.is_panic = true;
                self.name("panic", said);
            }
            return;
        }
        let current = self.current();
        let python_end = current.is_python && !current.frames.is_empty();
        let before_frames = current.frames.is_empty() && next.starts_with("at ");
        let is_named = !current.kind.is_empty();
        let Some(Header { link: stands, kind, said }) = header::read(line, python_end || before_frames)
        else {
            return;
        };
        match stands {
            Link::None if is_named || (!python_end && !self.current().frames.is_empty()) => {}
            Link::None => self.name(kind, said),
            other => {
                self.push(other);
                self.name(kind, said);
            }
        }
        // .NET Framework prints the whole chain on one line.
        for inner in line.split(" ---> ").skip(1) {
            if let Some(Header { kind, said, .. }) = header::read(inner, true) {
                self.push(Link::Cause);
                self.name(kind, said);
            }
        }
    }

    fn name(&mut self, kind: &'a str, said: &'a str) {
        let current = self.current();
        (current.kind, current.said) = (kind, said);
    }

    fn current(&mut self) -> &mut Exception<'a> {
        &mut self.chain[self.at]
    }

    fn push(&mut self, link: Link) {
        let last = self.current();
        let (depth, is_python, was_aside) = (last.depth, last.is_python, last.is_aside);
        let was_aside = was_aside && self.indented;
        let depth = match link {
            Link::Cause => depth + 1,
            Link::Effect => depth - 1,
            Link::None | Link::Aside => depth,
        };
        // Beyond the bound all is told beside.
        let is_aside = link == Link::Aside || was_aside || self.chain.len() >= MAX_CHAIN;
        if self.chain.len() > MAX_CHAIN {
            return;
        }
        self.chain.push(Exception { depth, is_python, is_aside, ..Exception::default() });
        self.at = self.chain.len() - 1;
    }

    /// Frames of the exception around this one follow.
    fn shallower(&mut self) {
        let depth = self.current().depth - 1;
        self.at = self.chain.iter().rposition(|one| one.depth == depth && !one.is_aside).unwrap_or(self.at);
    }

    fn finish(mut self) -> Option<Trace<'a>> {
        self.end_pending(self.number);
        let mut chain = self.chain;
        chain.retain(|one| !one.is_aside);
        chain.sort_by_key(|one| one.depth);
        let mut kinds: Vec<&str> = Vec::new();
        let mut said = Vec::new();
        for one in chain.iter().filter(|one| !one.kind.is_empty()) {
            said.push(one.said);
            if kinds.last() != Some(&one.kind) {
                kinds.push(one.kind);
            }
        }
        let mut frames = Vec::new();
        for one in chain.iter_mut().rev() {
            if one.is_python {
                one.frames.reverse();
            }
            frames.append(&mut one.frames);
        }
        let frames = judge::judge(&frames);
        (!frames.is_empty()).then_some(Trace { kinds, said, is_panic: self.is_panic, frames })
    }
}
