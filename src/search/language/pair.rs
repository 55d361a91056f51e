//! Which parentheses and operators have what belongs to them; the others become text, with a warning each.

use super::lexer::{Kind, Segment, Token};
use super::parser::Warning;

/// Turns into text every parenthesis without its partner, empty pairs, and operators without their operands. What is
/// left is balanced. Answers how deep it is.
pub(super) fn pair_tokens(text: &str, tokens: &mut Vec<Token>, warnings: &mut Vec<Warning>) -> usize {
    pair_parentheses(text, tokens, warnings);
    pair_operators(text, tokens, warnings);
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn pair_parentheses(text: &str, tokens: &mut Vec<Token>, warnings: &mut Vec<Warning>) {
    let mut open: Vec<usize> = Vec::new();
    let mut alone: Vec<usize> = Vec::new();
    let mut empty: Vec<usize> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => open.push(index),
            Kind::Close => match open.pop() {
                None => alone.push(index),
                Some(opened) if opened + 1 == index => empty.push(opened),
                Some(_) => {}
            },
            _ => {}
        }
    }
    for index in open {
        let span = tokens[index].span.clone();
        warnings.push(Warning::new(span, "a ( is not closed, so it is searched as text"));
        make_text(text, &mut tokens[index]);
    }
    for index in alone {
        let span = tokens[index].span.clone();
        warnings.push(Warning::new(span, "a ) was not opened, so it is searched as text"));
        make_text(text, &mut tokens[index]);
    }
    for &index in &empty {
        let span = tokens[index].span.start..tokens[index + 1].span.end;
        warnings.push(Warning::new(span.clone(), "there is nothing in (), so it is searched as text"));
        tokens[index].span = span;
        make_text(text, &mut tokens[index]);
    }
    let mut index = 0;
    tokens.retain(|_| {
        index += 1;
        index < 2 || empty.binary_search(&(index - 2)).is_err()
    });
}

fn pair_operators(text: &str, tokens: &mut [Token], warnings: &mut Vec<Warning>) {
    let mut after_operand = false;
    for index in 0..tokens.len() {
        let before_operand = tokens
            .get(index + 1)
            .is_some_and(|next| !matches!(next.kind, Kind::Close | Kind::Or | Kind::And));
        let token = &mut tokens[index];
        let is_whole = match token.kind {
            Kind::Or | Kind::And => after_operand && before_operand,
            Kind::Not | Kind::Minus => before_operand,
            _ => true,
        };
        if !is_whole {
            let word = &text[token.span.clone()];
            let why = format!("{word} has nothing to join, so it is searched as text");
            warnings.push(Warning::new(token.span.clone(), &why));
            make_text(text, token);
        }
        after_operand =
            matches!(token.kind, Kind::Atom(_) | Kind::Regex { .. } | Kind::Name(_) | Kind::Close);
    }
}

fn make_text(text: &str, token: &mut Token) {
    token.kind = Kind::Atom(vec![Segment::Raw(text[token.span.clone()].to_owned())]);
}
