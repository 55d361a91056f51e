//! What of a file under `web/` travels: lines without their indentation, and no lines that are comments and nothing else.
//! Lines within a template are kept as they are. No parser is needed for that: a script of which a line can't be judged
//! by its backticks and its beginning is refused.

/// A script as it is sent.
///
/// # Errors
/// The first line that can't be judged without a parser, and why.
pub fn script(text: &str) -> Result<String, String> {
    let mut sent = String::with_capacity(text.len());
    let (mut in_comment, mut in_template) = (false, false);
    let mut turns = 0;
    for (number, whole) in text.lines().enumerate() {
        let line = whole.trim();
        let refused = |why: &str| format!("line {}: {why}", number + 1);
        if in_template {
            in_template = !ends_template(line).map_err(refused)?;
            turns += u32::from(!in_template);
            sent.push_str(if in_template { whole } else { whole.trim_end() });
            sent.push('\n');
            continue;
        }
        let ends = line.find("*/").map(|at| at + 2 == line.len());
        let goes_on = line == "*" || line == "*/" || line.starts_with("* ");
        let opens = line.starts_with("/**") && ends.is_none();
        if goes_on != in_comment || (goes_on && ends == Some(false)) {
            return Err(refused(
                "a line that begins with `*` must be one of a comment, and the other way round",
            ));
        }
        in_comment = opens || (in_comment && ends.is_none());
        let one_line = line.starts_with("//") || (line.starts_with("/**") && ends == Some(true));
        if !(goes_on || opens || one_line) {
            in_template = opens_template(line).map_err(refused)?;
            turns += u32::from(in_template);
            let line = if in_template { whole.trim_start() } else { line };
            if !line.is_empty() {
                sent.push_str(&without_types(line));
                sent.push('\n');
            }
        }
    }
    // A lone backtick, in a pattern, kept what follows it as it is. With more, who knows which began a template.
    if in_comment || (in_template && turns > 1) {
        return Err("it ends within a template or a comment; a lone backtick is \\x60".to_owned());
    }
    Ok(sent)
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
        if !is_comment && !line.is_empty() {
            sent.push_str(line);
            sent.push('\n');
        }
    }
    Ok(sent)
}

/// A line of code without the comments in it that name types. One that may stand in a text, after an odd number of quotes,
/// is left.
fn without_types(line: &str) -> String {
    let mut sent = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("/** @") {
        let Some((comment, behind)) = after.split_once("*/") else { break };
        sent.push_str(before);
        let in_text = ['"', '`'].iter().any(|quote| sent.matches(*quote).count() % 2 == 1);
        if in_text {
            sent.push_str("/** @");
            sent.push_str(comment);
            sent.push_str("*/");
        }
        rest = if in_text { behind } else { behind.strip_prefix(' ').unwrap_or(behind) };
    }
    sent.push_str(rest);
    sent
}

/// Whether a line of code leaves a template open.
fn opens_template(line: &str) -> Result<bool, &'static str> {
    let backticks = line.matches('`').count();
    if backticks > 0 && leaves_place_open(line) {
        return Err("a place in a template must end on its line");
    }
    if line.ends_with('\\') {
        return Err("a quoted text must end on its line");
    }
    let comment = line.rfind("/*");
    if comment.is_some_and(|at| !line[at..].contains("*/") && !line[..at].contains("//")) {
        return Err("a comment over lines must begin its line with `/**`");
    }
    Ok(backticks % 2 == 1)
}

/// Whether a line that began within a template ends it.
fn ends_template(line: &str) -> Result<bool, &'static str> {
    if leaves_place_open(line) {
        return Err("a place in a template must end on its line");
    }
    Ok(line.matches('`').count() % 2 == 1)
}

/// Whether a `${` has no `}` on its line.
fn leaves_place_open(line: &str) -> bool {
    let mut depth = 0;
    for place in line.split("${").skip(1) {
        depth += 1;
        for char in place.chars() {
            if depth == 0 {
                break;
            }
            depth += i32::from(char == '{') - i32::from(char == '}');
        }
    }
    depth > 0
}
