//! One line of a stack trace: a frame, a function whose file comes next, an exception's type, or nothing of use.
//!
//! Reads what JavaScript (V8, Firefox, Safari), Python, Java and Kotlin, .NET, Rust, Go, Ruby and PHP print.

/// Whose trace a frame is of, as far as its form tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    #[default]
    JavaScript,
    Python,
    Java,
    DotNet,
    Rust,
    Go,
    Ruby,
    Php,
}

/// A frame as printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub language: Language,
    /// With its module or class as far as printed; may be empty.
    pub function: &'a str,
    /// File's path without line and column; may be empty.
    pub file: &'a str,
}

/// Reads a line that holds a frame whole, or the second line of one whose function, `pending`, came before.
pub(super) fn frame<'a>(line: &'a str, pending: &'a str) -> Option<Frame<'a>> {
    if let Some(rest) = line.strip_prefix("at ") {
        return at_frame(rest.trim_end_matches(" {"), pending);
    }
    if let Some(frame) = foreign_dot_net(line) {
        return Some(frame);
    }
    python(line)
        .or_else(|| php(line))
        .or_else(|| go(line, pending))
        .or_else(|| ruby(line).map(|(frame, _)| frame))
        .or_else(|| firefox(line))
        .or_else(|| bare_url(line))
}

/// `at` lines of JavaScript, Java, .NET, and of Rust after a function's line.
fn at_frame<'a>(rest: &'a str, pending: &'a str) -> Option<Frame<'a>> {
    if !pending.is_empty() {
        let file = before_line(rest);
        return (file.len() < rest.len()).then_some(Frame {
            language: Language::Rust,
            function: pending,
            file,
        });
    }
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    if let Some((call, file)) =
        rest.rsplit_once(" in ").filter(|(call, file)| call.contains('(') && file.contains(":line "))
    {
        let file = file.split(":line ").next().unwrap_or(file);
        return Some(Frame { language: Language::DotNet, function: call, file });
    }
    // `fn (file:1:2)`: the file may have brackets of its own.
    if let Some((function, place)) = rest.split_once(" (").filter(|(function, _)| !function.contains('(')) {
        let place = place.rfind(')').map_or(place, |end| &place[..end]);
        let made = place.starts_with("eval at ") || place.starts_with("index ") || place == "native";
        let file = if made { "<anonymous>" } else { before_line(place) };
        let is_place = made || file == "<anonymous>" || file.len() < place.len();
        return is_place.then_some(Frame { language: Language::JavaScript, function, file });
    }
    let Some((function, place)) = rest.split_once('(') else {
        let file = before_line(rest);
        let whole = !file.contains(' ') || file.starts_with(['/', '.']) || file.starts_with("file:");
        let named = whole && (file.len() < rest.len() || rest == "<anonymous>");
        return named.then_some(Frame { language: Language::JavaScript, function: "", file });
    };
    if function.contains(' ') || !function.contains('.') {
        return None;
    }
    // `Class.method(File.java:1)`, perhaps with a jar after it, or `Class.Method(Type arg)`.
    let place = place.split(')').next().unwrap_or(place);
    let file = before_line(place);
    let unknown = matches!(place, "Native Method" | "Unknown Source" | "SourceFile" | "<generated>");
    let source = [".java", ".kt", ".scala", ".groovy", ".clj"].iter().any(|end| file.ends_with(end));
    let java = unknown || source || (file.len() < place.len() && !place.contains(' '));
    let language = if java { Language::Java } else { Language::DotNet };
    Some(Frame { language, function, file: if java && !unknown { file } else { "" } })
}

/// .NET prints traces in the language of its host: `bei Shop.Cart.Add(Int32 id) in C:\src\Cart.cs:Zeile 10.`
fn foreign_dot_net(line: &str) -> Option<Frame<'_>> {
    const WORDS: [(&str, &str, &str); 6] = [
        ("bei ", " in ", ":Zeile "),
        ("à ", " dans ", ":ligne "),
        ("en ", " en ", ":línea "),
        ("in ", " in ", ":riga "),
        ("в ", " в ", ":строка "),
        ("場所 ", " 場所 ", ":行 "),
    ];
    WORDS.iter().find_map(|(at, within, number)| {
        let rest = line.strip_prefix(at)?;
        let (call, file) = match rest.rsplit_once(within) {
            Some((call, file)) if call.ends_with(')') => (call, file.split_once(number)?.0),
            _ => (rest, ""),
        };
        let (function, _) = call.split_once('(').filter(|_| call.ends_with(')'))?;
        let named = function.contains('.') && !function.contains(' ');
        named.then_some(Frame { language: Language::DotNet, function: call, file })
    })
}

fn python(line: &str) -> Option<Frame<'_>> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once('"')?;
    let function = rest.split_once(" in ").map_or("", |(_, function)| function);
    Some(Frame { language: Language::Python, function, file })
}

/// `#0 /srv/app/file.php(12): Class->method(args)`
fn php(line: &str) -> Option<Frame<'_>> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    if !is_number(number) {
        return None;
    }
    if rest.trim() == "{main}" {
        return None;
    }
    let (place, call) = rest.split_once(": ")?;
    let file = place.rsplit_once('(').map_or(place, |(file, _)| file);
    Some(Frame { language: Language::Php, function: before(call, '('), file })
}

/// `app/file.rb:12:in 'method'`, perhaps after `from `; and what follows it, which may be the error.
pub(super) fn ruby(line: &str) -> Option<(Frame<'_>, &str)> {
    let line =
        line.split_once(": from ").filter(|(number, _)| is_number(number)).map_or(line, |(_, rest)| rest);
    let (place, function) = line.strip_prefix("from ").unwrap_or(line).split_once(":in ")?;
    let file = before_line(place);
    let function = function.strip_prefix(['\'', '`'])?;
    let (function, rest) = function.split_once('\'')?;
    (file.len() < place.len()).then_some((Frame { language: Language::Ruby, function, file }, rest))
}

/// `function@file:1:2`
fn firefox(line: &str) -> Option<Frame<'_>> {
    let (function, place) = line.split_once('@')?;
    let file = before_line(place);
    let is_place = file.len() < place.len() && (file.contains('/') || file.contains("eval code"));
    (is_place || place == "[native code]").then_some(Frame { language: Language::JavaScript, function, file })
}

/// Safari prints the place alone where a function has no name.
fn bare_url(line: &str) -> Option<Frame<'_>> {
    const SCHEMES: [&str; 5] = ["http://", "https://", "file://", "webpack://", "webpack-internal://"];
    let file = before_line(line);
    let is_place = !line.contains(' ') && file.len() < line.len();
    (is_place && SCHEMES.iter().any(|scheme| line.starts_with(scheme))).then_some(Frame {
        language: Language::JavaScript,
        function: "",
        file,
    })
}

/// `/srv/app/file.go:12 +0x1d` after the function's line.
fn go<'a>(line: &'a str, pending: &'a str) -> Option<Frame<'a>> {
    let file = go_place(line)?;
    Some(Frame { language: Language::Go, function: pending, file })
}

/// The file of a line that is a place in Go.
pub(super) fn go_place(line: &str) -> Option<&str> {
    let at = line.find(".go:")? + 3;
    let numbered = line.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    (numbered && !line[..at].contains(": ")).then(|| &line[..at])
}

/// `3: crate::module::function`
pub(super) fn rust_function(line: &str) -> Option<&str> {
    let (number, function) = line.split_once(": ")?;
    let function = function.trim_start();
    let name = function.split_once(" - ").map_or(function, |(_, name)| name.trim_start());
    let is_name = name.contains("::") || name.starts_with('<') || !name.contains(' ');
    (is_number(number) && is_name && !name.is_empty()).then_some(name)
}

/// `main.(*Server).handle(0xc000010000, 0x1)`, whatever the line before the place holds.
pub(super) fn go_function(line: &str) -> Option<&str> {
    let function = if line.ends_with(')') { &line[..line.rfind('(')?] } else { before(line, ' ') };
    let called = function == "panic" || function.contains('.');
    (called && !function.contains(' ') && !function.ends_with(':')).then_some(function)
}

/// Without the bars Python puts before the parts of a group of exceptions.
pub(super) fn without_margin(line: &str) -> &str {
    let rest = line.trim_start();
    rest.strip_prefix("| ").or_else(|| rest.strip_prefix("+ ")).unwrap_or(line)
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn before(text: &str, mark: char) -> &str {
    text.split(mark).next().unwrap_or(text)
}

/// Without `:line` or `:line:column` at the end.
fn before_line(place: &str) -> &str {
    let mut file = place;
    for _ in 0..2 {
        match file.rsplit_once(':') {
            Some((rest, number)) if is_number(number) => file = rest,
            _ => break,
        }
    }
    file
}
