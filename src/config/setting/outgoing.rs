//! The settings about what goes out: alerts, and what may be reached.

use super::{Accepts, Setting};

settings! {
    /// What goes out.
    OUTGOING;

    DISCORD_WEBHOOK_URL = "", Accepts::Private("the https:// address of a Discord webhook"),
        "Sends the alerts of all projects to a Discord channel.";

    SLACK_WEBHOOK_URL = "", Accepts::Private("the https:// address of a Slack incoming webhook"),
        "Sends the alerts of all projects to a Slack channel.";

    PAGERDUTY_ROUTING_KEY = "",
        Accepts::Private("the integration key of a PagerDuty service (Events API v2)"),
        "Opens and resolves incidents for the alerts of all projects.";

    PAGERDUTY_URL = "", Accepts::Text("an https:// address"),
        "Where events for PagerDuty go. Default: https://events.pagerduty.com/v2/enqueue";

    ALERT_WEBHOOK_URL = "", Accepts::Private("an https:// address"),
        "Posts the alerts of all projects as JSON, signed by Standard Webhooks. Needs ALERT_WEBHOOK_SECRET.";

    ALERT_WEBHOOK_SECRET = "",
        Accepts::Private("whsec_ and 24 to 64 bytes in base64 (echo whsec_$(openssl rand -base64 32))"),
        "Signs what is posted to ALERT_WEBHOOK_URL.";

    SMTP_URL = "",
        Accepts::Private("smtps://user:password@host:465, or smtp://user:password@host:587 (STARTTLS; many \
                          hosts block 25, 465 and 587: try 2525), user and password percent-encoded; \
                          ?tls=none sends in the clear"),
        "Mail server for alerts. It may be in a private network.";

    ALERT_EMAIL_TO = "", Accepts::Text("1 to 20 mail addresses, separated by commas"),
        "Who gets the alerts of all projects by mail, through SMTP_URL or MAIL_API_KEY.";

    ALERT_EMAIL_FROM = "", Accepts::Text("a mail address, or a name and one in <>"),
        "The sender. Default: the user of SMTP_URL if it is an address, else tekno-logger@ and the host of \
         PUBLIC_URL. The mail API needs it.";

    MAIL_API_KEY (or "RESEND_API_KEY") = "", Accepts::Private("the key of a mail API"),
        "Mail by HTTPS in Resend's shape instead of SMTP, for hosts that block its ports. RESEND_API_KEY is \
         read when this is empty.";

    MAIL_API_URL = "", Accepts::Text("an https:// address"),
        "Where the mail API is. Default: https://api.resend.com/emails";

    OUTBOUND_ALLOW_PRIVATE = "false", Accepts::OneOf(&["true", "false"]),
        "true lets webhooks and other addresses set on the page or below lead to private networks, and be \
         plain http://. Otherwise only https:// to the open internet is sent to.";

    OUTBOUND_TLS_CA = "", Accepts::Text("path of a PEM file of at most 1 MiB"),
        "Certificate authorities to trust beside the public ones when alerts are sent.";
}
