//! The frames of a stack trace that tell one fault from another: the function and the file's name of the
//! innermost frames in the application's own code, without line numbers, and the exception's type.
//!
//! Reads what JavaScript, Python, Java, Rust, Go, Ruby, PHP and .NET print. Lines it can't read are skipped.

/// Frames that go into a fingerprint.
const MAX_FRAMES: usize = 5;
/// Lines that are looked at; a stack is at most 32 KiB.
const MAX_LINES: usize = 400;

/// One line of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// With its module or class as far as printed; may be empty.
    pub function: &'a str,
    /// File's path as printed; may be empty.
    pub file: &'a str,
}

/// Appends the exception's type and the chosen frames to `out`; nothing when no line is a frame.
pub(super) fn write(stack: &str, out: &mut String) {
    let found = choose(stack);
    if found.count == 0 {
        return;
    }
    push(found.kind, out);
    for frame in found.kept() {
        push(frame.function, out);
        push(frame.file_name(), out);
    }
}

/// What [`write`] takes: the exception's type, and function and file of each frame.
pub(super) fn parts(stack: &str) -> (String, Vec<(String, String)>) {
    let found = choose(stack);
    let shown = |text: &str| {
        let mut out = String::new();
        push(text, &mut out);
        out.split_off(1)
    };
    if found.count == 0 {
        return Default::default();
    }
    let frames = found.kept().map(|frame| (shown(frame.function), shown(frame.file_name())));
    (shown(found.kind), frames.collect())
}

/// Digits and hashes differ from build to build.
fn push(text: &str, out: &mut String) {
    out.push('\0');
    let text = text.find("::h").filter(|at| text.len() == at + 19).map_or(text, |at| &text[..at]);
    out.extend(text.chars().filter(|letter| !letter.is_ascii_digit()));
}

impl<'a> Frame<'a> {
    fn file_name(&self) -> &'a str {
        self.file.rfind(['/', '\\']).map_or(self.file, |slash| &self.file[slash + 1..])
    }
}

/// A ring of the frames to keep.
struct Found<'a> {
    kind: &'a str,
    frames: [Frame<'a>; MAX_FRAMES],
    count: usize,
}

impl<'a> Found<'a> {
    /// The kept frames, the ring's oldest first.
    fn kept(&self) -> impl Iterator<Item = Frame<'a>> + '_ {
        let kept = self.count.min(MAX_FRAMES);
        (self.count - kept..self.count).map(|index| self.frames[index % MAX_FRAMES])
    }
}

/// In-app frames, or all frames when there are none in-app. Python prints the innermost frame last: there the last
/// frames are kept, elsewhere the first.
fn choose(stack: &str) -> Found<'_> {
    let mut app = Found { kind: "", frames: [Frame::default(); MAX_FRAMES], count: 0 };
    let mut all = Found { kind: "", frames: [Frame::default(); MAX_FRAMES], count: 0 };
    let mut pending = "";
    let mut python = false;
    let mut kind = "";
    for line in stack.lines().take(MAX_LINES) {
        if app.count == MAX_FRAMES && !python {
            break;
        }
        let line = line.trim();
        let last = python;
        match read(line, pending) {
            Line::Frame(frame) => {
                python |= line.starts_with("File \"");
                let keep = |found: &mut Found<'_>| python || found.count < MAX_FRAMES;
                if !is_library(&frame) && keep(&mut app) {
                    app.frames[app.count % MAX_FRAMES] = frame;
                    app.count += 1;
                }
                if keep(&mut all) {
                    all.frames[all.count % MAX_FRAMES] = frame;
                    all.count += 1;
                }
                pending = "";
            }
            Line::Function(function) => pending = function,
            Line::Kind(found) if kind.is_empty() || last => kind = found,
            Line::Kind(_) | Line::Other => {}
        }
    }
    let mut found = if app.count > 0 { app } else { all };
    found.kind = kind;
    found
}

/// What a line says.
enum Line<'a> {
    Frame(Frame<'a>),
    /// A function whose file is on the next line (Go, Rust).
    Function(&'a str),
    /// The exception's type.
    Kind(&'a str),
    Other,
}

fn read<'a>(line: &'a str, pending: &'a str) -> Line<'a> {
    if let Some(rest) = line.strip_prefix("at ") {
        return at_frame(rest, pending).map_or(Line::Other, Line::Frame);
    }
    let frame = python(line)
        .or_else(|| php(line))
        .or_else(|| ruby(line))
        .or_else(|| firefox(line))
        .or_else(|| go(line, pending));
    if let Some(frame) = frame {
        return Line::Frame(frame);
    }
    if let Some(function) = rust_function(line).or_else(|| go_function(line)) {
        return Line::Function(function);
    }
    kind(line).map_or(Line::Other, Line::Kind)
}

/// `at` lines of JavaScript, Java, .NET, and of Rust after a function's line.
fn at_frame<'a>(rest: &'a str, pending: &'a str) -> Option<Frame<'a>> {
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    if let Some((call, file)) = rest.rsplit_once(" in ").filter(|(_, file)| file.contains(":line ")) {
        return Some(Frame {
            function: before(call, '('),
            file: file.split(":line ").next().unwrap_or(file),
        });
    }
    let Some((function, place)) = rest.split_once('(') else {
        let file = before_line(rest);
        return (file.len() < rest.len()).then_some(Frame { function: pending, file });
    };
    // `fn (file:1:2)` in JavaScript, `Class.method(File.java:1)` in Java, `Class.method(Type arg)` in .NET.
    let place = place.trim_end_matches(')');
    let file = before_line(place);
    let is_file = function.ends_with(' ') || file.len() < place.len() || place == "Native Method";
    Some(Frame { function: function.trim_end(), file: if is_file { file } else { "" } })
}

fn python(line: &str) -> Option<Frame<'_>> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once('"')?;
    Some(Frame { function: rest.split_once(" in ").map_or("", |(_, function)| function), file })
}

/// `#0 /srv/app/file.php(12): Class->method(args)`
fn php(line: &str) -> Option<Frame<'_>> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (place, call) = rest.split_once(": ")?;
    Some(Frame { function: before(call, '('), file: before(place, '(') })
}

/// `app/file.rb:12:in 'method'`, perhaps after `from `.
fn ruby(line: &str) -> Option<Frame<'_>> {
    let (place, function) = line.strip_prefix("from ").unwrap_or(line).split_once(":in ")?;
    Some(Frame { function: function.trim_matches(['\'', '`']), file: before_line(place) })
}

/// `function@file:1:2`
fn firefox(line: &str) -> Option<Frame<'_>> {
    let (function, place) = line.split_once('@')?;
    let file = before_line(place);
    (file.len() < place.len() && !line.contains(' ')).then_some(Frame { function, file })
}

/// `/srv/app/file.go:12 +0x1d` after the function's line.
fn go<'a>(line: &'a str, pending: &'a str) -> Option<Frame<'a>> {
    let (file, _) = line.split_once(".go:")?;
    (!file.contains(' ')).then(|| Frame { function: pending, file: &line[..file.len() + 3] })
}

/// `3: crate::module::function`
fn rust_function(line: &str) -> Option<&str> {
    let (number, function) = line.split_once(": ")?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    numbered.then(|| function.rsplit_once(" - ").map_or(function, |(_, name)| name))
}

/// `main.(*Server).handle(0xc000010000, 0x1)`, perhaps after `created by `.
fn go_function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("created by ").unwrap_or(line);
    let function = if line.ends_with(')') { &line[..line.rfind('(')?] } else { before(line, ' ') };
    let called = function.contains('.') && !function.contains(' ') && !function.ends_with('.');
    (called && !function.ends_with(':')).then_some(function)
}

/// The type at the beginning of an exception's line.
fn kind(line: &str) -> Option<&str> {
    let line = line.strip_prefix("Caused by: ").unwrap_or(line);
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let name = line.split([':', ' ', '(']).next()?;
    let ends = ["Error", "Exception", "Fault", "Exit", "Interrupt", "Warning"];
    ends.iter().any(|end| name.ends_with(end)).then_some(name)
}

fn before(text: &str, mark: char) -> &str {
    text.split(mark).next().unwrap_or(text)
}

/// Without `:line` or `:line:column` at the end.
fn before_line(place: &str) -> &str {
    let mut file = place.trim_end_matches(')');
    for _ in 0..2 {
        match file.rsplit_once(':') {
            Some((rest, number))
                if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                file = rest;
            }
            _ => break,
        }
    }
    // A bundler's query differs from build to build.
    before(file, '?')
}

/// Frames of a language's own and of well-known libraries.
fn is_library(frame: &Frame<'_>) -> bool {
    const FILES: [&str; 18] = [
        "node_modules/",
        "node:",
        "internal/",
        "site-packages/",
        "dist-packages/",
        "/lib/python",
        "<frozen",
        "/rustc/",
        ".cargo/registry/",
        "/vendor/",
        "/gems/",
        "/lib/ruby/",
        "/pkg/mod/",
        "/usr/local/go/",
        "/go/src/runtime/",
        "<anonymous>",
        "[internal function]",
        "webpack/bootstrap",
    ];
    const FUNCTIONS: [&str; 38] = [
        "java.",
        "javax.",
        "jakarta.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "groovy.",
        "org.springframework.",
        "org.apache.",
        "org.hibernate.",
        "org.eclipse.",
        "org.junit.",
        "io.netty.",
        "reactor.",
        "com.fasterxml.",
        "com.google.common.",
        "System.",
        "Microsoft.",
        "Npgsql.",
        "core::",
        "std::",
        "alloc::",
        "<core::",
        "<alloc::",
        "<std::",
        "tokio::",
        "hyper::",
        "__rust",
        "rust_begin_unwind",
        "_main",
        "runtime.",
        "net/http.",
        "testing.",
        "java.base/",
        "panic(",
    ];
    FILES.iter().any(|part| frame.file.contains(part))
        || FUNCTIONS.iter().any(|start| frame.function.starts_with(start))
}
