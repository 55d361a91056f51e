//! A private database server and the service on it, as a measurement needs them.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::events;
use super::measure::{cpu, reset_peak};
use super::private_server::{PrivateServer, free_port};
use super::proxy::{Proxy, Way};
use super::senders::{Sent, Target, requests, send};

pub const ADMIN_TOKEN: &str = "bench-admin-token-5f6e7d8c9b0a1f2e3d4c5b6a7988";
/// `HMAC_SECRET` of the service.
pub const HMAC_SECRET: &str = "bench-hmac-secret-1a2b3c4d5e6f7a8b9c0d1e2f3a4b";

pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A private database server with two databases, and the service on one of them.
pub struct Rig {
    pub server: PrivateServer,
    pub service: Child,
    pub target: Target,
    variables: BTreeMap<&'static str, String>,
    _data: tempfile::TempDir,
}

impl Rig {
    pub async fn on_mariadb() -> Self {
        let mut server = PrivateServer::prepare().expect("MariaDB is installed");
        // The log's size is MariaDB's default; the tests' servers have less.
        let options = [
            "--innodb-flush-log-at-trx-commit=1",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=128M",
            "--innodb-log-file-size=96M",
        ];
        server.launch(&options.map(str::to_owned));
        server.wait_for("SELECT 'up'", "up").await;
        server.run_sql("CREATE DATABASE svc; CREATE DATABASE raw").await;
        let url = format!("mysql://root@127.0.0.1:{}/svc", server.port);
        Self::start(server, Some(url), &[]).await
    }

    /// The same with so many milliseconds of round trip in between.
    pub async fn on_remote_mariadb(delay: u64, settings: &[(&'static str, &str)]) -> (Self, Proxy) {
        let mut server = PrivateServer::prepare().expect("MariaDB is installed");
        server.launch(&["--innodb-flush-log-at-trx-commit=1".to_owned(), "--skip-log-bin".to_owned()]);
        server.wait_for("SELECT 'up'", "up").await;
        server.run_sql("CREATE DATABASE svc").await;
        let proxy = Proxy::to(server.port).await;
        proxy.delay(Way::Up, Duration::from_millis(delay / 2));
        proxy.delay(Way::Down, Duration::from_millis(delay - delay / 2));
        let url = format!("mysql://root@127.0.0.1:{}/svc", proxy.port);
        (Self::start(server, Some(url), settings).await, proxy)
    }

    pub async fn on_sqlite() -> Self {
        Self::start(PrivateServer::prepare().expect("MariaDB is installed"), None, &[]).await
    }

    pub async fn start(
        server: PrivateServer,
        url: Option<String>,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut variables = BTreeMap::from([
            ("PORT", port.to_string()),
            ("HMAC_SECRET", HMAC_SECRET.to_owned()),
            ("ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
            ("DATA_DIR", data.path().display().to_string()),
            ("RATE_LIMIT_PER_MINUTE", "0".to_owned()),
            ("RATE_LIMIT_PER_IP", "0".to_owned()),
            ("READ_RATE_LIMIT_PER_IP", "0".to_owned()),
            ("LOG_LEVEL", "error".to_owned()),
        ]);
        variables.extend(url.map(|url| ("DATABASE_URL", url)));
        variables.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let binary = env!("CARGO_BIN_EXE_tekno-logger");
        let made = Command::new(binary)
            .envs(&variables)
            .args(["project", "create", "--slug", "bench", "--json"])
            .output()
            .unwrap();
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("a project as JSON");
        let text = |name: &str| made["key"][name].as_str().unwrap().to_owned();
        let target = Target { port, api_key: text("api_key"), signing_secret: text("signing_secret") };
        let service = launch(&variables);
        let rig = Self { server, service, target, variables, _data: data };
        rig.until_connected().await;
        rig
    }

    /// Ends the service; the database goes on.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn stop_service(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }

    /// Starts the service again after [`Rig::stop_service`].
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub async fn start_service(&mut self) {
        self.service = launch(&self.variables);
        self.until_connected().await;
    }

    /// The settings the service runs with.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    async fn until_connected(&self) {
        let since = Instant::now();
        loop {
            let answer = reqwest::get(format!("http://127.0.0.1:{}/readyz", self.target.port)).await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "the service never was ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn raw_url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/raw", self.server.port)
    }

    /// The database's process id; `None` on `SQLite`.
    pub fn database(&self) -> Option<u32> {
        std::fs::read_to_string(self.server.directory.path().join("pid")).ok()?.trim().parse().ok()
    }

    /// Sends events and says what it took: events a second, and CPU of service and database in microseconds an event.
    pub async fn send(
        &self,
        seed: u64,
        events: usize,
        batch: usize,
        connections: usize,
    ) -> (Sent, f64, f64, f64) {
        let made = events::events(seed, events, now_ms());
        let requests = requests(&self.target, &made, batch);
        let (service, database) = (self.service.id(), self.database());
        reset_peak(service);
        let before = (cpu(service), database.map(cpu));
        let port = self.target.port;
        let sent = tokio::task::spawn_blocking(move || send(port, requests, connections)).await.unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a number of events")]
        let each = |used: Duration| used.as_secs_f64() * 1e6 / events as f64;
        #[expect(clippy::cast_precision_loss, reason = "a number of events")]
        let rate = events as f64 / sent.seconds;
        let service_cpu = each(cpu(service).saturating_sub(before.0));
        let database_cpu =
            database.zip(before.1).map_or(0.0, |(pid, before)| each(cpu(pid).saturating_sub(before)));
        assert_eq!(sent.refused, 0, "every batch is taken");
        (sent, rate, service_cpu, database_cpu)
    }
}

fn launch(variables: &BTreeMap<&'static str, String>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekno-logger"));
    command.envs(variables).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        self.server.kill();
    }
}
