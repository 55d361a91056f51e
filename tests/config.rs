//! `.env.template` against the list of settings, and the start banner in a real shell.

use std::collections::BTreeMap;
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tekno_logger::config::{Config, banner, effective, peek, read_or_make, setting};

fn template() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.template");
    let text = std::fs::read_to_string(path).expect("the template is there");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line:?} is no NAME=value")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn embedded(data_dir: &std::path::Path) -> Config {
    let variables = [("DATA_DIR".to_owned(), data_dir.display().to_string())].into();
    Config::parse(&variables, &read_or_make).expect("the defaults are good")
}

/// Runs a script in a POSIX shell where `curl` prints its arguments, one a line.
fn run_with_curl_printed(script: &str) -> Vec<String> {
    let script = format!("set -eu\ncurl() {{ printf '%s\\n' \"$@\"; }}\n{script}");
    let output = Command::new("sh").arg("-c").arg(script).output().expect("sh is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn the_template_has_every_setting_in_order_with_its_default() {
    let expected: Vec<(String, String)> =
        setting::all().map(|setting| (setting.name.to_owned(), setting.default.to_owned())).collect();
    assert_eq!(template(), expected);
}

#[test]
fn the_template_as_it_is_changes_nothing() {
    let as_it_is: BTreeMap<String, String> = template().into_iter().collect();
    let with_template = Config::parse(&as_it_is, &peek).expect("the template is good");
    let without = Config::parse(&BTreeMap::new(), &peek).expect("the defaults are good");
    assert_eq!(effective(&with_template), effective(&without));
}

#[test]
fn the_template_names_the_bounds_of_every_number_that_is_not_a_rate() {
    use tekno_logger::config::setting::Accepts;
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.template")).expect("there");
    for setting in setting::all() {
        let Accepts::Number { min, max } = setting.accepts else { continue };
        if !setting.name.contains("RATE_LIMIT") && setting.name != "DB_PORT" {
            assert!(text.contains(&format!("{min} to {max}")), "{} {min} to {max}", setting.name);
        }
    }
}

#[test]
fn the_banner_has_the_address_and_a_line_with_the_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = embedded(dir.path());
    let text = banner(&config, "[::]:4321".parse().expect("an address"), None);
    assert!(text.contains("http://localhost:4321/ui/"), "{text}");
    let line = format!("ADMIN_TOKEN={}", config.admin_token.expose());
    assert_eq!(text.lines().filter(|shown| *shown == line).count(), 1, "{text}");
    assert!(text.contains("\ntekno-logger project rotate-key demo\n"), "{text}");
    assert!(!text.contains(config.hmac_secret.expose()), "{text}");
}

#[test]
fn the_banner_has_the_line_with_the_token_wherever_it_came_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = "Zk3v9Qm2xT7pLr5wBn8yHc4dJf6gSa1eU0";
    let variables = [("DATA_DIR", &*dir.path().display().to_string()), ("ADMIN_TOKEN", token)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse(&variables.into(), &read_or_make).expect("good settings");
    let text = banner(&config, "127.0.0.1:3000".parse().expect("an address"), None);
    assert!(text.lines().any(|line| line == format!("ADMIN_TOKEN={token}")), "{text}");
    assert!(!text.contains(config.hmac_secret.expose()), "{text}");
}

#[test]
fn the_pasted_banner_sends_an_event_whose_signature_verifies() {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = "9f2b6c1d00e4a7835566bb12cd90ef3490aa1b2c3d4e5f60718293a4b5c6d7e8";
    let address = "127.0.0.1:4321".parse().expect("an address");
    let text = banner(&embedded(dir.path()), address, Some(("tkl_demo", secret)));
    let start = text.find("KEY=").expect("the commands");
    let arguments = run_with_curl_printed(&text[start..]);

    let header = |name: &str| {
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(&format!("{name}: ")));
        value.unwrap_or_else(|| panic!("{name} in {arguments:?}")).to_owned()
    };
    assert!(arguments.contains(&"http://localhost:4321/log".to_owned()), "{arguments:?}");
    assert_eq!(header("X-Project-Key"), "tkl_demo");
    let position = arguments.iter().position(|argument| argument == "--data-binary").expect("a body");
    let body = &arguments[position + 1];
    let events: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
    assert_eq!(events.as_array().map(Vec::len), Some(1));

    let timestamp = header("X-Timestamp");
    assert!(timestamp.parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{timestamp}");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let expected = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    assert_eq!(header("X-Signature"), format!("sha256={expected}"));
}

/// Runs one of the ignored tests below in a process of its own and gives back what it wrote to stderr.
fn stderr_of(test: &str) -> String {
    let binary = std::env::current_exe().expect("this test runs from a file");
    let arguments = ["--ignored", "--exact", "--nocapture", test];
    let output = Command::new(binary).args(arguments).output().expect("it starts again");
    assert!(!output.status.success(), "{test} must panic");
    String::from_utf8(output.stderr).expect("text")
}

fn start_logging_and_panic(app_env: &str) {
    let variables = [("APP_ENV".to_owned(), app_env.to_owned())].into();
    tekno_logger::telemetry::init(&Config::parse(&variables, &peek).expect("good settings"));
    panic!("this text quotes a secret");
}

#[test]
#[ignore = "panics on purpose; run by the test of the panic's log line"]
fn panic_in_production() {
    start_logging_and_panic("production");
}

#[test]
#[ignore = "panics on purpose; run by the test of the panic's log line"]
fn panic_in_development() {
    start_logging_and_panic("development");
}

#[test]
fn a_panic_is_logged_once_with_its_place_and_its_text_only_in_development() {
    let production = stderr_of("panic_in_production");
    let lines: Vec<&str> = production.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "{production}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).expect("a line of JSON");
    assert_eq!(line["message"], "panicked");
    assert!(line["place"].as_str().is_some_and(|place| place.starts_with("tests/config.rs:")), "{line}");
    assert!(!production.contains("secret"), "{production}");

    let development = stderr_of("panic_in_development");
    assert_eq!(development.matches("this text quotes a secret").count(), 1, "{development}");
    assert!(development.contains("tests/config.rs:"), "{development}");
}
