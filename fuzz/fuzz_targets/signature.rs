//! Any headers on a request: never a panic, and never taken unless they carry the key, the signature and a time that
//! belong to the body. Lines of the input are headers, what follows an empty line is the body; `@key`, `@mac` and
//! `@timed` stand for the right values, so that the fuzzer gets past the signature.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tekno_logger::config::Secret;
use tekno_logger::key::{ApiKey, KeyDirectory, KeyKind, KeyRing, SigningSecret};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::verify::{BatchIdentity, MAX_IDEMPOTENCY_KEY_CHARS, SignatureHeaders, verify_request};
use tekno_logger::write::BatchKeys;

const NOW_SECONDS: &str = "1780272000";

struct Sender {
    ring: KeyRing,
    directory: KeyDirectory,
    key: ApiKey,
    secret: SigningSecret,
}

static SENDER: LazyLock<Sender> = LazyLock::new(|| {
    let ring = KeyRing::new(&Secret::new("a secret for a fuzzer that nobody else uses"), None);
    let key = ring.mint(KeyKind::Server, 1, 1);
    let secret = ring.signing_secret(&ring.check(key.expose()).expect("its own key"));
    Sender { ring, directory: KeyDirectory::new(), key, secret }
});

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fuzz_target!(|input: &[u8]| {
    let sender = &*SENDER;
    let now = Timestamp::from_millis(1_780_272_000_500);
    let split = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = (&input[..split], input.get(split + 2..).unwrap_or_default());
    let bare = hex(&sender.secret.mac(&[body]));
    let timed = hex(&sender.secret.mac(&[NOW_SECONDS.as_bytes(), b".", body]));
    let pairs: Vec<(String, Vec<u8>)> = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).into_owned();
            let value = match &line[colon + 1..] {
                b"@key" => sender.key.expose().as_bytes().to_vec(),
                b"@mac" => bare.clone(),
                b"@timed" => [b"sha256=".as_slice(), &timed].concat(),
                value => value.to_vec(),
            };
            Some((name, value))
        })
        .collect();
    let headers = SignatureHeaders::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
    let Ok(batch) = verify_request(&headers, body, &sender.ring, &sender.directory, now) else { return };
    let has = |value: &[u8]| pairs.iter().any(|(name, given)| name == "x-signature" && given.to_ascii_lowercase().ends_with(value));
    assert!(pairs.iter().any(|(name, value)| name == "x-project-key" && value == sender.key.expose().as_bytes()));
    match batch.timestamp {
        None => assert!(has(&bare)),
        // Another time near now can't be signed by the fuzzer.
        Some(seconds) => assert!(has(&timed) && seconds.to_string() == NOW_SECONDS),
    }
    if let BatchIdentity::IdempotencyKey(name) = &batch.identity {
        assert!((1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&name.len()));
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let keys = BatchKeys::of(&batch, now).keys.len();
    assert!((1..=4).contains(&keys));
});
