//! What a run leaves out, said past the capture of the harness: one line for each thing and test binary.
//!
//! With `TEST_SKIPS` naming a file the lines go there too, and `scripts/test` ends with their summary. In CI
//! (`CI=true`) a missing database server is a failure, unless its variable says `none`: left out on purpose.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at what fails and read TEST_* variables"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;

/// What a server's variable says when the server is left out on purpose.
pub const NONE: &str = "none";

static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says that `what` is not tested, and why.
pub fn skip(what: &str, why: &str) {
    let line = format!("SKIPPED in tests/{}: {what}: {why}", env!("CARGO_CRATE_NAME"));
    if !SAID.lock().unwrap().insert(line.clone()) {
        return;
    }
    // Not `eprintln!`, which the harness captures: nobody should believe that this was tested.
    let _ = writeln!(std::io::stderr(), "{line}");
    if let Some(file) = std::env::var_os("TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// The same of everything on a database server.
pub fn skip_server(name: &str, variable: &str, why: &str) {
    let on_purpose = std::env::var(variable).is_ok_and(|value| value == NONE);
    let is_ci = std::env::var("CI").is_ok_and(|value| matches!(&*value, "true" | "1"));
    assert!(!is_ci || on_purpose, "{name} has to be there in CI: {why}");
    let why = if on_purpose { "left out on purpose" } else { why };
    skip(&format!("everything on {name}"), why);
}
