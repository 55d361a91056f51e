//! The settings as a whole; databases, secrets and the file that keeps them have modules of their own.

mod alerts;
mod database;
mod secret_file;
mod secrets;

use super::*;

/// A secret nobody would call weak, different for each `seed`.
fn strong(seed: u8) -> String {
    let byte = |position: u8| seed.wrapping_mul(31).wrapping_add(position.wrapping_mul(37));
    data_encoding::HEXLOWER
        .encode(&std::array::from_fn::<u8, 32, _>(|position| byte(u8::try_from(position).expect("below 32"))))
}

fn kept_for_tests() -> KeptSecrets {
    KeptSecrets {
        hmac_secret: Secret::new(strong(1)),
        admin_token: Secret::new(strong(2)),
        origin: SecretOrigin::DataDir,
        notes: Vec::new(),
    }
}

fn parse(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::parse(&variables, &|_| Ok(kept_for_tests()))
}

/// The settings with a server database and good secrets, and `pairs` over them.
fn parse_server(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (hmac_secret, admin_token) = (strong(3), strong(4));
    let mut all = vec![("HMAC_SECRET", hmac_secret.as_str()), ("ADMIN_TOKEN", admin_token.as_str())];
    all.extend(pairs);
    parse(&all)
}

fn problems(result: Result<Config, ConfigError>) -> Vec<Problem> {
    result.expect_err("it must be refused").problems
}

/// The one problem of these settings.
fn problem(result: Result<Config, ConfigError>) -> Problem {
    let mut problems = problems(result);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.app_env, AppEnv::Development);
    assert_eq!(config.port, 3000);
    assert_eq!(config.database, DatabaseConfig::Embedded);
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.hmac_secret_previous, None);
    assert_eq!(config.metrics_token, None);
    assert_eq!(config.public_url, None);
    assert_eq!(config.client_address, ClientAddressSource::Peer);
    assert_eq!(config.default_retention_days, 3);
    assert_eq!(config.log_level, "info");
    let limits = Limits {
        max_payload_bytes: 524_288,
        max_inflated_bytes: 8_388_608,
        max_events_per_post: 250,
        rate_limit_per_minute: 5000,
        rate_limit_per_ip: 100,
        read_rate_limit_per_ip: 600,
        max_connections: 512,
        search_max_bytes: 268_435_456,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn an_empty_value_is_the_same_as_none() {
    let empty: Vec<(&str, &str)> = setting::all().map(|setting| (setting.name, "")).collect();
    assert_eq!(parse(&empty), parse(&[]));
    let blank: Vec<(&str, &str)> = setting::all().map(|setting| (setting.name, "  ")).collect();
    assert_eq!(parse(&blank), parse(&[]));
}

#[test]
fn blanks_around_a_value_are_dropped() {
    assert_eq!(parse(&[("PORT", " 8080 ")]).unwrap().port, 8080);
}

#[test]
fn every_number_takes_its_bounds_and_nothing_beyond() {
    for setting in setting::all() {
        let setting::Accepts::Number { min, max } = setting.accepts else { continue };
        for good in [min, max] {
            let result = parse(&[(setting.name, &good.to_string())]);
            assert!(result.is_ok(), "{}={good}: {result:?}", setting.name);
        }
        let below = min.checked_sub(1).map_or("-1".to_owned(), |below| below.to_string());
        for bad in [&below, &(max + 1).to_string(), "many", "1.0", "+5", "0x10", "99999999999999999999"] {
            let problem = problem(parse(&[(setting.name, bad)]));
            assert_eq!(problem.variable, setting.name);
            assert!(problem.shape.contains(bad), "{problem:?}");
            assert!(problem.remedy.contains(&format!("{min} to {max}")), "{problem:?}");
        }
    }
}

#[test]
fn all_problems_are_listed_at_once_with_a_remedy_each() {
    let result = parse(&[
        ("PORT", "http"),
        ("APP_ENV", "staging"),
        ("PUBLIC_URL", "logs.example.org"),
        ("DB_HOST", "db.example.org"),
        ("HMAC_SECRET", "short"),
        ("MAX_CONNECTIONS", "1"),
        ("LOG_LEVEL", "verbose"),
    ]);
    let error = result.unwrap_err();
    let variables: Vec<&str> = error.problems.iter().map(|problem| problem.variable).collect();
    assert_eq!(
        variables,
        [
            "APP_ENV",
            "PORT",
            "PUBLIC_URL",
            "LOG_LEVEL",
            "DB_NAME",
            "DB_USER",
            "HMAC_SECRET",
            "ADMIN_TOKEN",
            "MAX_CONNECTIONS"
        ]
    );
    let text = error.to_string();
    assert!(
        text.starts_with("The settings have 9 problems:\n  APP_ENV is \"staging\"\n    set it to"),
        "{text}"
    );
    assert!(!text.contains("short"), "{text}");
    assert!(error.problems.iter().all(|problem| !problem.remedy.is_empty()));
}

#[test]
fn a_control_character_or_broken_text_is_refused_by_name() {
    let value = |text| problem(parse(&[("DATA_DIR", text)]));
    assert_eq!(value("/data\n").variable, "DATA_DIR");
    assert!(value("/da\u{fffd}ta").shape.contains("UTF-8"));
}

#[test]
fn a_long_value_is_cut_and_one_with_an_at_sign_is_not_shown() {
    let long = "p".repeat(500);
    assert!(problem(parse(&[("PORT", &long)])).shape.len() < 60);
    let text = problem(parse(&[("PORT", "root:hunter2@db")])).to_string();
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn app_env_is_production_with_a_server_database_unless_set() {
    let server = ("DATABASE_URL", "mysql://app@localhost/logs");
    assert_eq!(parse_server(&[server]).unwrap().app_env, AppEnv::Production);
    assert_eq!(parse_server(&[server, ("APP_ENV", "Development")]).unwrap().app_env, AppEnv::Development);
    assert_eq!(parse(&[("NODE_ENV", "production")]).unwrap().app_env, AppEnv::Production);
    let both = [("APP_ENV", "development"), ("NODE_ENV", "production")];
    assert_eq!(parse(&both).unwrap().app_env, AppEnv::Development);
    assert_eq!(problem(parse(&[("APP_ENV", "test")])).variable, "APP_ENV");
}

#[test]
fn a_node_env_of_other_tools_is_passed_over_with_a_warning() {
    let config = parse(&[("NODE_ENV", "test")]).unwrap();
    assert_eq!(config.app_env, AppEnv::Development);
    assert!(config.warnings()[0].starts_with("NODE_ENV"), "{:?}", config.warnings());
}

#[test]
fn a_public_url_is_scheme_host_and_port() {
    let url = |text| parse(&[("PUBLIC_URL", text)]).unwrap().public_url.unwrap();
    assert_eq!(url("https://logs.example.org"), "https://logs.example.org");
    assert_eq!(url("https://Logs.Example.org:443/"), "https://logs.example.org");
    assert_eq!(url("http://localhost:3000"), "http://localhost:3000");
    assert_eq!(url("http://[::1]:8080/"), "http://[::1]:8080");
    let render = [("RENDER_EXTERNAL_URL", "https://x.onrender.com")];
    assert_eq!(parse(&render).unwrap().public_url.unwrap(), "https://x.onrender.com");
    for bad in [
        "logs.example.org",
        "ftp://logs.example.org",
        "https://",
        "https://logs.example.org/path",
        "https://logs.example.org/?a=b",
        "https://logs.example.org/#a",
        "https://admin:hunter2@logs.example.org",
        "javascript:alert(1)",
    ] {
        let problem = problem(parse(&[("PUBLIC_URL", bad)]));
        assert_eq!(problem.variable, "PUBLIC_URL", "{bad}");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
}

#[test]
fn the_client_address_comes_from_one_source() {
    let source = |pairs: &[(&str, &str)]| parse(pairs).map(|config| config.client_address);
    let header = ClientAddressSource::Header("cf-connecting-ip".to_owned());
    assert_eq!(source(&[("CLIENT_ADDRESS_HEADER", "CF-Connecting-IP")]).unwrap(), header);
    assert_eq!(source(&[("TRUSTED_PROXY_HOPS", "2")]).unwrap(), ClientAddressSource::ForwardedHops(2));
    let both = [("CLIENT_ADDRESS_HEADER", "X-Real-IP"), ("TRUSTED_PROXY_HOPS", "2")];
    assert!(problem(parse(&both)).shape.contains("TRUSTED_PROXY_HOPS"));
    for list in ["X-Forwarded-For", "forwarded"] {
        assert!(problem(parse(&[("CLIENT_ADDRESS_HEADER", list)])).remedy.contains("TRUSTED_PROXY_HOPS"));
    }
    for bad in ["two words", "a:b", "é", &"x".repeat(65)] {
        assert_eq!(problem(parse(&[("CLIENT_ADDRESS_HEADER", bad)])).variable, "CLIENT_ADDRESS_HEADER");
    }
}

#[test]
fn log_level_takes_directives_and_refuses_a_word_that_is_no_level() {
    for good in ["debug", "WARN", "off", "info,sqlx=debug", "warn,tekno_logger::write=trace"] {
        assert_eq!(parse(&[("LOG_LEVEL", good)]).unwrap().log_level, good);
    }
    for bad in ["verbose", "info,loud", "sqlx=loud", "=", "info;debug"] {
        assert_eq!(problem(parse(&[("LOG_LEVEL", bad)])).variable, "LOG_LEVEL", "{bad}");
    }
}

#[test]
fn production_without_a_public_address_or_a_kept_disk_is_warned_about() {
    let warnings = parse(&[("APP_ENV", "production")]).unwrap().warnings().join("\n");
    assert!(warnings.contains("PUBLIC_URL is not set"), "{warnings}");
    assert!(warnings.contains("no server database"), "{warnings}");
    let development = parse(&[("APP_ENV", "development")]).unwrap().warnings();
    assert!(development.is_empty(), "{development:?}");
}

#[test]
fn plain_http_shared_addresses_and_limits_that_are_off_are_warned_about() {
    let warnings = |pairs: &[(&str, &str)]| {
        let server = [("DATABASE_URL", "mysql://app@localhost/logs")];
        parse_server(&[&server, pairs].concat()).unwrap().warnings().join("\n")
    };
    assert!(warnings(&[("PUBLIC_URL", "http://logs.example.org")]).contains("plain HTTP"));
    assert_eq!(warnings(&[("PUBLIC_URL", "http://localhost:3000")]), "");
    let https = ("PUBLIC_URL", "https://logs.example.org");
    assert!(warnings(&[https]).contains("CLIENT_ADDRESS_HEADER"));
    assert_eq!(warnings(&[https, ("TRUSTED_PROXY_HOPS", "1")]), "");
    let off = [https, ("TRUSTED_PROXY_HOPS", "1"), ("RATE_LIMIT_PER_IP", "0")];
    assert_eq!(warnings(&off), "RATE_LIMIT_PER_IP=0: this limit is off");
}

#[test]
fn every_setting_is_shown_in_effect_and_none_of_the_secrets() {
    let secrets = [strong(3), strong(4), strong(5), strong(6), "hunter2-of-the-database".to_owned()];
    let pairs = [
        ("DATABASE_URL", "mysql://app:hunter2-of-the-database@db.example.org:3307/logs"),
        ("HMAC_SECRET_PREVIOUS", &secrets[2]),
        ("METRICS_TOKEN", &secrets[3]),
        ("TRUSTED_PROXY_HOPS", "2"),
    ];
    let config = parse_server(&pairs).unwrap();
    let text = effective(&config);
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, setting::all().map(|setting| setting.name).collect::<Vec<_>>());
    for line in ["DB_HOST=db.example.org", "DB_PORT=3307", "DATABASE_TLS=verify", "DB_PASS=(set)"] {
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }
    let debug = format!("{config:?} {config:#?}");
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{text}");
        assert!(!debug.contains(secret.as_str()), "{debug}");
    }
}

#[test]
fn a_plain_setting_is_shown_with_the_value_it_was_given() {
    let given = [
        ("APP_ENV", "production"),
        ("PORT", "1234"),
        ("PUBLIC_URL", "https://logs.example.org"),
        ("LOG_LEVEL", "debug"),
        ("DATA_DIR", "/var/lib/tekno"),
        ("CLIENT_ADDRESS_HEADER", "fly-client-ip"),
        ("DEFAULT_RETENTION_DAYS", "7"),
        ("MAX_PAYLOAD_BYTES", "2001"),
        ("MAX_INFLATED_BYTES", "2002"),
        ("MAX_EVENTS_PER_POST", "2003"),
        ("RATE_LIMIT_PER_MINUTE", "2004"),
        ("RATE_LIMIT_PER_IP", "2005"),
        ("READ_RATE_LIMIT_PER_IP", "2006"),
        ("MAX_CONNECTIONS", "2007"),
    ];
    let text = effective(&parse(&given).unwrap());
    for (name, value) in given {
        let line = format!("{name}={value}");
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }
}
