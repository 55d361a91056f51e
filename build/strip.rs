//! What of a file under `web/` travels: of a script its tokens, without comments and with only those blanks and line ends
//! that tell two tokens or two statements apart; of a sheet the same, by the way this project writes sheets. Names stay, but
//! for those of private members, which nobody sees from outside.

use std::collections::BTreeMap;

use super::tokens::{Gap, Kind, Token, Tokens, is_of_word};

/// Marks at the end of a line with which a statement may end.
const MAY_END: [&str; 3] = [")", "]", "}"];
/// Marks at the beginning of a line with which a statement goes on or a block ends.
const GOES_ON: [&str; 11] = [".", "?", ":", ")", "]", "}", ",", ";", "=", "&", "|"];

/// A script as it is sent.
///
/// # Errors
/// The first line with what can't be told apart without a parser, and why.
pub fn script(text: &str) -> Result<String, String> {
    let mut sent = String::with_capacity(text.len());
    let mut tokens = Tokens::of(text);
    let mut heads = Heads::default();
    let mut members = BTreeMap::new();
    let mut declared = Declared::default();
    let mut last: Option<Token> = None;
    while let Some(token) = tokens.next()? {
        heads.see(last, token).map_err(|why| tokens.refused(why))?;
        let is_apart = last.is_some_and(|last| is_apart(&sent, last, token));
        if declared.goes_on(last, token, is_apart) {
            sent.pop();
            sent.push(',');
            last = Some(Token { kind: Kind::Mark, text: ",", ..token });
            continue;
        }
        if last.is_some_and(|last| is_idle(&sent, last, token)) {
            sent.pop();
        } else if is_apart {
            sent.push(if token.gap == Gap::Line { '\n' } else { ' ' });
        }
        match token.text.strip_prefix('#') {
            Some(member) if token.kind == Kind::Word => {
                let number = members.len();
                sent.push_str(members.entry(member).or_insert_with(|| short(number)));
            }
            _ if is_constant(last, token) => sent.push_str("let"),
            _ => sent.push_str(token.text),
        }
        last = Some(token);
    }
    if !sent.is_empty() {
        sent.push('\n');
    }
    Ok(sent)
}

/// `#a`, `#b`, … `#z`, `#aa`, … for the members of a module in the order in which they are named.
fn short(number: usize) -> String {
    let letter = |digit: usize| char::from(b"abcdefghijklmnopqrstuvwxyz"[digit % 26]);
    let first = number.checked_sub(26).map(|rest| letter(rest / 26));
    ['#'].into_iter().chain(first).chain([letter(number)]).collect()
}

/// Whether the gap between two tokens says something.
fn is_apart(sent: &str, last: Token, token: Token) -> bool {
    let ends = match last.kind {
        Kind::Word => true,
        Kind::Literal => !last.text.ends_with("${"),
        Kind::Mark => MAY_END.contains(&last.text) || sent.ends_with("++") || sent.ends_with("--"),
    };
    let goes_on = match token.kind {
        Kind::Word => false,
        Kind::Literal => token.text.starts_with('}'),
        Kind::Mark => GOES_ON.contains(&token.text),
    };
    let one_word = sent.ends_with(is_of_word) && token.text.starts_with(is_of_word);
    let one_mark = token.text.starts_with(['+', '-', '/']) && last.text.ends_with(&token.text[..1]);
    // `1.` would be the number.
    let one_number = token.text == "." && last.text.starts_with(|char: char| char.is_ascii_digit());
    let as_one = one_word || one_mark || one_number;
    (token.gap == Gap::Line && ends && !goes_on) || (token.gap != Gap::None && as_one)
}

/// Whether the mark before a bracket that closes has nothing to separate: a comma after the last member, or a semicolon
/// after the last statement. `[,]` has a place that its comma makes.
fn is_idle(sent: &str, last: Token, token: Token) -> bool {
    match (last.text, token.text) {
        (",", ")" | "]" | "}") => !sent.ends_with("[,") && !sent.ends_with(",,"),
        (";", "}") => true,
        _ => false,
    }
}

/// The brackets that are open, each with whether it belongs to an `if`, a `for` or a `while`.
#[derive(Default)]
struct Heads {
    open: Vec<bool>,
    closed: bool,
}

impl Heads {
    /// Refuses a statement of nothing but its semicolon, which would be taken for an idle one.
    fn see(&mut self, last: Option<Token>, token: Token) -> Result<(), &'static str> {
        let closed = std::mem::take(&mut self.closed);
        match token.text {
            ";" if closed || last.is_some_and(|last| ["else", "do"].contains(&last.text)) => {
                return Err("what is done in a loop or a condition needs a line");
            }
            "(" => self.open.push(last.is_some_and(|last| ["if", "for", "while"].contains(&last.text))),
            ")" => self.closed = self.open.pop().unwrap_or(false),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a token begins a declaration of constants. It is sent as `let`, so that declarations can be joined: that nobody
/// assigns to a constant is seen before by `npm run typecheck`.
fn is_constant(last: Option<Token>, token: Token) -> bool {
    token.text == "const" && last.is_none_or(|last| last.text != ".")
}

/// The declarations that may go on: `let a = 1; let b = 2;` says the same as `let a = 1, b = 2;`.
#[derive(Default)]
struct Declared {
    /// For each open bracket, and for what is around all of them, whether the statement in it declares.
    open: Vec<bool>,
    around: bool,
}

impl Declared {
    /// Whether a token is the word of a declaration behind another. A line end that stays may end a statement too.
    fn goes_on(&mut self, last: Option<Token>, token: Token, is_apart: bool) -> bool {
        if token.closes() {
            self.open.pop();
        }
        let here = self.open.last_mut().unwrap_or(&mut self.around);
        let is_first = last.is_none_or(|last| last.text == ";");
        let begins = ["const", "let"].contains(&token.text)
            && last.is_none_or(|last| ![".", "export"].contains(&last.text));
        let goes_on = is_first && begins && *here;
        if begins || is_first || (is_apart && token.gap == Gap::Line) {
            *here = begins;
        }
        if token.opens() {
            self.open.push(false);
        }
        goes_on
    }
}

/// A style sheet as it is sent.
///
/// # Errors
/// The first line with a comment that goes on over its end.
pub fn sheet(text: &str) -> Result<String, String> {
    let mut sent = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.matches("/*").count() != line.matches("*/").count() {
            return Err(format!("line {}: a comment must end on its line", number + 1));
        }
        let is_comment = line.starts_with("/*") && line.find("*/") == line.len().checked_sub(2);
        if is_comment || line.is_empty() {
            continue;
        }
        let line = tight(line);
        if line.starts_with('}') && sent.ends_with(';') {
            sent.pop();
        }
        sent.push_str(&line);
        // A selector may go on in the next line.
        if !sent.ends_with(['{', '}', ';', ',']) {
            sent.push('\n');
        }
    }
    Ok(sent)
}

/// What blanks say nothing beside, in this order.
const TIGHT: [(&str, &str); 9] = [
    (" {", "{"),
    ("{ ", "{"),
    (" }", "}"),
    ("} ", "}"),
    (";}", "}"),
    ("; ", ";"),
    (": ", ":"),
    (", ", ","),
    (" > ", ">"),
];

/// A line of a sheet without the blanks beside its marks. Texts in quotes stay as they are. A colon with a blank is one of
/// a declaration; before one of a selector the blank says something.
fn tight(line: &str) -> String {
    let mut sent = String::with_capacity(line.len());
    for (at, part) in line.split('"').enumerate() {
        if at > 0 {
            sent.push('"');
        }
        if at % 2 == 1 {
            sent.push_str(part);
            continue;
        }
        sent.push_str(&TIGHT.iter().fold(part.to_owned(), |part, (from, to)| part.replace(from, to)));
    }
    sent
}
