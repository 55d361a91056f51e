//! Discord's webhooks: one embed, within every limit, mentioning nobody.
//!
//! Limits by Discord's documentation: title 256, description 4096, 25 fields of 256 and 1024, footer 2048, 6000 in all
//! embeds of a message. One text too long would fail the whole message.

use serde_json::{Value, json};

use super::AlertMessage;
use super::answer::{ChannelAnswer, Verdict, from_seconds};
use super::text::{cut, facts, headline, one_line, without_controls};
use crate::event::Level;
use crate::outbound::{Outbound, Request, Target, Trust};

const MAX_TITLE: usize = 256;
/// Of a field's value.
const MAX_VALUE: usize = 1_024;
const MAX_FIELDS: usize = 25;
const MAX_FOOTER: usize = 256;
/// Of the sample: with everything else at its longest the sum stays below 6000.
const MAX_SAMPLE: usize = 1_500;
/// Of the text about muting.
const MAX_MUTE: usize = 300;

/// Posts the message and waits for Discord to say that it is there.
pub(super) async fn deliver(
    outbound: &Outbound,
    target: &Target,
    thread_id: Option<&str>,
    message: &AlertMessage,
) -> ChannelAnswer {
    let mut target = target.with_parameter("wait", "true");
    if let Some(thread) = thread_id {
        target = target.with_parameter("thread_id", thread);
    }
    let request = Request::post_json(&target, body(message).to_string().into_bytes());
    let sent = outbound.send(request, Trust::Guarded).await;
    let answer = ChannelAnswer::of_http(&sent);
    // The body's figure has the fraction that the header may lack.
    let asked = sent.ok().filter(|_| answer.verdict == Verdict::Retry).and_then(|sent| {
        let said: Value = serde_json::from_slice(&sent.body).ok()?;
        from_seconds(said.get("retry_after")?.as_f64()?)
    });
    answer.holding(asked)
}

/// What is posted.
pub(super) fn body(message: &AlertMessage) -> Value {
    let fields: Vec<Value> = facts(message)
        .into_iter()
        .take(MAX_FIELDS)
        .map(
            |(name, value)| json!({ "name": name, "value": cut(&escape(&value), MAX_VALUE), "inline": true }),
        )
        .collect();
    let mut embed = json!({
        "title": cut(&escape(&headline(message)), MAX_TITLE),
        "description": description(message),
        "color": color(message),
        "fields": fields,
        "footer": { "text": cut(&format!("Message {}", message.id), MAX_FOOTER) },
        "timestamp": message.at.to_string(),
    });
    if let Some(link) = &message.link {
        embed["url"] = json!(link);
    }
    json!({ "username": "Tekno Logger", "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn description(message: &AlertMessage) -> String {
    // A fence in the sample would end ours; an invisible character between its signs keeps it text.
    let sample = message.sample.as_deref().map(|sample| {
        let sample = cut(&without_controls(sample).replace("```", "`\u{200b}`\u{200b}`"), MAX_SAMPLE);
        format!("```\n{sample}\n```")
    });
    let mute = message.mute.as_deref().map(|mute| cut(&escape(&one_line(mute)), MAX_MUTE));
    [sample, mute].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Takes the meaning from what Discord's markup is made of: a title is no link to somewhere else.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '<' | '>' | '#') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn color(message: &AlertMessage) -> u32 {
    match message.level {
        _ if message.resolved => 0x2e_7d32,
        Some(Level::Fatal) => 0x7b_1fa2,
        Some(Level::Error) => 0xc6_2828,
        Some(Level::Warn) => 0xef_6c00,
        _ => 0x15_65c0,
    }
}
