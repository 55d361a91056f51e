//! `DATABASE_URL`, `DB_*` and how the connection is protected.

use std::path::PathBuf;

use proptest::prelude::*;

use super::super::database_url::percent_decoded;
use super::*;

fn server(pairs: &[(&str, &str)]) -> DatabaseConfig {
    parse_server(pairs).unwrap().database
}

fn server_tls(pairs: &[(&str, &str)]) -> DatabaseTls {
    match server(pairs) {
        DatabaseConfig::Server { tls, .. } => tls,
        DatabaseConfig::Embedded => panic!("a server database was named"),
    }
}

fn url_problem(url: &str) -> Problem {
    let problem = problem(parse_server(&[("DATABASE_URL", url)]));
    assert_eq!(problem.variable, "DATABASE_URL");
    problem
}

#[test]
fn a_database_url_is_taken_apart_and_percent_decoded() {
    let expected = DatabaseConfig::Server {
        host: "db.example.org".to_owned(),
        port: 4000,
        socket: None,
        name: "logs".to_owned(),
        user: "app@tenant".to_owned(),
        password: Secret::new("p@ss:/?#%+é"),
        tls: DatabaseTls::Verify,
        tls_ca: None,
    };
    for scheme in ["mysql", "mariadb", "MySQL"] {
        let url = format!("{scheme}://app%40tenant:p%40ss%3A%2F%3F%23%25+%C3%A9@db.example.org:4000/logs");
        assert_eq!(server(&[("DATABASE_URL", &url)]), expected);
    }
}

#[test]
fn a_database_url_has_a_default_port_and_may_have_no_password() {
    let DatabaseConfig::Server { host, port, password, .. } =
        server(&[("DATABASE_URL", "mysql://app@[2001:db8::1]/logs")])
    else {
        panic!("a server database was named")
    };
    assert_eq!((host.as_str(), port, password.expose()), ("2001:db8::1", 3306, ""));
}

#[test]
fn the_parts_name_a_database_as_a_url_does() {
    let url = [("DATABASE_URL", "mysql://app:pa%20ss@db.example.org:3307/logs")];
    let parts = [
        ("DB_HOST", "db.example.org"),
        ("DB_PORT", "3307"),
        ("DB_NAME", "logs"),
        ("DB_USER", "app"),
        ("DB_PASS", "pa ss"),
    ];
    assert_eq!(server(&url), server(&parts));
}

#[test]
fn a_url_that_cant_be_used_is_refused_without_showing_its_password() {
    for (url, word) in [
        ("postgres://app:hunter2@db/logs", "PostgreSQL"),
        ("sqlite:./hunter2.db", "DATA_DIR"),
        ("db.example.org", "mysql://"),
        ("hunter2", "mysql://"),
        ("mysql:app:hunter2@db/logs", "host"),
        ("mysql://app:hunter2@db", "database name"),
        ("mysql://app:hunter2@db/", "database name"),
        ("mysql://app:hunter2@db/a/b", "database name"),
        ("mysql://:hunter2@db/logs", "user"),
        ("mysql://app:hunter2@/logs", "URL"),
        ("mysql://app:hunter2@db:0/logs", "port"),
        ("mysql://app:hunter2@db:99999/logs", "port"),
        ("mysql://app:hunter2/x@db/logs", "%2F"),
        ("mysql://app:12?hunter2&hunter2@db/logs", "%3F"),
        ("mysql://app:12#hunter2@db/logs", "%23"),
        ("mysql://app:100%hunter2@db/logs", "%25"),
        ("mysql://app:%FF%FEhunter2@db/logs", "percent"),
        ("mysql://app:hunter2@d%20b/logs", "host"),
        ("mysql://app:hunter2@db/logs?charset=utf8", "charset"),
        ("mysql://app:hunter2@db/logs?ssl-mode=PREFERRED", "PREFERRED"),
        ("mysql://app:hunter2@db/logs?socket=mysqld.sock", "absolute"),
    ] {
        let text = url_problem(url).to_string();
        assert!(text.contains(word), "{url}: {text}");
        assert!(!text.contains("hunter2"), "{url}: {text}");
    }
}

#[test]
fn all_faults_of_a_url_are_listed() {
    let found = problems(parse_server(&[("DATABASE_URL", "mysql://db/?charset=utf8&ssl-mode=maybe")]));
    let shapes: Vec<String> = found.into_iter().map(|problem| problem.shape).collect();
    assert_eq!(
        shapes,
        [
            "has the unknown parameter \"charset\"",
            "has ssl-mode=\"maybe\"",
            "has no user",
            "has no single database name"
        ]
    );
}

#[test]
fn a_url_and_parts_together_are_refused() {
    let both = [("DATABASE_URL", "mysql://app@localhost/logs"), ("DB_HOST", "localhost"), ("DB_PASS", "x")];
    assert_eq!(problem(parse_server(&both)).shape, "is set together with DB_HOST, DB_PASS");
    // DB_PORT has a default in .env.template and says nothing alone.
    server(&[("DATABASE_URL", "mysql://app@localhost/logs"), ("DB_PORT", "3306")]);
    assert_eq!(parse(&[("DB_PORT", "3306")]).unwrap().database, DatabaseConfig::Embedded);
}

#[test]
fn half_a_database_is_refused_instead_of_embedded() {
    let variables = |pairs: &[(&str, &str)]| -> Vec<&str> {
        problems(parse_server(pairs)).into_iter().map(|problem| problem.variable).collect()
    };
    assert_eq!(variables(&[("DB_HOST", "db")]), ["DB_NAME", "DB_USER"]);
    assert_eq!(variables(&[("DB_PASS", "x")]), ["DB_HOST", "DB_NAME", "DB_USER"]);
    assert_eq!(variables(&[("DB_NAME", "logs"), ("DB_USER", "app")]), ["DB_HOST"]);
}

#[test]
fn a_host_that_is_no_host_says_where_its_parts_belong() {
    for (host, word) in [
        ("db.example.org:3306", "DB_PORT"),
        ("mysql://db.example.org", "DATABASE_URL"),
        ("two words", "host name"),
    ] {
        let problem = problem(parse_server(&[("DB_HOST", host), ("DB_NAME", "logs"), ("DB_USER", "app")]));
        assert!(problem.remedy.contains(word), "{problem}");
    }
}

#[test]
fn another_machine_is_verified_and_this_one_is_plain_by_default() {
    let tls = |host: &str| server_tls(&[("DATABASE_URL", &format!("mysql://app@{host}/logs"))]);
    for local in
        ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"]
    {
        assert_eq!(tls(local), DatabaseTls::Disabled, "{local}");
    }
    for other in
        ["db", "10.0.0.5", "localhost.example.org", "[2001:db8::1]", "0.0.0.0", "127.0.0.1.example.org"]
    {
        assert_eq!(tls(other), DatabaseTls::Verify, "{other}");
    }
}

#[test]
fn database_tls_goes_before_ssl_mode() {
    let tls = |mode: &str, word: &str| {
        let url = format!("mysql://app@db.example.org/logs?ssl-mode={mode}");
        server_tls(&[("DATABASE_URL", &url), ("DATABASE_TLS", word)])
    };
    assert_eq!(tls("required", ""), DatabaseTls::Encrypt);
    assert_eq!(tls("VERIFY_CA", ""), DatabaseTls::Verify);
    assert_eq!(tls("VERIFY_IDENTITY", ""), DatabaseTls::Verify);
    assert_eq!(tls("REQUIRED", "verify"), DatabaseTls::Verify);
    assert_eq!(tls("VERIFY_CA", "encrypt"), DatabaseTls::Encrypt);
    assert_eq!(tls("DISABLED", "disabled"), DatabaseTls::Disabled);
}

#[test]
fn plain_to_another_machine_takes_an_explicit_word_and_is_warned_about() {
    let problem = url_problem("mysql://app@db.example.org/logs?ssl-mode=DISABLED");
    assert!(problem.remedy.contains("DATABASE_TLS=disabled"));
    let warned = |tls, word: &str| {
        let pairs =
            [("DATABASE_URL", "mysql://app@db/logs"), ("DATABASE_TLS", tls), ("APP_ENV", "development")];
        let warnings = parse_server(&pairs).unwrap().warnings().join("\n");
        assert!(warnings.contains(word), "{warnings}");
    };
    warned("disabled", "in the clear");
    warned("encrypt", "not checked");
    let local =
        [("DATABASE_URL", "mysql://app@localhost/logs?ssl-mode=DISABLED"), ("APP_ENV", "development")];
    assert!(parse_server(&local).unwrap().warnings().is_empty());
}

#[test]
fn a_unix_socket_is_plain_and_refuses_tls() {
    let expected = Some(PathBuf::from("/run/mysqld/mysqld.sock"));
    for pairs in [
        [
            ("DATABASE_URL", "mysql://app@localhost/logs?socket=/run/mysqld/mysqld.sock"),
            ("DB_NAME", ""),
            ("", ""),
        ],
        [("DATABASE_URL", "mysql:///logs?socket=/run/mysqld/mysqld.sock"), ("DB_NAME", ""), ("", "")],
        [("DB_HOST", "/run/mysqld/mysqld.sock"), ("DB_NAME", "logs"), ("DB_USER", "app")],
    ] {
        match parse_server(&pairs).map(|config| config.database) {
            Ok(DatabaseConfig::Server { socket, tls, host, .. }) => {
                assert_eq!(
                    (socket, tls, host.as_str()),
                    (expected.clone(), DatabaseTls::Disabled, "localhost")
                );
            }
            // The one without a user.
            other => assert!(other.unwrap_err().to_string().contains("no user")),
        }
    }
    let url = "mysql://app@localhost/logs?socket=/run/mysqld/mysqld.sock";
    let problem = problem(parse_server(&[("DATABASE_URL", url), ("DATABASE_TLS", "verify")]));
    assert!(problem.shape.contains("Unix socket"));
}

#[test]
fn a_certificate_authority_means_verify_and_must_be_a_pem_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    std::fs::write(path("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let ca = path("ca.pem");
    for url in ["mysql://app@localhost/logs", "mysql://app@db.example.org/logs?ssl-mode=REQUIRED"] {
        match server(&[("DATABASE_URL", url), ("DATABASE_TLS_CA", &ca)]) {
            DatabaseConfig::Server { tls: DatabaseTls::Verify, tls_ca: Some(path), .. } => {
                assert_eq!(path, PathBuf::from(&ca));
            }
            other => panic!("{other:?}"),
        }
    }
    let refused = |ca: &str, tls: &str, word: &str| {
        let url = ("DATABASE_URL", "mysql://app@db.example.org/logs");
        let problem = problem(parse_server(&[url, ("DATABASE_TLS_CA", ca), ("DATABASE_TLS", tls)]));
        assert_eq!(problem.variable, "DATABASE_TLS_CA");
        assert!(problem.shape.contains(word), "{problem}");
    };
    refused(&path("missing.pem"), "", "can't be read");
    refused(&path("key.pem"), "", "no PEM certificate");
    refused(&ca, "encrypt", "not checked");
    refused(&ca, "disabled", "not checked");
}

#[test]
fn tls_settings_without_a_server_database_are_warned_about() {
    let warnings = parse(&[("DATABASE_TLS", "verify")]).unwrap().warnings();
    assert_eq!(warnings, ["DATABASE_TLS and DATABASE_TLS_CA do nothing without a server database"]);
}

proptest! {
    #[test]
    fn any_password_survives_a_percent_encoded_url(password in "[^\\p{C}]{0,40}") {
        let encoded = password.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let url = format!("mysql://app:{encoded}@db.example.org/logs");
        match server(&[("DATABASE_URL", &url)]) {
            DatabaseConfig::Server { password: read, .. } => prop_assert_eq!(read.expose(), password),
            DatabaseConfig::Embedded => prop_assert!(false),
        }
    }

    #[test]
    fn percent_decoding_never_panics(text in "[%0-9a-fA-Gé]{0,12}") {
        let decoded = percent_decoded(&text);
        prop_assert!(text.contains('%') || decoded.as_deref() == Some(&*text));
    }

    #[test]
    fn any_database_url_is_taken_or_refused(url in "mysql:/{0,3}[a-z:@/?#%&=.\\[\\]0-9 é-]{0,40}") {
        if let Err(error) = parse_server(&[("DATABASE_URL", &url)]) {
            prop_assert!(error.problems.iter().all(|problem| problem.variable == "DATABASE_URL"));
        }
    }
}
