//! The tokens of a script, as far as leaving out comments and blanks needs them. Not a parser: what a token means is not
//! known. A slash behind a value divides and is refused without a blank behind it, as it may be a pattern after all.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A text in quotes, a part of a template, or a pattern.
    Literal,
    /// One character of punctuation.
    Mark,
}

/// What stood before a token: blanks, comments, or the end of a line among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gap {
    None,
    Blank,
    Line,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub gap: Gap,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// Whether a bracket, or a place in a template, begins with it.
    pub fn opens(&self) -> bool {
        match self.kind {
            Kind::Word => false,
            Kind::Literal => self.text.ends_with("${"),
            Kind::Mark => ["(", "[", "{"].contains(&self.text),
        }
    }

    /// Whether a bracket, or a place in a template, ends with it.
    pub fn closes(&self) -> bool {
        match self.kind {
            Kind::Word => false,
            Kind::Literal => self.text.starts_with('}'),
            Kind::Mark => [")", "]", "}"].contains(&self.text),
        }
    }
}

/// Words after which a slash begins a pattern.
const BEFORE_PATTERN: [&str; 9] = ["return", "typeof", "case", "in", "of", "void", "await", "throw", "else"];

pub struct Tokens<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    /// For each open brace whether it is a place in a template.
    braces: Vec<bool>,
    last: Option<Token<'a>>,
}

impl<'a> Tokens<'a> {
    pub fn of(source: &'a str) -> Self {
        Self { source, at: 0, line: 1, braces: Vec::new(), last: None }
    }

    /// All tokens of a script.
    ///
    /// # Errors
    /// Those of `next`.
    pub fn list(source: &'a str) -> Result<Vec<Token<'a>>, String> {
        let (mut tokens, mut list) = (Self::of(source), Vec::new());
        while let Some(token) = tokens.next()? {
            list.push(token);
        }
        Ok(list)
    }

    /// The next token; none at the end.
    ///
    /// # Errors
    /// What does not end, or can't be told apart, with its line.
    pub fn next(&mut self) -> Result<Option<Token<'a>>, String> {
        let gap = self.skip().map_err(|why| self.refused(why))?;
        let rest = &self.source[self.at..];
        let Some(first) = rest.chars().next() else {
            return if self.braces.is_empty() {
                Ok(None)
            } else {
                Err(self.refused("a brace is not closed"))
            };
        };
        let (kind, length) = self.measure(first, rest).map_err(|why| self.refused(why))?;
        let token = Token { kind, text: &rest[..length], gap, start: self.at };
        self.line += token.text.matches('\n').count();
        self.at += length;
        self.last = Some(token);
        Ok(Some(token))
    }

    /// A reason with the line it is about.
    pub fn refused(&self, why: &str) -> String {
        format!("line {}: {why}", self.line)
    }

    /// Goes over blanks and comments.
    fn skip(&mut self) -> Result<Gap, &'static str> {
        let (start, line) = (self.at, self.line);
        loop {
            let rest = &self.source[self.at..];
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").ok_or("a comment does not end")? + 2
            } else {
                rest.len() - rest.trim_start().len()
            };
            if length == 0 {
                break;
            }
            self.line += rest[..length].matches('\n').count();
            self.at += length;
        }
        Ok(if self.line > line {
            Gap::Line
        } else if self.at > start {
            Gap::Blank
        } else {
            Gap::None
        })
    }

    fn measure(&mut self, first: char, rest: &str) -> Result<(Kind, usize), &'static str> {
        let literal = |length| (Kind::Literal, length);
        match first {
            '"' | '\'' => text(rest, first).map(literal),
            '`' => self.template(rest).map(literal),
            '}' => match self.braces.pop() {
                Some(true) => self.template(rest).map(literal),
                Some(false) => Ok((Kind::Mark, 1)),
                None => Err("a brace is closed that was not opened"),
            },
            '/' if self.pattern_begins(rest)? => pattern(rest).map(literal),
            _ if is_of_word(first) => {
                Ok((Kind::Word, rest.find(|char| !is_of_word(char)).unwrap_or(rest.len())))
            }
            _ => {
                if first == '{' {
                    self.braces.push(false);
                }
                Ok((Kind::Mark, first.len_utf8()))
            }
        }
    }

    /// The length of a template, or of its part up to the next place or from a place on.
    fn template(&mut self, rest: &str) -> Result<usize, &'static str> {
        let bytes = rest.as_bytes();
        let mut at = 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'`' => return Ok(at + 1),
                b'$' if bytes.get(at + 1) == Some(&b'{') => {
                    self.braces.push(true);
                    return Ok(at + 2);
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err("a template does not end")
    }

    fn pattern_begins(&self, rest: &str) -> Result<bool, &'static str> {
        let after_value = self.last.is_some_and(|last| match last.kind {
            Kind::Word => !BEFORE_PATTERN.contains(&last.text),
            Kind::Literal => !last.text.ends_with("${"),
            Kind::Mark => [")", "]", "}"].contains(&last.text),
        });
        if after_value && !rest[1..].starts_with([' ', '=', '\n']) {
            return Err("a pattern or a division? That has a blank behind it");
        }
        Ok(!after_value)
    }
}

/// Whether two of them side by side would be one word.
pub fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$' || char == '#'
}

fn text(rest: &str, quote: char) -> Result<usize, &'static str> {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            '\n' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err("a quoted text must end on its line")
}

/// The length of `/…/` with its flags.
fn pattern(rest: &str) -> Result<usize, &'static str> {
    let (mut escaped, mut in_class) = (false, false);
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            '\n' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                let flags = &rest[at + 1..];
                return Ok(at + 1 + flags.find(|char| !is_of_word(char)).unwrap_or(flags.len()));
            }
            _ => {}
        }
    }
    Err("a pattern must end on its line")
}
