//! The service on a private database server, and what is done to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{cpu, reset_peak};
use crate::private_server::{PrivateServer, free_port};
use crate::proxy::{Proxy, Way};
use crate::senders::{Sent, Target, requests, send};
use crate::{ADMIN_TOKEN, events, now_ms};

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

    async fn start(server: PrivateServer, url: Option<String>, settings: &[(&'static str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut variables = BTreeMap::from([
            ("PORT", port.to_string()),
            ("HMAC_SECRET", "bench-hmac-secret-1a2b3c4d5e6f7a8b9c0d1e2f3a4b".to_owned()),
            ("ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
            ("DATA_DIR", data.path().display().to_string()),
            ("RATE_LIMIT_PER_MINUTE", "0".to_owned()),
            ("RATE_LIMIT_PER_IP", "0".to_owned()),
            ("READ_RATE_LIMIT_PER_IP", "0".to_owned()),
            ("LOG_LEVEL", std::env::var("BENCH_LOG").unwrap_or("error".to_owned())),
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

    /// Starts another instance in a cgroup, on the embedded database, until `/healthz` answers; it ends at once.
    pub async fn start_within(&self, group: &Path) -> Duration {
        let (data, port) = (tempfile::tempdir().unwrap(), free_port());
        let script = format!("echo $$ > {}/cgroup.procs; exec \"$0\"", group.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tekno-logger")]);
        command.env("PORT", port.to_string()).env("DATA_DIR", data.path()).stdout(Stdio::null());
        let since = Instant::now();
        let mut instance = command.spawn().unwrap();
        while !reqwest::get(format!("http://127.0.0.1:{port}/healthz"))
            .await
            .is_ok_and(|got| got.status() == 200)
        {
            assert!(since.elapsed() < Duration::from_secs(20), "the instance never answered");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let took = since.elapsed();
        let _ = instance.kill();
        let _ = instance.wait();
        took
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
        self.send_made(self.make(seed, events, batch), events, connections).await
    }

    /// Signed requests with so many events, to be sent by [`Rig::send_made`].
    pub fn make(&self, seed: u64, events: usize, batch: usize) -> Vec<Vec<u8>> {
        requests(&self.target, &events::events(seed, events, now_ms()), batch)
    }

    /// Sends requests made before; as [`Rig::send`].
    pub async fn send_made(
        &self,
        requests: Vec<Vec<u8>>,
        events: usize,
        connections: usize,
    ) -> (Sent, f64, f64, f64) {
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

impl Rig {
    /// Purges what is older than 2 s; how long the answer took, what CPU the database used until 3 s after it, and
    /// the answer.
    pub async fn purge_all(&self) -> (Duration, Duration, String) {
        let database = self.database().unwrap();
        // Others are sending by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (since, before) = (Instant::now(), cpu(database));
        let purge = reqwest::Client::new()
            .post(format!("http://127.0.0.1:{}/admin/purge", self.target.port))
            .header("X-Admin-Token", ADMIN_TOKEN)
            .header("Content-Type", "application/json")
            .body(r#"{"older_than":"-2s"}"#);
        let answer = purge.send().await.unwrap().text().await.unwrap();
        let took = since.elapsed();
        tokio::time::sleep(Duration::from_secs(3)).await;
        (took, cpu(database).checked_sub(before).unwrap(), answer)
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
