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
    let mut last = None;
    while let Some(token) = tokens.next()? {
        heads.see(last, token).map_err(|why| tokens.refused(why))?;
        if let Some(last) = last {
            if is_idle(&sent, last, token) {
                sent.pop();
            } else if is_apart(&sent, last, token) {
                sent.push(if token.gap == Gap::Line { '\n' } else { ' ' });
            }
        }
        match token.text.strip_prefix('#') {
            Some(member) if token.kind == Kind::Word => {
                let number = members.len();
                sent.push_str(members.entry(member).or_insert_with(|| short(number)));
            }
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
    let one_mark = last.text == token.text && ["+", "-", "/"].contains(&token.text);
    (token.gap == Gap::Line && ends && !goes_on) || (token.gap != Gap::None && (one_word || one_mark))
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
            ";" if closed => return Err("what is done in a loop or a condition needs a line"),
            "(" => self.open.push(last.is_some_and(|last| ["if", "for", "while"].contains(&last.text))),
            ")" => self.closed = self.open.pop().unwrap_or(false),
            _ => {}
        }
        Ok(())
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
