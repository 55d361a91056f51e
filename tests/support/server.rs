//! A `MariaDB` of a test's own, so that it can be frozen, killed and misconfigured without harm to anyone.
//!
//! The data directory is made once for the whole test run and copied for each server. A server ends with its owner,
//! also when that one is killed: a shell between them kills it when the pipe to the owner closes.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::process::send_signal;
use crate::skip::skip_server;

const START: Duration = Duration::from_mins(1);
const KEEPER: &str = r#""$@" >"$LOG" 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null; wait"#;

/// A private server with an empty database `tekno`; its `root` has no password and it listens on loopback only.
pub struct PrivateServer {
    directory: tempfile::TempDir,
    keeper: Option<(Child, ChildStdin)>,
    pid: u32,
    pub port: u16,
}

impl PrivateServer {
    /// A server, or `None` (and a line on stderr) where `MariaDB` is not installed.
    pub async fn start(options: &[&str]) -> Option<Self> {
        let Some(template) = template() else {
            skip_server("a MariaDB of its own", "TEST_MARIADB_URL", "mariadb-server is not installed");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").arg("-r").arg(template).arg(directory.path().join("data")).status().unwrap();
        assert!(copied.success());
        let mut server = Self { directory, keeper: None, pid: 0, port: free_port() };
        server.launch(options).await;
        server.sql("CREATE DATABASE tekno CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").await;
        Some(server)
    }

    /// Starts it again on the same port and data, after [`PrivateServer::kill`].
    pub async fn launch(&mut self, options: &[&str]) {
        let folder = self.directory.path().display();
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "sh", program("mariadbd").unwrap().to_str().unwrap(), "--no-defaults"])
            .arg(format!("--datadir={folder}/data"))
            .arg(format!("--socket={folder}/socket"))
            .arg(format!("--pid-file={folder}/pid"))
            .arg(format!("--tmpdir={folder}"))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--innodb-log-file-size=8M",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=1",
                "--innodb-buffer-pool-size=32M",
                "--max-connections=60",
            ])
            .args(as_root())
            .args(options)
            .env("LOG", format!("{folder}/log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let mut pid = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(keeper.stdout.take().unwrap()), &mut pid)
            .unwrap();
        self.pid = pid.trim().parse().unwrap();
        let stdin = keeper.stdin.take().unwrap();
        self.keeper = Some((keeper, stdin));
        let started = Instant::now();
        while self.connect("").await.is_err() {
            let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < START, "mariadbd did not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        if let Some((mut keeper, stdin)) = self.keeper.take() {
            drop(stdin);
            keeper.wait().unwrap();
        }
    }

    /// Stops it answering, connections and all.
    pub fn freeze(&self) {
        send_signal(self.pid, "STOP");
    }

    /// Has it go on where it stood.
    pub fn thaw(&self) {
        send_signal(self.pid, "CONT");
    }

    /// `DATABASE_URL` through a port (its own or a proxy's).
    pub fn url(port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/tekno")
    }

    /// A connection of the test's own.
    pub async fn connect(&self, database: &str) -> Result<MySqlConnection, sqlx::Error> {
        let options = MySqlConnectOptions::new().host("127.0.0.1").port(self.port).username("root");
        let options = if database.is_empty() { options } else { options.database(database) };
        options.ssl_mode(sqlx::mysql::MySqlSslMode::Disabled).connect().await
    }

    /// Runs statements past the service.
    pub async fn sql(&self, sql: &str) {
        let mut connection = self.connect("").await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The whole numbers in the first column of a query on the database `tekno`.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        let mut connection = self.connect("tekno").await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| row.try_get_unchecked(0).unwrap()).collect()
    }

    /// Ends all connections of the service (they are of `user`), as an administrator would.
    pub async fn end_connections_of(&self, user: &str) {
        let ids = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = ";
        for id in self.numbers(&format!("{ids}'{user}'")).await {
            // One may have ended by itself meanwhile.
            let mut connection = self.connect("").await.unwrap();
            let kill = AssertSqlSafe(format!("KILL {id}"));
            let _ = sqlx::raw_sql(kill).execute(&mut connection).await;
        }
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn as_root() -> &'static [&'static str] {
    let ids = std::fs::read_to_string("/proc/self/status").unwrap();
    let root = ids.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if root { &["--user=root"] } else { &[] }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/usr/bin"]);
    folders.map(|folder| Path::new(folder).join(name)).find(|file| file.is_file())
}

/// A data directory nobody runs on, made once in the build's own folder for temporary files.
fn template() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| {
        let install = program("mariadb-install-db")?;
        program("mariadbd")?;
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let ready = target.join("mariadb-data");
        if ready.is_dir() {
            return Some(ready);
        }
        let making = tempfile::tempdir_in(target).unwrap();
        let made = Command::new(install)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args([
                "--innodb-log-file-size=8M",
                &format!("--datadir={}", making.path().join("data").display()),
            ])
            .args(as_root())
            .env("TMPDIR", making.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
        // Another test binary may have been faster; its directory is as good.
        let _ = std::fs::rename(making.path().join("data"), &ready);
        Some(ready)
    })
    .as_deref()
}
