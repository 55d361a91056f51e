use proptest::prelude::*;

use super::*;
use crate::config::Secret;
use crate::key::{ApiKey, KeyRecord, SigningSecret};
use crate::project::{ProjectSlug, ScrubSettings};

const NOW_SECONDS: i64 = 1_790_000_000;
const BODY: &[u8] = br#"[{"message":"disk full"}]"#;

struct Sender {
    ring: KeyRing,
    directory: KeyDirectory,
    key: ApiKey,
    secret: SigningSecret,
}

fn sender() -> Sender {
    let ring = KeyRing::new(&Secret::new("a secret"), None);
    let key = ring.mint(KeyKind::Server, 1, 1);
    let secret = ring.signing_secret(&ring.check(key.expose()).expect("its own key"));
    let sender = Sender { ring, directory: KeyDirectory::new(), key, secret };
    sender.know(false);
    sender
}

impl Sender {
    fn know(&self, revoked: bool) {
        let project = Project {
            id: 1,
            slug: ProjectSlug::parse("web").expect("a good slug"),
            name: "Web".to_owned(),
            retention_days: 3,
            minute_cap: None,
            scrub: ScrubSettings::default(),
            created_at: Timestamp::default(),
        };
        let record = KeyRecord {
            id: 1,
            project_id: 1,
            number: 1,
            kind: KeyKind::Server,
            sha256: self.key.sha256(),
            note: String::new(),
            hint: String::new(),
            created_at: Timestamp::default(),
            revoked_at: revoked.then(Timestamp::default),
        };
        self.directory.replace(vec![project], &[record]);
    }

    fn sign(&self, parts: &[&[u8]]) -> String {
        data_encoding::HEXLOWER.encode(&self.secret.mac(parts))
    }

    fn verify(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<VerifiedBatch, ApiError> {
        let headers =
            SignatureHeaders::from_pairs(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let now = Timestamp::from_millis(NOW_SECONDS * 1000 + 999);
        verify_request(&headers, body, &self.ring, &self.directory, now)
    }

    fn verify_signature(&self, signature: &str) -> Result<VerifiedBatch, ApiError> {
        self.verify(&[("x-project-key", self.key.expose()), ("x-signature", signature)], BODY)
    }
}

#[test]
fn a_bare_and_a_prefixed_signature_of_any_case_are_taken() {
    let sender = sender();
    let hex = sender.sign(&[BODY]);
    for signature in
        [hex.clone(), format!("sha256={hex}"), hex.to_uppercase(), format!("sha256={}", hex.to_uppercase())]
    {
        let batch = sender.verify_signature(&signature).expect("a right signature");
        assert_eq!(batch.project.expect("known").id, 1);
        assert!(matches!(batch.identity, BatchIdentity::BareMac(mac) if mac == batch.mac));
    }
}

#[test]
fn lenient_hex_is_refused() {
    let sender = sender();
    let hex = sender.sign(&[BODY]);
    let wrong = [
        String::new(),
        "sha256=".to_owned(),
        hex[..62].to_owned(),
        hex[..63].to_owned(),
        format!("{hex}0"),
        format!("{hex}00"),
        format!("{hex}zz"),
        format!("{} {}", &hex[..32], &hex[32..]),
        format!(" {hex}"),
        format!("0x{hex}"),
        format!("SHA256={hex}"),
        format!("sha256=sha256={hex}"),
        format!("sha1={hex}"),
        format!("{}zz", &hex[..62]),
    ];
    for signature in wrong {
        assert_eq!(sender.verify_signature(&signature), Err(ApiError::Unauthorized), "{signature}");
    }
}

#[test]
fn a_timestamp_is_under_the_mac_and_within_five_minutes() {
    let sender = sender();
    let verify = |text: &str| {
        let signature = sender.sign(&[text.as_bytes(), b".", BODY]);
        let headers =
            [("x-project-key", sender.key.expose()), ("x-signature", &signature), ("x-timestamp", text)];
        sender.verify(&headers, BODY)
    };
    for near in [-300, 0, 300] {
        let batch = verify(&(NOW_SECONDS + near).to_string()).expect("within the window");
        assert_eq!(
            batch.identity,
            BatchIdentity::TimestampedMac { mac: batch.mac, timestamp: NOW_SECONDS + near }
        );
    }
    for far in [-301, 301] {
        assert_eq!(verify(&(NOW_SECONDS + far).to_string()), Err(ApiError::Unauthorized));
    }
    for spelled in
        ["+1790000000", "01790000000", "1790000000.0", "1790000000 ", "1.79e9", "", "0x6ab13b80", "１"]
    {
        assert_eq!(verify(spelled), Err(ApiError::Unauthorized), "{spelled:?}");
    }
    let now = NOW_SECONDS.to_string();
    let bare = sender.sign(&[BODY]);
    let headers = [("x-project-key", sender.key.expose()), ("x-signature", &bare), ("x-timestamp", &now)];
    assert_eq!(sender.verify(&headers, BODY), Err(ApiError::Unauthorized), "a MAC without the time");
}

#[test]
fn a_header_sent_twice_is_refused() {
    let sender = sender();
    let hex = sender.sign(&[BODY]);
    let now = NOW_SECONDS.to_string();
    let good = [("x-project-key", sender.key.expose()), ("x-signature", hex.as_str())];
    assert!(sender.verify(&good, BODY).is_ok());
    for twice in [good[0], good[1]] {
        assert_eq!(sender.verify(&[good[0], good[1], twice], BODY), Err(ApiError::Unauthorized));
    }
    let repeated = [good[0], good[1], ("idempotency-key", "a"), ("idempotency-key", "a")];
    assert_eq!(sender.verify(&repeated, BODY), Err(ApiError::Unauthorized));
    let timed = sender.sign(&[now.as_bytes(), b".", BODY]);
    let repeated = [good[0], ("x-signature", timed.as_str()), ("x-timestamp", &now), ("x-timestamp", &now)];
    assert_eq!(sender.verify(&repeated, BODY), Err(ApiError::Unauthorized));
}

#[test]
fn an_idempotency_key_names_the_batch_and_must_be_plain() {
    let sender = sender();
    let hex = sender.sign(&[BODY]);
    let verify = |value: &str| {
        let headers = [
            ("x-project-key", sender.key.expose()),
            ("x-signature", hex.as_str()),
            ("idempotency-key", value),
        ];
        sender.verify(&headers, BODY)
    };
    let longest = "x".repeat(MAX_IDEMPOTENCY_KEY_CHARS);
    for good in ["batch-7", "~", &longest] {
        let identity = verify(good).expect("a good key").identity;
        assert_eq!(identity, BatchIdentity::IdempotencyKey(good.to_owned()));
    }
    for bad in ["", "a b", "tab\t", "ü", &format!("{longest}x")] {
        assert!(matches!(verify(bad), Err(ApiError::InvalidParameter(_))), "{bad:?}");
    }
}

#[test]
fn the_sender_is_refused_alike_for_every_cause() {
    let sender = sender();
    let hex = sender.sign(&[BODY]);
    let read_key = sender.ring.mint(KeyKind::Read, 1, 1);
    let read_secret = sender.ring.signing_secret(&sender.ring.check(read_key.expose()).expect("its own key"));
    let read_signature = data_encoding::HEXLOWER.encode(&read_secret.mac(&[BODY]));
    let foreign = KeyRing::new(&Secret::new("another service"), None).mint(KeyKind::Server, 1, 1);
    let causes: [&[(&str, &str)]; 6] = [
        &[],
        &[("x-project-key", sender.key.expose())],
        &[("x-signature", &hex)],
        &[("x-project-key", "pk_test_0123456789abcdef"), ("x-signature", &hex)],
        &[("x-project-key", foreign.expose()), ("x-signature", &hex)],
        &[("x-project-key", read_key.expose()), ("x-signature", &read_signature)],
    ];
    for headers in causes {
        assert_eq!(sender.verify(headers, BODY), Err(ApiError::Unauthorized), "{headers:?}");
    }
    assert!(sender.verify_signature(&hex).is_ok());
    sender.know(true);
    assert_eq!(sender.verify_signature(&hex), Err(ApiError::Unauthorized), "revoked");
}

#[test]
fn a_key_the_directory_does_not_know_yet_comes_without_a_project() {
    let mut sender = sender();
    let hex = sender.sign(&[BODY]);
    sender.directory = KeyDirectory::new();
    assert_eq!(sender.verify_signature(&hex).expect("vouches for itself").project, None);
}

proptest! {
    #[test]
    fn a_body_or_signature_changed_in_one_bit_is_refused(
        mut body in proptest::collection::vec(any::<u8>(), 1..200),
        at: prop::sample::Index,
        bit in 0_u8..8,
        in_body: bool,
    ) {
        let sender = sender();
        let mut mac = sender.secret.mac(&[&body]);
        let target: &mut [u8] = if in_body { &mut body } else { &mut mac };
        let at = at.index(target.len());
        target[at] ^= 1 << bit;
        let signature = data_encoding::HEXLOWER.encode(&mac);
        let headers = [("x-project-key", sender.key.expose()), ("x-signature", signature.as_str())];
        prop_assert_eq!(sender.verify(&headers, &body), Err(ApiError::Unauthorized));
    }
}
