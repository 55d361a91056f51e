//! What is let through, and in which form. The subscriber is set for one thread, so tests don't meet.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;

use super::*;

/// Collects what is written.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `say` logs under these settings.
fn logged(app_env: AppEnv, level: &str, say: impl FnOnce()) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let filter = parse_filter(level).expect("a filter");
    with_default(subscriber(app_env, filter, false, move || writer.clone()), say);
    String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
}

fn say_everything() {
    tracing::debug!("ours at debug");
    tracing::info!("ours at info");
    tracing::error!("ours at error");
    tracing::info!(target: "sqlx::query", "statement");
    tracing::warn!(target: "sqlx::query", "slow statement");
    tracing::debug!(target: "hyper_util::server", "connection");
}

#[test]
fn statements_and_connections_are_quiet_below_a_warning() {
    let text = logged(AppEnv::Development, "info", say_everything);
    for (piece, there) in [
        ("ours at debug", false),
        ("ours at info", true),
        (": statement", false),
        ("slow statement", true),
        ("connection", false),
    ] {
        assert_eq!(text.contains(piece), there, "{piece} in {text}");
    }
    let text = logged(AppEnv::Development, "debug", say_everything);
    assert!(text.contains("ours at debug") && !text.contains(": statement"), "{text}");
}

#[test]
fn what_is_named_is_heard_and_an_error_level_silences_warnings() {
    let text = logged(AppEnv::Development, "info,sqlx=info", say_everything);
    assert!(text.contains(": statement"), "{text}");
    let text = logged(AppEnv::Development, "error", say_everything);
    assert!(text.contains("ours at error") && !text.contains("slow statement"), "{text}");
    assert_eq!(logged(AppEnv::Development, "off", say_everything), "");
}

#[test]
fn production_logs_one_json_object_a_line() {
    let text = logged(AppEnv::Production, "info", || tracing::warn!(took_ms = 12, "slow commit"));
    let line: serde_json::Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "slow commit");
    assert_eq!(line["took_ms"], 12);
    assert!(line["timestamp"].is_string());
}

#[test]
fn development_logs_are_plain_text_without_colours_off_a_terminal() {
    let text = logged(AppEnv::Development, "info", || tracing::info!("ready"));
    assert!(text.ends_with("ready\n") && !text.contains('\u{1b}'), "{text:?}");
}
