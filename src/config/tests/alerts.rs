//! Channels for alerts and what may be reached.

use super::*;

#[test]
fn a_channel_that_cannot_work_is_a_problem_of_its_variable_and_shows_nothing_of_it() {
    for (variables, variable) in [
        (&[("DISCORD_WEBHOOK_URL", "discord.com/hush")][..], "DISCORD_WEBHOOK_URL"),
        (&[("DISCORD_WEBHOOK_URL", "https://bob:hush@discord.com/x")], "DISCORD_WEBHOOK_URL"),
        (&[("SLACK_WEBHOOK_URL", "ftp://hush.example")], "SLACK_WEBHOOK_URL"),
        (&[("PAGERDUTY_ROUTING_KEY", "hush hush")], "PAGERDUTY_ROUTING_KEY"),
        (&[("ALERT_WEBHOOK_URL", "https://a.example/hush")], "ALERT_WEBHOOK_SECRET"),
        (
            &[("ALERT_WEBHOOK_URL", "https://a.example"), ("ALERT_WEBHOOK_SECRET", "hush")],
            "ALERT_WEBHOOK_SECRET",
        ),
        (&[("SMTP_URL", "smtp://bob:hush@m.example?tls=maybe")], "SMTP_URL"),
        (&[("SMTP_URL", "smtps://m.example"), ("ALERT_EMAIL_TO", "a@b.example,nobody")], "ALERT_EMAIL_TO"),
        (
            &[
                ("SMTP_URL", "smtps://m.example"),
                ("ALERT_EMAIL_TO", "a@b.example"),
                ("ALERT_EMAIL_FROM", "nobody"),
            ],
            "ALERT_EMAIL_FROM",
        ),
        (&[("MAIL_API_KEY", "hush"), ("ALERT_EMAIL_TO", "a@b.example")], "ALERT_EMAIL_FROM"),
        (&[("OUTBOUND_ALLOW_PRIVATE", "maybe")], "OUTBOUND_ALLOW_PRIVATE"),
    ] {
        let found = problems(parse(variables));
        assert_eq!(found.len(), 1, "{variables:?}: {found:?}");
        assert_eq!(found[0].variable, variable);
        assert!(!found[0].to_string().contains("hush"), "{}", found[0]);
    }
}

#[test]
fn what_the_guard_refuses_and_half_a_channel_are_warnings() {
    for (variables, word) in [
        (&[("DISCORD_WEBHOOK_URL", "https://127.1/hush")][..], "DISCORD_WEBHOOK_URL"),
        (&[("SLACK_WEBHOOK_URL", "http://a.example/hush")], "SLACK_WEBHOOK_URL"),
        (&[("SMTP_URL", "smtps://m.example")], "ALERT_EMAIL_TO"),
        (&[("ALERT_EMAIL_TO", "a@b.example")], "SMTP_URL"),
        (&[("SMTP_URL", "smtp://m.example?tls=none"), ("ALERT_EMAIL_TO", "a@b.example")], "in the clear"),
        (&[("OUTBOUND_ALLOW_PRIVATE", "TRUE")], "private network"),
    ] {
        let warnings = parse(variables).unwrap().warnings();
        assert!(warnings.iter().any(|warning| warning.contains(word)), "{variables:?}: {warnings:?}");
        assert!(!warnings.concat().contains("hush"));
    }
    let private_mail = [("SMTP_URL", "smtps://10.0.0.5"), ("ALERT_EMAIL_TO", "a@b.example")];
    assert_eq!(
        parse(&private_mail).unwrap().warnings(),
        parse(&[]).unwrap().warnings(),
        "the operator's own server"
    );
    let opened = [("OUTBOUND_ALLOW_PRIVATE", "true"), ("DISCORD_WEBHOOK_URL", "http://10.0.0.5/x")];
    assert_eq!(parse(&opened).unwrap().warnings().len(), parse(&[]).unwrap().warnings().len() + 1);
}

#[test]
fn check_config_says_that_a_secret_is_set_and_not_what_it_is() {
    let config = parse(&[
        ("DISCORD_WEBHOOK_URL", "https://discord.com/hush"),
        ("PAGERDUTY_ROUTING_KEY", "hush"),
        ("ALERT_WEBHOOK_URL", "https://a.example/hush"),
        ("ALERT_WEBHOOK_SECRET", &crate::alert::channel::make_secret()),
        ("SMTP_URL", "smtps://bob:hush@m.example"),
        ("RESEND_API_KEY", "hush"),
        ("ALERT_EMAIL_TO", "a@b.example, c@d.example"),
        ("ALERT_EMAIL_FROM", "Ops <a@b.example>"),
    ])
    .unwrap();
    let text = effective(&config);
    assert!(!text.contains("hush") && !text.contains("whsec_"), "{text}");
    for line in [
        "DISCORD_WEBHOOK_URL=(set)",
        "MAIL_API_KEY=(set)",
        "ALERT_EMAIL_TO=a@b.example, c@d.example",
        "SLACK_WEBHOOK_URL=(unset)",
        "OUTBOUND_ALLOW_PRIVATE=false",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(!format!("{config:?}").contains("hush"));
}
