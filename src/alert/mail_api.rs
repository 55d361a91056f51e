//! Mail by HTTPS, for hosts that block every SMTP port: a POST of JSON in Resend's shape.

use serde_json::{Value, json};

use super::AlertMessage;
use super::answer::ChannelAnswer;
use super::email::{Mail, MailAddresses};
use crate::outbound::{Outbound, Request, Target, Trust};

/// Where mails go unless a channel says otherwise.
pub(super) const MAILS_URL: &str = "https://api.resend.com/emails";

/// Posts the mail. The message's id is the idempotency key, so a repetition makes no second mail.
pub(super) async fn deliver(
    outbound: &Outbound,
    target: &Target,
    api_key: &str,
    addresses: &MailAddresses,
    message: &AlertMessage,
) -> ChannelAnswer {
    let request = Request::post_json(target, body(addresses, message).to_string().into_bytes())
        .with("authorization", format!("Bearer {api_key}"))
        .with("idempotency-key", message.id.to_string());
    ChannelAnswer::of_http(&outbound.send(request, Trust::Guarded).await)
}

/// What is posted.
pub(super) fn body(addresses: &MailAddresses, message: &AlertMessage) -> Value {
    let mail = Mail::about(message, addresses);
    let to: Vec<String> = addresses.to.iter().map(ToString::to_string).collect();
    json!({
        "from": addresses.from.to_string(),
        "to": to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "headers": {
            "References": mail.references,
            "In-Reply-To": mail.references,
            "Auto-Submitted": "auto-generated",
            "X-Tekno-Message-Id": message.id,
        },
    })
}
