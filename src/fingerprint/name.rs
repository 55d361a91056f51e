//! Names of functions and files without what differs from build to build, host to host and call to call.

use super::line::Language;

/// Longest name that is kept, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A function's name as it is hashed; empty when it has none.
pub(super) fn function(language: Language, name: &str) -> String {
    let name = cut(name.trim());
    let plain = match language {
        Language::JavaScript => javascript(name).to_owned(),
        Language::Java => java(name),
        Language::DotNet => dot_net(name),
        Language::Rust => rust(name),
        Language::Go => go(name),
        Language::Ruby => ruby(name).to_owned(),
        Language::Php => php(name),
        Language::Python => name.to_owned(),
    };
    without_numbers(&plain)
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn javascript(name: &str) -> &str {
    const HOLDERS: [&str; 7] =
        ["Object.", "Module.", "exports.", "module.exports.", "window.", "global.", "self."];
    const NAMELESS: [&str; 10] = [
        "<anonymous>",
        "anonymous",
        "(anonymous function)",
        "{anonymous}",
        "?",
        "eval",
        "eval code",
        "global code",
        "module code",
        "default",
    ];
    // `promise callback*load` and `async*load` of Firefox; `bar [as baz]` of V8; `outer/inner/<` of Firefox.
    let name = name.rsplit('*').next().unwrap_or(name);
    let name = name.split(" [as ").next().unwrap_or(name);
    let name = name.trim_end_matches('<').trim_end_matches('/');
    let name = HOLDERS.iter().find_map(|holder| name.strip_prefix(holder)).unwrap_or(name);
    if NAMELESS.contains(&name) { "" } else { name }
}

/// `app//com.shop.Cart.add` and `java.base@17/java.lang.Thread.run` without the module.
pub(super) fn without_module(name: &str) -> &str {
    let name_end = name.find("$$Lambda").unwrap_or(name.len());
    name[..name_end].rfind('/').map_or(name, |slash| &name[slash + 1..])
}

fn java(name: &str) -> String {
    let name = without_module(name);
    // Proxies of frameworks carry a hash; the class before is the same.
    let generated = ["$$Enhancer", "$$FastClass", "$$Lambda", "$$SpringCGLIB"];
    let Some(at) = generated.iter().filter_map(|mark| name.find(mark)).min() else { return name.to_owned() };
    let method = name.rsplit_once('.').map_or("", |(_, method)| method);
    format!("{}.{method}", &name[..at])
}

/// Without arguments, generic arity, and the state machines and closures the compiler makes:
/// `Cart.<AddAsync>d__3.MoveNext` is `Cart.AddAsync`.
fn dot_net(name: &str) -> String {
    let name = name.split('(').next().unwrap_or(name);
    let name = name.split('[').next().unwrap_or(name);
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('.') {
        let inner = part.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        match inner {
            // `<>c__DisplayClass3_0`
            Some(("", _)) => {}
            // `<Run>g__Local|3_0`
            Some((_, rest)) if rest.starts_with("g__") => {
                parts.push(rest[3..].split('|').next().unwrap_or(rest));
            }
            Some((method, _)) => parts.push(method),
            None if part == "MoveNext" => {}
            None => parts.push(part.split(['`', '@']).next().unwrap_or(part)),
        }
    }
    parts.join(".")
}

fn rust(name: &str) -> String {
    let hash = name
        .rfind("::h")
        .filter(|at| name.len() == at + 19 && name[at + 3..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    let name = hash.map_or(name, |at| &name[..at]);
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("::{") {
        plain.push_str(&rest[..at]);
        rest = rest[at..].find('}').map_or("", |end| rest[at + end..].trim_start_matches('}'));
    }
    plain + rest
}

/// Without type parameters, `load[go.shape.string]`.
fn without_brackets(name: &str) -> String {
    let mut depth = 0_usize;
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    plain
}

/// Without arguments, type parameters, and numbers of closures.
fn go(name: &str) -> String {
    let name = name.split(" in goroutine").next().unwrap_or(name);
    let name = without_brackets(name);
    let is_made = |part: &str| {
        let digits = ["func", "gowrap"].iter().find_map(|made| part.strip_prefix(made)).unwrap_or(part);
        digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, name) = name.split_at(base);
    let kept: Vec<&str> = name.trim_end_matches("-fm").split('.').filter(|part| !is_made(part)).collect();
    format!("{path}{}", kept.join("."))
}

fn ruby(name: &str) -> &str {
    let name = if ["block ", "rescue ", "ensure "].iter().any(|word| name.starts_with(word)) {
        name.rsplit(" in ").next().unwrap_or(name)
    } else {
        name
    };
    // Views are compiled into methods with the path and a hash in their names.
    if name.starts_with("_app_") { "" } else { name }
}

/// `App\Job->App\{closure}` and since PHP 8.4 `App\Job->{closure:App\Job::run():14}` are one.
fn php(name: &str) -> String {
    let Some(at) = name.find("{closure") else { return name.to_owned() };
    let holder = name[..at].rfind([':', '>']).map_or("", |end| &name[..=end]);
    format!("{holder}{{closure}}")
}

/// Leaves out addresses, and digits that no letter comes before: `access$000`, `lambda$add$3`; `sha256` stays.
fn without_numbers(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        let in_word = plain.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if letter.is_ascii_digit() && !in_word {
            let hex = rest.starts_with("0x");
            let is_part = |next: char| if hex { next.is_ascii_alphanumeric() } else { next.is_ascii_digit() };
            rest = rest.trim_start_matches(is_part);
            continue;
        }
        plain.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    plain
}

/// Folder and name of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Folders from the root, with `/` between.
    folder: String,
    /// Last part, without what changes with a build.
    name: String,
    /// The name has a hash or says that it is minified: names of functions in it mean nothing.
    pub built: bool,
}

impl Place {
    /// Of a path, URL or module as printed.
    pub(super) fn of(path: &str) -> Self {
        let path = cut(path).replace('\\', "/");
        // A bundler's query differs from build to build.
        let path = path.split(['?', '#']).next().unwrap_or("");
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (name, built) = without_hash(name);
        Self { folder: folder.to_owned(), name, built }
    }

    /// The folders below `app` of a file that a framework's router knows by them alone: all are called `page.js`.
    fn route(&self) -> Option<&str> {
        const NAMES: [&str; 3] = ["page.", "route.", "layout."];
        const ROOTS: [&str; 4] = ["/server/app/", "/chunks/app/", "/src/app/", "/./app/"];
        let of_router = NAMES.iter().any(|name| self.name.starts_with(name));
        let (_, route) = ROOTS.iter().filter(|_| of_router).find_map(|root| self.folder.rsplit_once(root))?;
        Some(route)
    }

    /// The file's name, with the folder it is in below `root` if that is one that stays.
    pub(super) fn below(&self, root: &str) -> String {
        if let Some(route) = self.route() {
            return format!("{route}/{}", self.name);
        }
        let inner = self.folder.strip_prefix(root).unwrap_or("");
        // Of a URL the first part is the host.
        let within = if self.folder.contains("://") && !root.contains("://") { "" } else { inner };
        match within.trim_matches('/').rsplit('/').next() {
            Some(parent) if !parent.is_empty() && !is_hash(parent) => {
                format!("{}/{}", without_numbers(parent), self.name)
            }
            _ => self.name.clone(),
        }
    }
}

/// Whether a function's name is one a minifier made: no part of it has more than two letters.
pub(super) fn is_minified(function: &str) -> bool {
    let last = function.rsplit('.').next().unwrap_or("");
    last.split(|letter: char| !letter.is_alphanumeric()).all(|part| part.len() <= 2)
}

/// The folder that all of them are in.
pub(super) fn common_folder<'a>(places: impl Iterator<Item = &'a Place>) -> String {
    let mut folders = places.filter(|place| !place.folder.is_empty()).map(|place| place.folder.as_str());
    let Some(first) = folders.next() else { return String::new() };
    let mut common: Vec<&str> = first.split('/').collect();
    for folder in folders {
        let same = common.iter().zip(folder.split('/')).take_while(|(one, other)| **one == *other).count();
        common.truncate(same);
    }
    common.join("/")
}

/// A file's name without the hashes and numbers bundlers put into it, and whether there was one.
fn without_hash(name: &str) -> (String, bool) {
    let mut plain = String::with_capacity(name.len());
    let mut built = name.contains(".min.");
    for (number, part) in name.split_inclusive(['.', '-', '~']).enumerate() {
        let word = part.trim_end_matches(['.', '-', '~']);
        let last = word.len() == part.len();
        let script = [".js", ".mjs", ".cjs", ".css"].iter().any(|end| name.ends_with(end));
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let hash = digits || is_hash(word) || (script && is_mixed(word));
        // A name that is nothing but capitals and letters is a name.
        if hash && !last && (number > 0 || digits || is_hash(word)) {
            built = true;
        } else {
            plain.push_str(part);
        }
    }
    (plain, built)
}

/// Hex digits as of a hash, or letters and digits by turns.
fn is_hash(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    let by_turns = bytes.windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic());
    let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (word.len() >= 4 && hex && digits > 0) || (word.len() >= 8 && plain && digits >= 2 && by_turns)
}

/// Eight letters of base64 as Vite writes them, neither a word nor words joined.
fn is_mixed(word: &str) -> bool {
    let upper = word.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word.len() == 8
        && plain
        && (upper + digits >= 2
            || (upper == 1 && word.starts_with(|letter: char| letter.is_ascii_uppercase())))
}
