//! What the service writes into its own log at its most talkative, kept for tests that look for secrets in it.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tekno_logger::telemetry::parse_filter;
use tracing_subscriber::fmt::MakeWriter;

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static STARTED: Once = Once::new();

#[derive(Clone, Copy)]
struct Keep;

impl io::Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Keep {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// From now on everything in this process that logs at debug level, and our own at trace, is kept.
pub fn capture() {
    STARTED.call_once(|| {
        let filter = parse_filter("debug,tekno_logger=trace,hyper=debug,sqlx=debug").unwrap();
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Keep);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    });
    tracing::debug!("captured");
}

/// All of it so far; never empty after [`capture`].
pub fn written() -> Vec<u8> {
    let written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(!written.is_empty());
    written
}

/// How often any of `needles` stands in `text`, and the first that does.
pub fn found<'a>(text: &[u8], needles: impl IntoIterator<Item = &'a str>) -> (usize, Option<&'a str>) {
    let mut first = None;
    let mut count = 0;
    for needle in needles {
        assert!(needle.len() >= 8, "{needle} is too short to be looked for");
        let times = memchr::memmem::find_iter(text, needle.as_bytes()).count();
        count += times;
        if times > 0 {
            first = first.or(Some(needle));
        }
    }
    (count, first)
}
