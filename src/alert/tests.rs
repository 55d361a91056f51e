//! What channels make of messages, the longest and the strangest ones too.

use serde_json::Value;

use super::email::{Mail, MailAddresses};
use super::*;
use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

const AT: Timestamp = Timestamp::from_millis(1_790_000_040_123);

fn usual() -> AlertMessage {
    let mut message = AlertMessage::new(AlertKind::Spike, 7, "web-shop", "card declined", AT);
    message.id = "01996f2c-7f64-7000-8000-0000000000aa".parse().unwrap();
    message.rule = "spike".to_owned();
    message.level = Some(Level::Error);
    message.count = Some(42);
    message.baseline = Some(1.5);
    message.window_seconds = Some(60);
    message.first_seen = Some(AT.plus_millis(-60_000));
    message.last_seen = Some(AT);
    message.sample = Some("card declined for order 4711".to_owned());
    message.environments = vec!["production".to_owned()];
    message.sources = vec!["checkout".to_owned(), "cart".to_owned()];
    message.suppressed = 3;
    message.issue = Some(Fingerprint(0xab));
    message.link = issue_link(Some("https://logs.example.com"), 7, Fingerprint(0xab));
    message.mute = Some("Mute the issue on its page.".to_owned());
    message
}

/// Everything as long as it could be, full of what means something to some channel.
fn huge() -> AlertMessage {
    let long = "@everyone <@1> <!channel> ```*_~`|>\r\n\u{0}\u{202e}😀é\"&'<script>".repeat(2_000);
    let mut message = usual();
    message.title.clone_from(&long);
    message.project.clone_from(&long);
    message.rule.clone_from(&long);
    message.sample = Some(long.clone());
    message.release = Some(long.clone());
    message.received_until = Some(AT);
    message.mute = Some(long.clone());
    message.environments = vec![long.clone(); 200];
    message.sources = vec![long; 200];
    message
}

fn units(value: &Value) -> usize {
    value.as_str().unwrap().encode_utf16().count()
}

#[test]
fn discord_gets_no_text_beyond_its_limits_and_no_mention() {
    for message in [usual(), huge()] {
        let body = discord::body(&message);
        assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
        let embed = &body["embeds"][0];
        assert_eq!(body["embeds"].as_array().unwrap().len(), 1);
        let fields = embed["fields"].as_array().unwrap();
        assert!(fields.len() <= 25);
        let mut sum = units(&embed["title"]) + units(&embed["description"]) + units(&embed["footer"]["text"]);
        assert!(units(&embed["title"]) <= 256 && units(&embed["description"]) <= 4_096);
        assert!(units(&embed["footer"]["text"]) <= 2_048);
        for field in fields {
            assert!(
                (1..=256).contains(&units(&field["name"])) && (1..=1_024).contains(&units(&field["value"]))
            );
            sum += units(&field["name"]) + units(&field["value"]);
        }
        assert!(sum <= 6_000, "{sum}");
        let description = embed["description"].as_str().unwrap();
        assert_eq!(description.matches("```").count(), 2, "only our own fence");
    }
}

#[test]
fn slack_gets_no_text_beyond_its_limits_and_no_markup_of_others() {
    for message in [usual(), huge()] {
        let body = slack::body(&message);
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "header" => assert!((1..=150).contains(&units(&block["text"]["text"]))),
                "section" => {
                    if let Some(text) = block.get("text") {
                        assert!((1..=3_000).contains(&units(&text["text"])));
                    }
                    let fields = block.get("fields").map(|fields| fields.as_array().unwrap().clone());
                    let fields = fields.unwrap_or_default();
                    assert!(fields.len() <= 10);
                    assert!(fields.iter().all(|field| (1..=2_000).contains(&units(&field["text"]))));
                }
                "context" => assert!(block["elements"].as_array().unwrap().len() <= 10),
                other => panic!("{other}"),
            }
        }
        // A header is plain text; everything behind it is markup.
        let markup = [&serde_json::json!(blocks[1..]).to_string(), body["text"].as_str().unwrap()].concat();
        for mention in ["<!channel>", "<@1>", "<script>"] {
            assert!(!markup.contains(mention), "{mention}");
        }
    }
}

#[test]
fn pagerduty_opens_and_resolves_the_same_incident_within_its_limits() {
    for mut message in [usual(), huge()] {
        let opened = pagerduty::body("key", &message);
        assert_eq!(opened["event_action"], "trigger");
        assert_eq!(opened["payload"]["severity"], "error");
        assert!((1..=1_024).contains(&units(&opened["payload"]["summary"])));
        assert!((1..=255).contains(&units(&opened["dedup_key"])));
        assert!(!opened["payload"]["source"].as_str().unwrap().is_empty());
        assert!(opened.to_string().len() < 512 * 1024);
        message.resolved = true;
        message.kind = AlertKind::NewIssue;
        let resolved = pagerduty::body("key", &message);
        assert_eq!(
            (&resolved["event_action"], &resolved["dedup_key"]),
            (&"resolve".into(), &opened["dedup_key"])
        );
    }
    let mut other = usual();
    other.issue = Some(Fingerprint(0xac));
    assert_ne!(other.thread(), usual().thread());
}

#[test]
fn mails_about_one_issue_form_a_thread_and_carry_text_and_markup_safely() {
    let addresses = MailAddresses {
        from: email::mailbox("Tekno <alerts@example.com>").unwrap(),
        to: vec![email::mailbox("ops@example.com").unwrap()],
    };
    let first = Mail::about(&usual(), &addresses);
    let mut later = usual();
    later.id = "01996f2c-7f64-7000-8000-0000000000ab".parse().unwrap();
    (later.kind, later.count, later.resolved) = (AlertKind::Regression, Some(1), true);
    let second = Mail::about(&later, &addresses);
    assert_eq!((&first.subject, &first.references), (&second.subject, &second.references));
    assert_eq!(first.subject, "[web-shop] card declined");
    assert_ne!(first.message_id, second.message_id);
    assert_eq!(first.message_id, "<01996f2c-7f64-7000-8000-0000000000aa@example.com>");
    for said in [
        "Spike: card declined",
        "42 in 60 s (usually 1.5)",
        "production",
        "checkout, cart",
        "order 4711",
        "3 alerts",
        "https://logs.example.com/ui/issues/7-00000000000000ab",
        "Mute the issue",
    ] {
        assert!(first.text.contains(said), "{said} in {}", first.text);
    }
    let strange = Mail::about(&huge(), &addresses);
    assert!(!strange.html.contains("<script>") && !strange.subject.contains(['\r', '\n', '\0']));
    assert!(strange.subject.chars().count() <= 200);
    let api = mail_api::body(&addresses, &usual());
    assert_eq!(api["to"], serde_json::json!(["ops@example.com"]));
    assert_eq!(api["headers"]["References"], first.references.as_str());
}

#[test]
fn a_message_comes_out_of_the_outbox_as_it_went_in_and_reads_what_lacks_newer_fields() {
    for message in [usual(), huge()] {
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<AlertMessage>(&text).unwrap(), message);
    }
    let least = r#"{"id":"01996f2c-7f64-7000-8000-0000000000aa","kind":"test","project_id":1,"project":"p","title":"t","at":5}"#;
    let read: AlertMessage = serde_json::from_str(least).unwrap();
    assert_eq!((read.kind, read.at), (AlertKind::Test, Timestamp::from_millis(5)));
    for kind in AlertKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}

#[test]
fn what_is_cut_says_so_and_is_never_too_long() {
    assert_eq!(text::cut("short", 5), "short");
    assert_eq!(text::cut("longer", 5), "long…");
    assert_eq!(text::cut("😀😀😀", 4), "😀…");
    assert_eq!(text::cut("abc", 0), "");
    assert_eq!(text::one_line(" a\r\n\tb\u{202e}c\u{2028}d "), "a b c d");
}

#[test]
fn a_channel_names_the_field_that_is_wrong_and_shows_no_secret() {
    let none = ChannelSettings::default;
    let url = |url: &str| Some(url.to_owned());
    let defaults = channel::MailDefaults::default();
    let wrong =
        |kind, settings: ChannelSettings| Channel::build(kind, &settings, &defaults).unwrap_err().field;
    assert_eq!(wrong(ChannelKind::Discord, none()), "url");
    let threaded =
        ChannelSettings { url: url("https://discord.com/x"), thread_id: url("1&wait=false"), ..none() };
    assert_eq!(wrong(ChannelKind::Discord, threaded), "thread_id");
    assert_eq!(wrong(ChannelKind::PagerDuty, none()), "routing_key");
    assert_eq!(
        wrong(ChannelKind::Webhook, ChannelSettings { url: url("https://a.example"), ..none() }),
        "secret"
    );
    assert_eq!(
        wrong(ChannelKind::Email, ChannelSettings { to: vec!["a@b.example".to_owned()], ..none() }),
        "smtp_url"
    );
    let bad = ChannelSettings {
        to: vec!["a@b.example\r\nBcc: c@d".to_owned()],
        smtp_url: url("smtps://m.example"),
        ..none()
    };
    assert_eq!(wrong(ChannelKind::Email, bad), "to");
    let keyed = ChannelSettings { api_key: url("re_1"), to: vec!["a@b.example".to_owned()], ..none() };
    assert_eq!(wrong(ChannelKind::MailApi, keyed), "from");

    let settings = ChannelSettings {
        url: url("https://hooks.example.com/services/hush"),
        secret: Some(channel::make_secret()),
        routing_key: url("hush"),
        api_key: url("hush"),
        smtp_url: url("smtps://bob:hush@mail.example.com"),
        from: url("alerts@example.com"),
        to: vec!["ops@example.com".to_owned()],
        thread_id: None,
    };
    for kind in ChannelKind::ALL {
        let channel = Channel::build(kind, &settings, &defaults).unwrap();
        for shown in
            [settings.masked(kind).to_string(), format!("{channel:?}{settings:?}"), channel.destination()]
        {
            assert!(!shown.contains("hush") && !shown.contains("whsec_"), "{shown}");
        }
        let fields: Vec<String> = settings.masked(kind).as_object().unwrap().keys().cloned().collect();
        let mut expected: Vec<&str> = kind.fields().to_vec();
        expected.sort_unstable();
        assert_eq!(fields, expected);
    }
}

#[test]
fn a_private_address_is_refused_in_every_field_that_takes_one() {
    let private = ChannelSettings {
        url: Some("https://10.0.0.1/x".to_owned()),
        secret: Some(channel::make_secret()),
        routing_key: Some("k".to_owned()),
        api_key: Some("k".to_owned()),
        smtp_url: Some("smtp://0x7f000001:2525".to_owned()),
        from: Some("a@b.example".to_owned()),
        to: vec!["a@b.example".to_owned()],
        thread_id: None,
    };
    for kind in ChannelKind::ALL {
        let channel = Channel::build(kind, &private, &channel::MailDefaults::default()).unwrap();
        assert!(channel.check(false).is_err(), "{kind:?}");
        assert!(channel.check(true).is_ok(), "{kind:?}");
    }
}

#[test]
fn a_pause_is_read_from_a_body_or_header_with_its_fraction_and_bounded() {
    use crate::outbound::Answer;
    use std::time::Duration;
    let answer = |status, headers: &[(&'static str, &str)]| {
        let mut map = hyper::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        ChannelAnswer::of_http(&Ok(Answer { status, headers: map, body: Vec::new() }))
    };
    let hold = |status, headers: &[(&'static str, &str)]| answer(status, headers).hold;
    assert_eq!(hold(429, &[("retry-after", "1.336")]), Some(Duration::from_millis(1_336)));
    assert_eq!(hold(429, &[("retry-after", "999999")]), Some(Duration::from_hours(1)));
    for nonsense in ["-1", "NaN", "inf", "Wed, 21 Oct 2026 07:28:00 GMT", ""] {
        assert_eq!(hold(429, &[("retry-after", nonsense)]), None, "{nonsense}");
    }
    let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "0.5")];
    assert_eq!(hold(204, &spent), Some(Duration::from_millis(500)));
    assert_eq!(
        hold(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "2")]),
        Some(Duration::from_secs(2))
    );
    assert_eq!(hold(200, &[("x-ratelimit-remaining", "4"), ("x-ratelimit-reset-after", "0.5")]), None);
    for (status, verdict) in [
        (200, Verdict::Delivered),
        (302, Verdict::Dead),
        (400, Verdict::Dead),
        (404, Verdict::Dead),
        (408, Verdict::Retry),
        (429, Verdict::Retry),
        (500, Verdict::Retry),
        (503, Verdict::Retry),
    ] {
        assert_eq!(answer(status, &[]).verdict, verdict, "{status}");
    }
}

#[test]
fn the_end_of_an_overflow_is_one_sentence_on_the_thread_of_its_start() {
    let mut started = AlertMessage::new(AlertKind::OverflowStarted, 7, "web", "Incoming events", AT);
    started.rule = "overflow_started".to_owned();
    let mut ended = started.clone();
    (ended.kind, ended.resolved) = (AlertKind::OverflowEnded, true);
    ended.count = Some(4_966);
    ended.first_seen = Some(AT.plus_millis(-3_600_000));
    ended.last_seen = Some(AT);
    let said = "Overflow ended: 4966 events from 2026-09-21T13:14:00.123Z to 2026-09-21T14:14:00.123Z";
    assert_eq!(super::text::headline(&ended), said);
    assert_eq!(ended.thread(), started.thread());
    let resolved = pagerduty::body("key", &ended);
    assert_eq!(resolved["event_action"], "resolve");
    assert_eq!(resolved["dedup_key"], pagerduty::body("key", &started)["dedup_key"]);
    assert!(discord::body(&ended).to_string().contains(said));
    assert!(slack::body(&ended).to_string().contains("Overflow ended: 4966 events"));
}
