//! Bodies that are worse than they look: each gets the answer it deserves, memory stays within its bound, and others
//! are served meanwhile.

use std::io::Write as _;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::load::{Batch, Dice, Project, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::{Client, Instance, Rig};

/// Most memory the service may ever hold.
pub const MEMORY: u64 = 128 << 20;
/// A body with its encoding and the statuses it may get.
struct Bomb {
    what: String,
    body: Vec<u8>,
    encoding: Option<&'static str>,
    statuses: &'static [u16],
}

async fn post(client: &Client, project: &Project, bomb: &Bomb) -> (u16, Value, Duration) {
    let mut mac = Hmac::<Sha256>::new_from_slice(project.signing_secret.as_bytes()).unwrap();
    mac.update(&bomb.body);
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let started = Instant::now();
    let mut request = client
        .http
        .post(format!("{}/log", client.base))
        .header("x-project-key", &project.api_key)
        .header("x-signature", signature);
    if let Some(encoding) = bomb.encoding {
        request = request.header("content-encoding", encoding);
    }
    let answer = request.body(bomb.body.clone()).send().await;
    let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", bomb.what));
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap(), started.elapsed())
}

/// Throws all of them at once, while somebody else goes on.
async fn throw(instance: &Instance, project: &Project, bombs: Vec<Bomb>) {
    let most = bombs.len();
    let mut thrown = Vec::new();
    for bomb in bombs {
        let (client, project) = (instance.client.clone(), project.clone());
        thrown.push(tokio::spawn(async move { (post(&client, &project, &bomb).await, bomb) }));
    }
    let mut dice = Dice::new("others");
    let mut others = 0;
    while !thrown.iter().all(tokio::task::JoinHandle::is_finished) {
        let other = Batch::new(&format!("other-{}", dice.below(u64::MAX)), 3, 20, &mut dice);
        send_until_stored(&instance.client, project, &other, PATIENCE).await;
        others += 1;
    }
    let (mut slowest, mut refused) = (Duration::ZERO, 0);
    for one in thrown {
        let ((status, answer, took), bomb) = one.await.unwrap();
        let right = bomb.statuses.contains(&status) || (status == 503 && answer["code"] == "overloaded");
        assert!(right, "{}: {status} {answer}", bomb.what);
        slowest = slowest.max(took);
        refused += usize::from(status == 503);
    }
    let peak = instance.process.peak_memory();
    println!(
        "{most} at once, {refused} without room, slowest {slowest:?}, {others} others, peak {} MiB",
        peak >> 20
    );
    assert!(refused < most, "somebody got through");
    assert!(peak <= MEMORY, "{} MiB", peak >> 20);
}

/// A mebibyte of blanks as blocks of deflate that may follow each other in any number.
fn deflated_mebibyte() -> Vec<u8> {
    let mut stream = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(8 << 10);
    stream.compress_vec(&vec![b' '; 1 << 20], &mut out, flate2::FlushCompress::Full).unwrap();
    assert_eq!(stream.total_in(), 1 << 20);
    out
}

fn deflated_gibibyte(head: &[u8], tail: &[u8]) -> Vec<u8> {
    // An empty last block ends it.
    [head, &deflated_mebibyte().repeat(1 << 10), &[3, 0], tail].concat()
}

/// A frame of blocks that are one byte repeated (RFC 8878, 3.1.1.2).
fn zstd_gibibyte() -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    // Magic number, no declared size, a window of 8 MiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];
    let blocks = (1_u32 << 30) / BLOCK;
    for number in 1..=blocks {
        let head = BLOCK << 3 | 1 << 1 | u32::from(number == blocks);
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

/// Made by another program's encoder: none is among the dependencies.
const BROTLI_GIBIBYTE: &[u8] = include_bytes!("../fixtures/bombs/gibibyte.br");

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_in_a_megabyte_is_refused_in_every_encoding() {
    let mut rig = Rig::sqlite();
    rig.set("MAX_PAYLOAD_BYTES", "2097152");
    let instance = rig.start_ready().await;
    let project = instance.client.project("bombs").await;
    let gzip_head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let gzipped = deflated_gibibyte(&gzip_head, &[0; 8]);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("gzip, gzip", gzip(&gzipped)),
        ("gzip", gzipped),
        ("deflate", deflated_gibibyte(&[0x78, 0xda], &[0; 4])),
        ("deflate", deflated_gibibyte(&[], &[])),
        ("br", BROTLI_GIBIBYTE.to_vec()),
        ("zstd", zstd_gibibyte()),
    ];
    for (encoding, body) in bodies {
        assert!(body.len() < 11 << 17, "{encoding}: {}", body.len());
        let bomb = || Bomb {
            what: encoding.to_owned(),
            body: body.clone(),
            encoding: Some(encoding),
            statuses: &[413],
        };
        throw(&instance, &project, (0..8).map(|_| bomb()).collect()).await;
    }
}

/// Bodies of `size` bytes, each the worst of its kind, with what becomes of it.
fn worst_bodies(size: usize) -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let filled = |piece: &str| piece.repeat(size / piece.len() - 1).into_bytes();
    let wrapped = |head: &str, piece: &str, tail: &str| {
        [
            head.as_bytes(),
            &piece.repeat((size - head.len() - tail.len()) / piece.len()).into_bytes(),
            tail.as_bytes(),
        ]
        .concat()
    };
    let mut keys = String::from(r#"{"message":"keys""#);
    for number in 0.. {
        let entry = format!(r#","key_{number}":{number}"#);
        if keys.len() + entry.len() + 1 > size {
            break;
        }
        keys.push_str(&entry);
    }
    keys.push('}');
    let event = |number: usize| {
        let text = format!("order {number} of user-{number}@example.com failed at 10.0.0.{number} ");
        json!({ "message": text.repeat(size / 250 / 2 / text.len()), "level": "error", "stack": "at f (a.js:1:2)\n".repeat(size / 250 / 40) })
    };
    let events: Vec<Value> = (0..240).map(event).collect();
    let cards = json!({ "message": "m", "ctx": { "text": "4111 1111 1111 1112 ".repeat(size / 21 - 10) } });
    vec![
        ("deep arrays", filled("["), &[400]),
        ("deep objects", filled(r#"{"a":"#), &[400]),
        (
            "deep and closed",
            {
                let half = size / 2 - 20;
                format!(r#"{{"message":"m","ctx":{}{}}}"#, "[".repeat(half), "]".repeat(half)).into_bytes()
            },
            &[422],
        ),
        ("many keys", keys.into_bytes(), &[200]),
        ("escapes", wrapped(r#"{"message":""#, r"\u0007", r#""}"#), &[200]),
        ("escapes in a key", wrapped(r#"{"message":"m",""#, r"\ud83d\ude00", r#"":1}"#), &[200]),
        ("lone surrogates", wrapped(r#"{"message":"m","ctx":{"a":""#, r"\ud800", r#""}}"#), &[200]),
        ("tiny events", wrapped("[", "{},", "{}]"), &[413]),
        ("numbers", wrapped("[", "1,", "1]"), &[413]),
        ("digits", wrapped("[", "1", "]"), &[422]),
        ("blanks", wrapped(r#"{"message":"m"}"#, " ", ""), &[200]),
        (
            "not UTF-8",
            [br#"{"message":"m","ctx":""#.as_slice(), &vec![0xff; size - 24], br#""}"#].concat(),
            &[200, 413],
        ),
        ("many tags", wrapped(r#"{"message":"m","tags":["#, r#""t","#, r#""t"]}"#), &[200]),
        ("many wide events", json!(events).to_string().into_bytes(), &[200]),
        ("like cards", cards.to_string().into_bytes(), &[200]),
        ("like addresses", wrapped(r#"{"message":"m","stack":""#, "a@a.", r#""}"#), &[200]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_worst_bodies_at_once_get_their_answers_in_bounded_memory() {
    let rig = Rig::sqlite();
    let instance = rig.start_ready().await;
    let project = instance.client.project("worst").await;
    let mut bombs = Vec::new();
    for round in 0..4 {
        for (what, body, statuses) in worst_bodies(512 << 10) {
            assert!(body.len() <= 512 << 10, "{what}: {}", body.len());
            bombs.push(Bomb { what: format!("{what} {round}"), body, encoding: None, statuses });
        }
    }
    throw(&instance, &project, bombs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for a released binary; scripts/torture runs it"]
async fn sixty_four_worst_bodies_of_eight_mebibytes_get_their_answers_in_bounded_memory() {
    let mut rig = Rig::sqlite();
    rig.set("MAX_PAYLOAD_BYTES", "4194304");
    let instance = rig.start_ready().await;
    let project = instance.client.project("worst").await;
    let mut bombs = Vec::new();
    for round in 0..4 {
        for (what, body, statuses) in worst_bodies(8 << 20) {
            let body = zstd::bulk::compress(&body, 1).unwrap();
            bombs.push(Bomb { what: format!("{what} {round}"), body, encoding: Some("zstd"), statuses });
        }
    }
    throw(&instance, &project, bombs).await;
}
