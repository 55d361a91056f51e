//! Our own logs: JSON in production, readable in development, always to stderr.
//!
//! `LOG_LEVEL` filters them; what `sqlx` and `hyper` say below a warning is left out unless asked for by name.
//! A panic is logged once, with its place; its text only in development, as it may quote what was being handled.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{AppEnv, Config};

/// Crates that log every statement or connection at `info` and below.
const QUIET: &str = "sqlx=warn,hyper=warn";

/// Starts logging and takes over the panic hook. A second call in one process (tests) changes nothing.
pub fn init(config: &Config) {
    let filter = parse_filter(&config.log_level).unwrap_or_else(|| EnvFilter::new(QUIET));
    let colours = std::io::stderr().is_terminal();
    let installed =
        tracing::subscriber::set_global_default(subscriber(config.app_env, filter, colours, std::io::stderr))
            .is_ok();
    if installed {
        let with_text = config.app_env == AppEnv::Development;
        std::panic::set_hook(Box::new(move |info| log_panic(info, with_text)));
    }
}

/// The filter for `LOG_LEVEL`: comma-separated directives, each a level (`off` to `trace`), `target=level` or with
/// a span in brackets. `None` when it doesn't parse; a lone word that is no level doesn't either, though the filter
/// library would take it for a target.
#[must_use]
pub fn parse_filter(directives: &str) -> Option<EnvFilter> {
    let mut everything_else = LevelFilter::OFF;
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        if !directive.contains(['=', '[']) {
            everything_else = directive.parse().ok()?;
        }
    }
    // Where a later directive names the same target it replaces ours.
    let quiet = if everything_else > LevelFilter::WARN { QUIET } else { "" };
    EnvFilter::builder().parse(format!("{quiet},{directives}")).ok()
}

fn subscriber<W>(
    app_env: AppEnv,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match app_env {
        AppEnv::Production => Box::new(builder.json().flatten_event(true).finish()),
        AppEnv::Development => Box::new(builder.with_ansi(colours).finish()),
    }
}

fn log_panic(info: &PanicHookInfo<'_>, with_text: bool) {
    let place = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let text = info.payload_as_str().filter(|_| with_text);
    tracing::error!(place, thread, text, "panicked");
}

#[cfg(test)]
mod tests;
