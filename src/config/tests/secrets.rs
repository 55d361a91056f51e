//! What may serve as a secret.

use proptest::prelude::*;

use super::super::secret::weakness;
use super::*;

const SERVER: (&str, &str) = ("DATABASE_URL", "mysql://app@localhost/logs");

#[test]
fn a_server_database_requires_both_secrets() {
    let found = problems(parse(&[SERVER]));
    let variables: Vec<&str> = found.iter().map(|problem| problem.variable).collect();
    assert_eq!(variables, ["HMAC_SECRET", "ADMIN_TOKEN"]);
    assert!(found.iter().all(|problem| problem.remedy.contains("openssl rand -hex 32")));
}

#[test]
fn the_embedded_default_asks_for_kept_secrets_only_where_one_is_unset() {
    let (hmac_secret, admin_token) = (strong(7), strong(8));
    let both = [("HMAC_SECRET", hmac_secret.as_str()), ("ADMIN_TOKEN", admin_token.as_str())];
    let never = |_: &Path| -> Result<KeptSecrets, Problem> { panic!("both secrets are set") };
    let variables = both.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::parse(&variables, &never).unwrap();
    assert_eq!(config.hmac_secret.expose(), hmac_secret);
    assert_eq!(config.admin_token_origin, SecretOrigin::Environment);

    let config = parse(&both[..1]).unwrap();
    assert_eq!((config.hmac_secret.expose(), config.admin_token.expose()), (&*hmac_secret, &*strong(2)));
    assert_eq!(config.hmac_secret_origin, SecretOrigin::Environment);
    assert_eq!(config.admin_token_origin, SecretOrigin::DataDir);
}

#[test]
fn a_problem_of_the_kept_secrets_is_listed_with_the_others() {
    let damaged = |_: &Path| -> Result<KeptSecrets, Problem> {
        Err(Problem { variable: "DATA_DIR", shape: "is damaged".into(), remedy: "mend it".into() })
    };
    let variables = [("PORT".to_owned(), "x".to_owned())].into();
    let found = problems(Config::parse(&variables, &damaged));
    assert_eq!(found.iter().map(|problem| problem.variable).collect::<Vec<_>>(), ["PORT", "DATA_DIR"]);
}

#[test]
fn weak_secrets_are_refused_by_their_shape() {
    for (weak, word) in [
        ("Zk3v9Qm2", "8 of at least 32"),
        ("Zk3v9Qm2xT7pLr5wBn8yHc4dJf6gSa1", "31 of at least 32"),
        ("changeme", "placeholder"),
        ("change-me-to-something-long-and-random", "placeholder"),
        ("CHANGE_THIS_TO_A_LONG_RANDOM_STRING!", "placeholder"),
        ("your-secret-here", "placeholder"),
        ("your_hmac_secret_of_at_least_32_chars", "placeholder"),
        ("placeholder-placeholder-placeholder", "placeholder"),
        ("supersecretsupersecretsupersecret", "placeholder"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "repeated"),
        ("xxxx", "repeated"),
        ("secretsecretsecretsecretsecretse", "repeated"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdef", "different"),
        (" Zk3v9Qm2xT7pLr5wBn8yHc4dJf6gSa1Zk3v9", "blank"),
    ] {
        for name in ["HMAC_SECRET", "HMAC_SECRET_PREVIOUS", "ADMIN_TOKEN", "METRICS_TOKEN"] {
            let problem = problem(parse(&[(name, weak)]));
            assert_eq!(problem.variable, name);
            assert!(problem.shape.contains(word), "{weak}: {problem}");
            assert!(!problem.to_string().contains(weak), "{problem}");
        }
    }
}

#[test]
fn a_token_is_visible_ascii_and_a_key_may_be_a_phrase() {
    let phrase = "seven wet foxes jump über the quiet harbour wall";
    assert!(parse(&[("HMAC_SECRET", phrase)]).is_ok());
    for name in ["ADMIN_TOKEN", "METRICS_TOKEN"] {
        assert!(problem(parse(&[(name, phrase)])).shape.contains("ASCII"));
    }
    let broken = format!("{}\n", strong(9));
    assert!(problem(parse(&[("HMAC_SECRET", &broken)])).shape.contains("line break"));
}

#[test]
fn two_purposes_never_share_a_secret() {
    let (one, two) = (strong(7), strong(8));
    for (first, second) in [
        ("HMAC_SECRET", "ADMIN_TOKEN"),
        ("HMAC_SECRET", "METRICS_TOKEN"),
        ("HMAC_SECRET_PREVIOUS", "ADMIN_TOKEN"),
        ("ADMIN_TOKEN", "METRICS_TOKEN"),
    ] {
        let problem = problem(parse(&[(first, &one), (second, &one)]));
        assert_eq!((problem.variable, problem.shape), (second, format!("is the same as {first}")));
        assert!(parse(&[(first, &one), (second, &two)]).is_ok());
    }
    // The generated one counts too.
    assert_eq!(problem(parse(&[("METRICS_TOKEN", &strong(2))])).shape, "is the same as ADMIN_TOKEN");
}

#[test]
fn a_previous_secret_that_is_the_present_one_is_only_warned_about() {
    let same = strong(7);
    let config = parse(&[("HMAC_SECRET", &same), ("HMAC_SECRET_PREVIOUS", &same)]).unwrap();
    assert!(config.warnings()[0].contains("can be removed"));
}

proptest! {
    #[test]
    fn what_openssl_or_a_host_makes_is_never_weak(bytes in prop::array::uniform32(any::<u8>())) {
        // Keeps to bytes that could be random: a run of equal ones is rightly refused.
        let different: std::collections::BTreeSet<u8> = bytes.iter().copied().collect();
        prop_assume!(different.len() > 20);
        prop_assert_eq!(weakness(&data_encoding::HEXLOWER.encode(&bytes)), None);
        prop_assert_eq!(weakness(&data_encoding::BASE64.encode(&bytes)), None);
    }
}
