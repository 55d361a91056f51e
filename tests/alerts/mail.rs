//! Mail, to a public SMTP server under TLS and to an HTTPS API's shape.

use serde_json::{Value, json};

use crate::delivery::{OPEN, alert, enqueued, in_history};
use crate::peers::{MailServer, certificates};
use crate::receiver::{Receiver, Reply};
use crate::running::Running;
use crate::support::TestDatabase;

/// The value of a header of a mail as it came, unfolded.
fn header(mail: &Value, name: &str) -> String {
    let data = mail["data"].as_str().unwrap().replace("\r\n", "\n").replace("\n ", " ");
    let head = data.split("\n\n").next().unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} in {head}"))
}

async fn test_channel(running: &Running, id: &str) -> Value {
    let path = format!("/admin/alerts/channels/{id}/test");
    let answer = running.admin(reqwest::Method::POST, &path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_under_tls_signed_in_as_text_and_html_and_forms_a_thread() {
    for (mode, scheme) in [("tls", "smtps"), ("starttls", "smtp")] {
        let database = TestDatabase::sqlite();
        let folder = database.directory.path();
        certificates(folder);
        let Some(server) = MailServer::start(mode, folder, ("bob@example.com", "p/w"), &[]) else { return };
        let url = format!("{scheme}://bob%40example.com:p%2Fw@localhost:{}", server.port);
        let ca = folder.join("ca.pem").display().to_string();
        let running = Running::start(
            &database,
            // Not opened: the operator's own mail server may be a private one.
            &[
                ("SMTP_URL", &url),
                ("ALERT_EMAIL_TO", "ops@example.com, dev@example.com"),
                ("OUTBOUND_TLS_CA", &ca),
            ],
        )
        .await;
        for slot in 0..2 {
            enqueued(&running, &alert(1, slot)).await;
        }
        running.state.outbox.ring();
        let mails = server.at_least(2).await;
        in_history(&running, "delivered", 2).await;
        for mail in &mails {
            assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("bob@example.com")));
            assert_eq!(mail["from"], "bob@example.com");
            assert_eq!(mail["to"], json!(["ops@example.com", "dev@example.com"]));
            assert_eq!(header(mail, "Subject"), "[web-shop] card declined");
            assert_eq!(header(mail, "References"), header(mail, "In-Reply-To"));
            assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
            let data = mail["data"].as_str().unwrap();
            for part in
                ["multipart/alternative", "text/plain; charset=utf-8", "text/html; charset=utf-8", "4711"]
            {
                assert!(data.contains(part), "{part} in {data}");
            }
        }
        assert_eq!(header(&mails[0], "References"), header(&mails[1], "References"));
        assert_ne!(header(&mails[0], "Message-ID"), header(&mails[1], "Message-ID"));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_a_server_without_trust_in_it_or_without_starttls() {
    let database = TestDatabase::sqlite();
    let folder = database.directory.path();
    certificates(folder);
    let Some(encrypted) = MailServer::start("starttls", folder, ("", ""), &[]) else { return };
    let Some(plain) = MailServer::start("plain", folder, ("", ""), &[]) else { return };
    let ca = folder.join("ca.pem").display().to_string();
    let trusting = format!("smtp://localhost:{}?tls=required", plain.port);
    let (to, ca) = (("ALERT_EMAIL_TO", "ops@example.com"), ("OUTBOUND_TLS_CA", &*ca));
    let running = Running::start(&database, &[("SMTP_URL", &trusting), to, ca]).await;
    let answer = test_channel(&running, "env-email").await;
    assert_eq!(answer["delivered"], false);
    assert!(answer["detail"].as_str().unwrap().contains("STARTTLS"), "{answer}");
    running.stop().await;

    // The address is not one of the certificate's names, and then nobody vouches for it.
    for url in
        [format!("smtp://127.0.0.1:{}", encrypted.port), format!("smtp://localhost:{}", encrypted.port)]
    {
        let changes = if url.contains("localhost") {
            vec![("SMTP_URL", &*url), to]
        } else {
            vec![("SMTP_URL", &*url), to, ca]
        };
        let running = Running::start(&database, &changes).await;
        let answer = test_channel(&running, "env-email").await;
        assert!(answer["detail"].as_str().unwrap().contains("TLS"), "{answer}");
        running.stop().await;
    }
    assert_eq!((plain.mails(), encrypted.mails()), (vec![], vec![]));

    let open = format!("smtp://localhost:{}?tls=none", plain.port);
    let running = Running::start(&database, &[("SMTP_URL", &open), to]).await;
    let answer = test_channel(&running, "env-email").await;
    assert_eq!(
        (&answer["delivered"], &answer["status"], &answer["answer"]),
        (&json!(true), &json!(250), &json!("taken"))
    );
    assert_eq!(plain.at_least(1).await[0]["tls"], false);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let database = TestDatabase::sqlite();
    let Some(server) =
        MailServer::start("plain", database.directory.path(), ("", ""), &["451 later", "550 never"])
    else {
        return;
    };
    let url = format!("smtp://localhost:{}?tls=none", server.port);
    let running =
        Running::start(&database, &[("SMTP_URL", &url), ("ALERT_EMAIL_TO", "ops@example.com")]).await;
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    crate::process::until("the first attempt is noted", crate::process::PATIENCE, || async {
        in_history(&running, "waiting", 1).await[0]["detail"] != ""
    })
    .await;
    running.hand.advance(10_000);
    let dead = in_history(&running, "dead", 1).await;
    assert_eq!(dead[0]["attempts"], 2);
    assert_eq!(server.mails(), Vec::<Value>::new());
    enqueued(&running, &alert(1, 2)).await;
    running.state.outbox.ring();
    server.at_least(1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_the_channels_real_answer() {
    let database = TestDatabase::sqlite();
    let folder = database.directory.path();
    certificates(folder);
    let Some(server) = MailServer::start("starttls", folder, ("bob", "right"), &[]) else { return };
    let url = format!("smtp://bob:wrong@localhost:{}", server.port);
    let ca = folder.join("ca.pem").display().to_string();
    let changes = [("SMTP_URL", &*url), ("ALERT_EMAIL_TO", "ops@example.com"), ("OUTBOUND_TLS_CA", &*ca)];
    let running = Running::start(&database, &changes).await;
    let answer = test_channel(&running, "env-email").await;
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(false), &json!(535)), "{answer}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_api_gets_resends_shape_with_a_key_that_makes_repetitions_harmless() {
    let (database, api) = (TestDatabase::sqlite(), Receiver::start().await);
    let url = api.url("/emails");
    let changes = [
        OPEN,
        ("MAIL_API_KEY", "re_hush"),
        ("MAIL_API_URL", &url),
        ("ALERT_EMAIL_TO", "ops@example.com"),
        ("ALERT_EMAIL_FROM", "Tekno <alerts@example.com>"),
    ];
    let running = Running::start(&database, &changes).await;
    api.script([
        Reply::status(429).with("retry-after", "1").with("ratelimit-remaining", "0"),
        Reply::status(200).saying(r#"{"id":"1"}"#),
    ]);
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    api.at_least(1).await;
    crate::process::until("the refusal is noted", crate::process::PATIENCE, || async {
        in_history(&running, "waiting", 1).await[0]["detail"] != ""
    })
    .await;
    running.hand.advance(10_000);
    let received = api.at_least(2).await;
    in_history(&running, "delivered", 1).await;
    assert_eq!(received[0].headers["idempotency-key"], received[1].headers["idempotency-key"]);
    assert_eq!(received[0].headers["authorization"], "Bearer re_hush");
    let body = received[0].json();
    assert_eq!(
        (&body["from"], &body["to"]),
        (&json!("Tekno <alerts@example.com>"), &json!(["ops@example.com"]))
    );
    for part in ["subject", "text", "html"] {
        assert!(!body[part].as_str().unwrap().is_empty());
    }
    running.stop().await;
}
