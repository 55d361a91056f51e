//! `MariaDB` servers of a test's own, in directories and on ports of their own, that it may stop, kill and configure.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::skip::skip_server;

/// Longest a server may take to answer, a state transfer included.
const START: Duration = Duration::from_secs(90);

/// Looks for a program where Debian puts it.
pub fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether servers have to be told to give root up.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}

/// Gives a directory to the user that a server started by root runs as.
pub fn give_to_server(directory: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg("mysql").arg(directory));
        run(Command::new("chmod").arg("755").arg(directory));
    }
}

/// A server, ended when dropped.
pub struct PrivateServer {
    pub directory: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
    options: Vec<String>,
}

impl PrivateServer {
    /// An empty data directory; `None`, said loudly, where `MariaDB` isn't installed. Nothing runs yet.
    pub fn prepare() -> Option<Self> {
        if program("mariadbd").is_none() || program("mariadb-install-db").is_none() {
            skip_server("a MariaDB of its own", "TEST_MARIADB_URL", "mariadb-server is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        give_to_server(directory.path());
        let mut install = Command::new(program("mariadb-install-db").unwrap());
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}/data", directory.path().display()));
        install.env("TMPDIR", directory.path()).args(is_root().then_some("--user=mysql"));
        run(&mut install);
        Some(Self { directory, port: free_port(), child: None, options: Vec::new() })
    }

    /// A copy of a server that is not running.
    pub fn copy_of(other: &Self) -> Self {
        assert!(other.child.is_none(), "a running server's files are not whole");
        let directory = tempfile::tempdir().unwrap();
        run(Command::new("cp").arg("-a").arg(other.directory.path().join("data")).arg(directory.path()));
        give_to_server(directory.path());
        Self { directory, port: free_port(), child: None, options: Vec::new() }
    }

    /// Starts it with further options; it need not answer yet.
    pub fn launch(&mut self, options: &[String]) {
        assert!(self.child.is_none(), "it runs already");
        self.options = options.to_vec();
        let dir = self.directory.path().display().to_string();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(format!("{dir}/log")).unwrap();
        let mut command = Command::new(program("mariadbd").unwrap());
        command.arg("--no-defaults").args(is_root().then_some("--user=mysql"));
        command.args([
            format!("--datadir={dir}/data"),
            format!("--socket={dir}/socket"),
            format!("--pid-file={dir}/pid"),
            format!("--tmpdir={dir}"),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--innodb-log-file-size=16M".to_owned(),
            "--performance-schema=OFF".to_owned(),
        ]);
        command.args(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits until a query answers `expected`.
    pub async fn wait_for(&mut self, sql: &str, expected: &str) {
        let since = Instant::now();
        loop {
            if self.ask(sql).await.as_deref() == Some(expected) {
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && since.elapsed() < START, "no answer {expected}: {}", self.log_end());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The first column of the first row, as text.
    pub async fn ask(&self, sql: &str) -> Option<String> {
        let mut client =
            MySqlConnection::connect(&format!("mysql://root@127.0.0.1:{}/", self.port)).await.ok()?;
        let row = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut client);
        let answer = tokio::time::timeout(Duration::from_secs(10), row).await.ok()?.ok();
        let _ = client.close().await;
        answer
    }

    /// Runs a statement as root.
    pub async fn run_sql(&self, sql: &str) {
        let mut client =
            MySqlConnection::connect(&format!("mysql://root@127.0.0.1:{}/", self.port)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut client).await.unwrap();
        client.close().await.unwrap();
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            run(Command::new("kill").arg("-TERM").arg(child.id().to_string()));
            child.wait().unwrap();
        }
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.kill();
    }
}
