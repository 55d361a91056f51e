//! `DATA_DIR/secrets`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Barrier;

use super::*;

fn file(dir: &Path) -> PathBuf {
    dir.join(SECRET_FILE_NAME)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn pair(kept: &KeptSecrets) -> (String, String) {
    (kept.hmac_secret.expose().to_owned(), kept.admin_token.expose().to_owned())
}

#[test]
fn the_first_start_makes_secrets_and_the_next_reads_the_same() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("deep/data");
    let first = read_or_make(&dir).unwrap();
    assert_eq!((mode(&dir), mode(&file(&dir))), (0o700, 0o600));
    assert_eq!(first.origin, SecretOrigin::DataDir);
    assert_ne!(first.hmac_secret, first.admin_token);
    assert_eq!(first.hmac_secret.expose().len(), 64);
    let second = read_or_make(&dir).unwrap();
    assert_eq!(pair(&first), pair(&second));
    assert_eq!(second.notes, Vec::<String>::new());
}

#[test]
fn first_starts_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let together = Barrier::new(8);
    let start = || {
        together.wait();
        pair(&read_or_make(dir.path()).unwrap())
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(all.iter().all(|one| one == &all[0]));
}

#[test]
fn what_a_killed_start_left_behind_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secrets.new"), "HMAC_SECRET=half").unwrap();
    fs::write(dir.path().join("secrets.lock"), "").unwrap();
    let first = read_or_make(dir.path()).unwrap();
    assert_eq!(pair(&first), pair(&read_or_make(dir.path()).unwrap()));
    assert!(!dir.path().join("secrets.new").exists());
}

#[test]
fn a_look_makes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    assert_eq!(peek(&dir).unwrap().origin, SecretOrigin::NotYetMade);
    assert!(!dir.exists());
    let made = read_or_make(&dir).unwrap();
    assert_eq!(pair(&peek(&dir).unwrap()), pair(&made));
}

#[test]
fn a_file_cut_anywhere_is_a_problem_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    read_or_make(dir.path()).unwrap();
    let whole = fs::read(file(dir.path())).unwrap();
    for end in 0..whole.len() {
        fs::write(file(dir.path()), &whole[..end]).unwrap();
        let problem = read_or_make(dir.path()).unwrap_err();
        assert_eq!(problem.variable, "DATA_DIR", "cut to {end} bytes");
        assert!(problem.remedy.contains("restore"), "{problem}");
        assert_eq!(fs::read(file(dir.path())).unwrap(), &whole[..end]);
    }
}

#[test]
fn a_changed_file_is_a_problem_that_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let made = read_or_make(dir.path()).unwrap();
    let whole = fs::read_to_string(file(dir.path())).unwrap();
    let hmac_secret = made.hmac_secret.expose();
    for (text, word) in [
        (whole.clone() + "ADMIN_TOKEN=" + hmac_secret + "\n", "twice"),
        (whole.clone() + "TOKEN=x\n", "another name"),
        (whole.clone() + "\u{0}\n", "without ="),
        (whole.replace(hmac_secret, &hmac_secret.to_uppercase()), "changed"),
        (whole.replace("HMAC_SECRET=", "#"), "no HMAC_SECRET"),
        ("x".repeat(100_000), "middle of a line"),
    ] {
        fs::write(file(dir.path()), &text).unwrap();
        let problem = read_or_make(dir.path()).unwrap_err();
        assert!(problem.shape.contains(word), "{word}: {problem}");
        assert!(!problem.to_string().contains(hmac_secret), "{problem}");
    }
    fs::write(file(dir.path()), b"\xff\xfe\n").unwrap();
    assert!(read_or_make(dir.path()).unwrap_err().shape.contains("not text"));
}

#[test]
fn a_file_open_to_others_is_tightened_and_mentioned() {
    let dir = tempfile::tempdir().unwrap();
    let made = read_or_make(dir.path()).unwrap();
    fs::set_permissions(file(dir.path()), fs::Permissions::from_mode(0o644)).unwrap();
    let variables = [("DATA_DIR".to_owned(), dir.path().display().to_string())].into();
    let config = Config::parse(&variables, &read_or_make).unwrap();
    assert_eq!(mode(&file(dir.path())), 0o600);
    assert_eq!(config.hmac_secret, made.hmac_secret);
    let warnings = config.warnings();
    assert!(warnings[0].contains("mode 644"), "{warnings:?}");
}

#[test]
fn a_directory_that_cant_be_made_is_a_problem_of_data_dir() {
    let dir = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = dir.path().join("data");
    let variables = [("DATA_DIR".to_owned(), below_a_file.display().to_string())].into();
    let found = problem(Config::parse(&variables, &read_or_make));
    assert_eq!(found.variable, "DATA_DIR");
}
