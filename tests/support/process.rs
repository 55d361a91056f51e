//! The real binary as a child process: started on a free port, signalled, killed, looked into through `/proc`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for a condition that somebody else brings about.
pub async fn until<F: Future<Output = bool>>(what: &str, patience: Duration, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < patience, "never came within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends a signal by its name (`STOP`, `TERM`, …).
pub fn send_signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(sent.success(), "SIG{name} to {pid}");
}

/// The binary under test: `TEKNO_BIN`, such as a released one, else the one built with the tests.
pub fn binary() -> std::ffi::OsString {
    std::env::var_os("TEKNO_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tekno-logger").into())
}

/// A running child; killed when dropped.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts the binary with exactly these variables.
    pub fn start(variables: &BTreeMap<String, String>) -> Self {
        let mut child = Command::new(binary())
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<String>>::default();
        let readers =
            vec![collect(child.stdout.take().unwrap(), &log), collect(child.stderr.take().unwrap(), &log)];
        Self { child, log, readers }
    }

    /// Everything it wrote so far, stdout and stderr.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The port it says it listens on.
    pub async fn port(&self) -> u16 {
        let started = Instant::now();
        loop {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("listening") && line.contains("address="));
            if let Some(line) = line {
                let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
                return address.rsplit(':').next().unwrap().parse().unwrap();
            }
            assert!(started.elapsed() < PATIENCE, "it never listened:\n{log}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        send_signal(self.pid(), name);
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its exit status, once all it wrote is in the log; a process that goes on for longer than `patience` is a failure.
    pub async fn exit(&mut self, patience: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return status;
            }
            assert!(started.elapsed() < patience, "it did not end in {patience:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Most memory it ever held, in bytes (`VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// Memory it holds now, in bytes (`VmRSS`).
    pub fn memory(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the service\n{}---", self.log());
        }
    }
}

fn collect(from: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    let log = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}
