use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::project::{Project, ProjectRef, ProjectSlug, ScrubSettings};

fn ring() -> KeyRing {
    KeyRing::new(&Secret::new("first secret"), None)
}

fn project(id: i64, slug: &str) -> Project {
    Project {
        id,
        slug: ProjectSlug::parse(slug).expect("a good slug"),
        name: slug.to_owned(),
        retention_days: 3,
        minute_cap: None,
        scrub: ScrubSettings::default(),
        created_at: Timestamp::default(),
    }
}

fn record(key: &ApiKey, project_id: i64, number: u32, revoked: bool) -> KeyRecord {
    KeyRecord {
        id: i64::from(number),
        project_id,
        number,
        kind: KeyKind::Server,
        sha256: key.sha256(),
        note: String::new(),
        hint: key.hint().to_owned(),
        created_at: Timestamp::default(),
        revoked_at: revoked.then(Timestamp::default),
    }
}

proptest! {
    #[test]
    fn a_minted_key_says_what_it_was_made_of(project_id in 1..=i64::MAX, number: u32, read: bool) {
        let kind = if read { KeyKind::Read } else { KeyKind::Server };
        let key = ring().mint(kind, project_id, number);
        let verified = ring().check(key.expose()).expect("its own key");
        prop_assert_eq!((verified.project_id, verified.key_number), (project_id, number));
        prop_assert_eq!((verified.kind, verified.sha256), (kind, key.sha256()));
    }

    #[test]
    fn a_key_with_any_character_changed_is_refused(at in 0..TEXT_CHARS, by in 0_u8..=127) {
        let key = ring().mint(KeyKind::Server, 7, 1);
        let mut bytes = key.expose().as_bytes().to_vec();
        prop_assume!(bytes[at] != by);
        bytes[at] = by;
        let text = String::from_utf8(bytes).expect("ASCII");
        prop_assert_eq!(ring().check(&text), None);
    }

    #[test]
    fn no_text_upsets_the_check(text in "\\PC{0,80}") {
        prop_assert_eq!(ring().check(&text), None);
    }
}

#[test]
fn a_key_has_one_spelling_only() {
    let key = ring().mint(KeyKind::Server, 1, 1);
    let text = key.expose();
    assert_eq!(text.len(), TEXT_CHARS);
    assert!(ring().check(text).is_some());
    let spellings = [
        text.to_uppercase(),
        format!("{text} "),
        format!(" {text}"),
        format!("{text}0"),
        text[1..].to_owned(),
    ];
    for other in spellings {
        assert_eq!(ring().check(&other), None, "{other}");
    }
}

#[test]
fn a_read_key_is_not_made_a_server_key_by_its_prefix() {
    let read = ring().mint(KeyKind::Read, 1, 1);
    assert_eq!(ring().check(&read.expose().replace("tkr_", "tkl_")), None);
}

#[test]
fn the_previous_secret_vouches_for_its_keys_and_signs_as_before() {
    let before = ring();
    let key = before.mint(KeyKind::Server, 3, 2);
    let signing = before.signing_secret(&before.check(key.expose()).expect("its own key"));

    let after = KeyRing::new(&Secret::new("second secret"), Some(&Secret::new("first secret")));
    let verified = after.check(key.expose()).expect("a key of the previous secret");
    assert_eq!(after.signing_secret(&verified), signing);
    assert_eq!(after.previous_fingerprint(), Some(before.fingerprint()));
    assert_ne!(after.fingerprint(), before.fingerprint());

    let without = KeyRing::new(&Secret::new("second secret"), None);
    assert_eq!(without.check(key.expose()), None);
}

#[test]
fn a_signing_secret_is_the_documented_hmac_in_hex() {
    let ring = ring();
    let key = ring.check(ring.mint(KeyKind::Server, 1, 1).expose()).expect("its own key");
    let expected = MacKey::new(b"first secret").mac(&[b"tekno-signing-v1", &key.sha256]);
    let expected = data_encoding::HEXLOWER.encode(&expected);
    assert_eq!(ring.signing_secret(&key).expose(), expected);
}

#[test]
fn nothing_secret_prints() {
    let ring = ring();
    let key = ring.mint(KeyKind::Server, 1, 1);
    let secret = ring.signing_secret(&ring.check(key.expose()).expect("its own key"));
    assert_eq!(format!("{key:?} {secret:?} {ring:?}"), "[api key] [signing secret] [key ring]");
}

#[test]
fn two_keys_of_the_same_number_differ_from_their_hint_on() {
    let (one, two) = (ring().mint(KeyKind::Server, 1, 1), ring().mint(KeyKind::Server, 1, 1));
    assert_ne!(one, two);
    assert_eq!(one.hint().len(), HINT_CHARS);
    assert!(one.expose().starts_with(one.hint()));
}

#[test]
fn a_directory_tells_active_revoked_and_newer_keys_apart() {
    let ring = ring();
    let [active, revoked, newer, absent, elsewhere] = [(1, 2), (1, 3), (1, 4), (1, 1), (9, 1)]
        .map(|(project, number)| ring.mint(KeyKind::Server, project, number));
    let status = |directory: &KeyDirectory, key: &ApiKey| {
        directory.lookup(&ring.check(key.expose()).expect("its own key"))
    };
    let directory = KeyDirectory::new();
    assert!(!directory.is_loaded());
    assert_eq!(status(&directory, &active), KeyStatus::Unknown);

    directory
        .replace(vec![project(1, "web-shop")], &[record(&active, 1, 2, false), record(&revoked, 1, 3, true)]);
    assert!(directory.is_loaded());
    assert_eq!(status(&directory, &active), KeyStatus::Active(Arc::new(project(1, "web-shop"))));
    assert_eq!(status(&directory, &revoked), KeyStatus::Revoked);
    assert_eq!(status(&directory, &absent), KeyStatus::Revoked);
    assert_eq!(status(&directory, &newer), KeyStatus::Unknown);
    assert_eq!(status(&directory, &elsewhere), KeyStatus::Unknown);
    let by_slug = ProjectRef::parse("web-shop").expect("a slug");
    assert_eq!(directory.project(&by_slug).map(|found| found.id), Some(1));

    directory.replace(Vec::new(), &[record(&active, 1, 2, false)]);
    assert_eq!(status(&directory, &active), KeyStatus::Revoked, "its project is gone");
}
