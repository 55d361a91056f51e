//! Slack's incoming webhooks: blocks within Slack's limits (150 in a header, 3000 in a section, 2000 in a field, 10
//! fields), one message a second.

use std::time::Duration;

use serde_json::{Value, json};

use super::AlertMessage;
use super::answer::ChannelAnswer;
use super::text::{cut, facts, headline, one_line, without_controls};
use crate::outbound::{Outbound, Request, Target, Trust};

const MAX_HEADER: usize = 150;
const MAX_FIELD: usize = 300;
/// Fields of one section.
const FIELDS: usize = 10;
/// Of the sample, in characters before escaping, which makes at most five of one.
const MAX_SAMPLE: usize = 550;
const MAX_MUTE: usize = 300;
/// Longest link Slack takes.
const MAX_LINK: usize = 2_000;
/// Slack takes one message a second.
const SPACING: Duration = Duration::from_secs(1);

/// Posts the message.
pub(super) async fn deliver(outbound: &Outbound, target: &Target, message: &AlertMessage) -> ChannelAnswer {
    let request = Request::post_json(target, body(message).to_string().into_bytes());
    let sent = outbound.send(request, Trust::Guarded).await;
    ChannelAnswer::of_http(&sent).holding(Some(SPACING))
}

/// What is posted.
pub(super) fn body(message: &AlertMessage) -> Value {
    let headline = headline(message);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&headline, MAX_HEADER), "emoji": false },
    })];
    let facts = facts(message);
    for facts in facts.chunks(FIELDS) {
        let fields: Vec<Value> = facts
            .iter()
            .map(|(name, value)| markdown(&format!("*{name}*\n{}", escape(&cut(value, MAX_FIELD)))))
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(sample) = &message.sample {
        let sample = without_controls(sample).replace("```", "'''");
        blocks.push(section(&format!("```{}```", escape(&cut(&sample, MAX_SAMPLE)))));
    }
    if let Some(link) = message.link.as_deref().filter(|link| link.len() <= MAX_LINK) {
        blocks.push(section(&format!("<{}|Open in Tekno Logger>", escape(link))));
    }
    let mute = message.mute.as_deref().map(|mute| escape(&cut(&one_line(mute), MAX_MUTE)));
    let id = format!("Message {}", message.id);
    let small: Vec<Value> = [mute, Some(id)].into_iter().flatten().map(|text| markdown(&text)).collect();
    blocks.push(json!({ "type": "context", "elements": small }));
    // Shown in notifications; what links and mentions are made of is escaped.
    json!({ "text": escape(&headline), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": markdown(text) })
}

/// Text in Slack's markup, in which `verbatim` keeps it from making links and mentions of names.
fn markdown(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// The three characters Slack's markup is made of.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
