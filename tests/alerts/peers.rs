//! The public libraries of `tests/peers`, which `scripts/test` installs, and certificates for servers of a test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::process::{PATIENCE, until};
use crate::skip::skip;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn peer(name: &str) -> PathBuf {
    root().join("tests/peers").join(name)
}

/// False, and a line past the capture of the harness, where a library is not installed; `scripts/test` and CI have it.
fn is_there(path: &Path, what: &str) -> bool {
    if path.exists() {
        return true;
    }
    let must = ["CI", "TEKNO_RUN_DIR"].into_iter().any(|name| std::env::var_os(name).is_some());
    assert!(!must, "{what} is not installed at {}", path.display());
    skip(&format!("what {what} judges"), "it is not installed (scripts/test does it)");
    false
}

/// Whether a webhook is right, by the public library; `None` where that is not installed.
pub fn webhook_is_right(secret: &str, headers: &Value, body: &str) -> Option<Result<(), String>> {
    if !is_there(&peer("node_modules/standardwebhooks"), "standardwebhooks") {
        return None;
    }
    let mut verifier = Command::new("node");
    verifier.arg(peer("verify-webhook.mjs")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut verifier = verifier.spawn().unwrap();
    let input = serde_json::json!({ "secret": secret, "headers": headers, "body": body });
    verifier.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = verifier.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    Some(if output.status.success() { Ok(()) } else { Err(said) })
}

/// An authority, and what it signed for `localhost`, in PEM files of `folder`: `ca.pem`, `server.pem`, `server.key`.
pub fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let output =
            Command::new("openssl").current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("ca.cnf", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n");
    write("server.cnf", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
    for name in ["ca", "server"] {
        openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        openssl(&format!("req -new -key {name}.key -subj /CN=tekno-{name} -out {name}.csr"));
    }
    openssl("x509 -req -in ca.csr -signkey ca.key -days 2 -extfile ca.cnf -out ca.pem");
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.cnf -out server.pem",
    );
}

/// A public mail server; it ends with its owner.
pub struct MailServer {
    child: Child,
    stdin: Option<ChildStdin>,
    pub port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
}

impl MailServer {
    /// Speaks `tls`, `starttls` or `plain`; `replies` are given instead of taking the first mails. `None` where it is
    /// not installed.
    pub fn start(mode: &str, certificates: &Path, login: (&str, &str), replies: &[&str]) -> Option<Self> {
        let cache =
            std::env::var_os("TEKNO_PEERS").map_or_else(|| root().join(".cache/peers"), PathBuf::from);
        let python = cache.join("bin/python");
        if !is_there(&python, "aiosmtpd") {
            return None;
        }
        let mut server = Command::new(python);
        server
            .arg(peer("smtp-server.py"))
            .arg(mode)
            .args([certificates.join("server.pem"), certificates.join("server.key")])
            .args([login.0, login.1])
            .args(replies)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It reports each client that hangs up, which some tests do on purpose.
            .stderr(Stdio::null());
        let mut child = server.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says its port").unwrap();
        let port = first.strip_prefix("port ").unwrap().parse().unwrap();
        let mails = Arc::<Mutex<Vec<Value>>>::default();
        let kept = mails.clone();
        std::thread::spawn(move || {
            for line in lines {
                let Ok(line) = line else { return };
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { child, stdin, port, mails })
    }

    pub fn mails(&self) -> Vec<Value> {
        self.mails.lock().unwrap().clone()
    }

    /// The mails it took, once there are so many.
    pub async fn at_least(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} mails"), PATIENCE, || async { self.mails().len() >= count }).await;
        self.mails()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
