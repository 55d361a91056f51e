//! Secrets in events reach neither the database nor our log, unless a project switches scrubbing off.

use reqwest::Method;
use serde_json::{Value, json};

use crate::captured_log::{capture, found, written};
use crate::running::{Key, Post, Running, START_SECONDS};
use crate::support::TestDatabase;

const PLANTED: usize = 500;
const PER_BATCH: usize = 50;

/// Letters that no other rule has an opinion on.
fn hidden(seed: usize, length: usize) -> String {
    let letters = b"abcdefghkmnpqrtuvwxyzABCDEFGHKMNPQRTUVWXYZ23456789";
    let mut state = (seed as u64 + 11).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
    };
    (0..length).map(|_| next()).collect()
}

/// A number with the check digit of card numbers.
fn card(seed: usize) -> String {
    let mut digits: Vec<u32> = vec![5, 5];
    digits.extend((0..13).map(|at| u32::try_from((seed * 13 + at * 7 + seed / 9) % 10).unwrap()));
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { doubled(*digit) } else { *digit })
        .sum();
    digits.push((10 - sum % 10) % 10);
    digits.iter().map(ToString::to_string).collect()
}

/// A text with a secret in it, and the secret.
fn in_text(seed: usize) -> (String, String) {
    let secret = hidden(seed, 24);
    let text = match seed % 22 {
        0 => format!("login failed: password={secret} for bob"),
        1 => format!("retrying with token: {secret}, attempt 2"),
        2 => format!("GET /v1/items?page=2&api_key={secret}&sort=asc"),
        3 => format!(r#"body was {{"user":"bob","passwd":"{secret}","n":1}}"#),
        4 => format!(r#"body was {{\"clientSecret\":\"{secret}\",\"n\":1}}"#),
        5 => format!("sent Authorization: Bearer {secret} upstream"),
        6 => format!("with bearer {secret}, twice"),
        7 => format!("curl -H 'X-Api-Key: {secret}' https://api.example.com"),
        8 => return (format!("jwt eyJhbGciOiJIUzI1NiJ9.{secret}{secret}.{secret} expired"), secret),
        9 => format!("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB{secret}\n-----END RSA PRIVATE KEY-----\nend"),
        10 => format!("can't reach postgres://app:{secret}@db.internal:5432/main"),
        11 => format!("redis://:{secret}@cache:6379/0 timed out"),
        12 => return (format!("paid with {} today", card(seed)), card(seed)),
        13 => {
            let number = card(seed);
            let spaced = [&number[..4], &number[4..8], &number[8..12], &number[12..]].join(" ");
            return (format!("card {spaced} declined"), spaced);
        }
        14 => format!("stripe key sk_live_{secret} was refused"),
        15 => format!("pushing with ghp_{secret}"),
        16 => format!("slack says xoxb-{secret}"),
        17 => format!("Cookie: theme=dark; sid={secret}; lang=en"),
        18 => format!("csrf_token={secret} does not match"),
        19 => format!("session: {secret} expired"),
        20 => format!("AUTH='{secret}' ./deploy.sh"),
        _ => format!("mysql://root:{secret}@127.0.0.1/x and credentials={secret}"),
    };
    (text, secret)
}

/// The keys of the contract, in spellings of the field.
const KEYS: [&str; 22] = [
    "password",
    "passwd",
    "secret",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "credentials",
    "token",
    "bearer",
    "private_key",
    "cookie",
    "session",
    "csrf",
    "userPassword",
    "X-Api-Key",
    "access_token",
    "DB_PASSWORD",
    "Set-Cookie",
    "clientSecret",
    "PRIVATE-KEY",
    "csrfToken",
];

/// A `ctx` with a secret under one of [`KEYS`], at some depth and of some type.
fn under_key(seed: usize) -> (Value, String) {
    let key = KEYS[seed % KEYS.len()];
    let secret = hidden(seed, 20);
    let ctx = match seed % 7 {
        0 => json!({ key: secret }),
        1 => json!({ "request": { "headers": { key: secret, "accept": "*/*" } } }),
        2 => json!({ "list": [1, [{ key: secret }], 2] }),
        3 => json!({ key: { "inner": ["x", { "deep": secret }] } }),
        4 => json!({ key: ["x", secret] }),
        5 => {
            let number = 700_000_000_000 + seed as u64 * 7_919;
            return (json!({ "a": { key: number } }), number.to_string());
        }
        _ => (0..25).fold(json!({ key: secret }), |inner, _| json!({ "d": inner })),
    };
    (ctx, secret)
}

/// The `seed`-th event, and what must not be found of it.
fn planted(seed: usize) -> (Value, String) {
    let mut event = json!({ "message": format!("planted event {seed}"), "level": "error" });
    let (text, secret) = in_text(seed / 17);
    let (ctx, under) = under_key(seed / 17);
    let (field, value, secret) = match seed % 17 {
        0 => ("message", json!(text), secret),
        1 => ("stack", json!(format!("Error: {text}\n  at a.js:1")), secret),
        2 => ("tags", json!(["clean", text]), secret),
        3 => ("user_id", json!(text), secret),
        4 => ("request_id", json!(text), secret),
        5 => ("release", json!(text), secret),
        6 => ("fingerprint", json!(text), secret),
        7 => ("source", json!(text), secret),
        8 => ("environment", json!(text), secret),
        9 => ("url", json!(text), secret),
        10 => ("ctx", json!({ "note": [text] }), secret),
        11 => ("ctx", json!({ text: true }), secret),
        12 => ("context", json!([[text]]), secret),
        13 => ("extra", json!({ "nested": ctx }), under),
        14 => ("password", json!(under.as_str()), under),
        15 => ("headers", json!([{ "authorization": format!("Basic {under}") }]), under),
        _ => ("ctx", ctx, under),
    };
    event[field] = value;
    (event, secret)
}

async fn send_all(running: &Running, key: &Key, events: &[Value]) {
    for batch in events.chunks(PER_BATCH) {
        let answer = running.send(Post::bare(key, json!(batch).to_string())).await;
        let count = batch.len() as u64;
        assert_eq!(answer.counts(), (count, count, false), "{}", answer.body);
    }
}

#[tokio::test]
async fn five_hundred_planted_secrets_are_found_nowhere() {
    capture();
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let key = running.project("web").await;
        let (events, secrets): (Vec<Value>, Vec<String>) = (0..PLANTED).map(planted).unzip();
        send_all(&running, &key, &events).await;
        // Refused ones are not stored; our log must not quote them either.
        let refused: Vec<Value> = events[..50].iter().map(|event| json!({ "no": event })).collect();
        assert_eq!(running.send(Post::bare(&key, json!(refused).to_string())).await.status, 422);
        let broken = format!("[{},", events[0]);
        assert_eq!(running.send(Post::bare(&key, broken)).await.status, 400);
        database.until_folded(&[key.project_id]).await;
        let stored = running.logs("limit=1000").await;
        assert_eq!(stored.len(), PLANTED);
        let name = database.name;
        for (seed, secret) in secrets.iter().enumerate() {
            let log = stored.iter().find(|log| log.to_string().contains(secret.as_str()));
            assert!(log.is_none(), "{name} {seed} {}: {log:?}", events[seed]);
        }
        // Of a client's own fingerprint only the hash is kept; everything else shows that something was there.
        let marked = stored.iter().filter(|log| log.to_string().contains("[scrubbed]")).count();
        assert_eq!(marked, (0..PLANTED).filter(|seed| seed % 17 != 6).count());
        let all = || secrets.iter().map(String::as_str);
        assert_eq!(found(&database.dump().await, all()), (0, None), "{name}");
        running.stop().await;
        assert_eq!(found(&database.dump().await, all()), (0, None), "{name}, after its end");
        assert_eq!(found(&written(), all()), (0, None), "{name}, our log");
        database.remove().await;
    }
}

#[tokio::test]
async fn a_project_may_switch_scrubbing_off_and_a_dump_then_shows_it() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let key = running.project_with("raw", json!({ "scrub": { "off": true } })).await;
        // Other seeds than above: what is logged of one test is looked at by the other.
        let (events, secrets): (Vec<Value>, Vec<String>) = (10_000..10_100).map(planted).unzip();
        send_all(&running, &key, &events).await;
        let dump = database.dump().await;
        for secret in &secrets {
            let escaped = secret.trim();
            assert!(found(&dump, [escaped]).0 > 0, "{secret} can be found where it is stored");
        }
        let changed =
            running.admin(Method::PUT, "/admin/projects/raw", &json!({ "scrub": { "off": false } })).await;
        assert_eq!((changed.status, changed.json()["project"]["scrub"]["off"].clone()), (200, json!(false)));
        let body = json!({ "message": "now password=hunter2hunter2" }).to_string();
        assert_eq!(running.send(Post::timed(&key, START_SECONDS, body)).await.counts(), (1, 1, false));
        assert_eq!(found(&database.dump().await, ["hunter2hunter2"]), (0, None));
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_project_may_name_further_keys() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let extra = json!({ "scrub": { "extra_keys": ["iban", "Customer_Ref"] } });
        let key = running.project_with("bank", extra).await;
        let other = running.project("plain").await;
        let body = json!({
            "message": "paid", "ctx": { "IBAN": "DE02120300000000202051", "a": [{ "customerRef": "customer-0815-x" }], "iban_ok": true },
        });
        for key in [&key, &other] {
            assert_eq!(running.send(Post::bare(key, body.to_string())).await.counts(), (1, 1, false));
        }
        let bank = running.logs("project_id=bank").await.remove(0);
        assert_eq!(bank["ctx"]["IBAN"], "[scrubbed]");
        assert_eq!(bank["ctx"]["a"][0]["customerRef"], "[scrubbed]");
        let plain = running.logs("project_id=plain").await.remove(0);
        assert_eq!(plain["ctx"], body["ctx"]);
        let shown = running.admin(Method::GET, "/admin/projects/bank", &Value::Null).await.json();
        assert_eq!(shown["project"]["scrub"]["extra_keys"], json!(["customer_ref", "iban"]));
        running.stop().await;
        database.remove().await;
    }
}
