//! A cluster of three `MariaDB` nodes on loopback, as Debian's `galera-4` gives them.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

use std::path::Path;
use std::process::Command;

use super::private_server::{PrivateServer, free_port, is_root, program};
use crate::skip::skip;

const PROVIDERS: [&str; 2] = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so"];
/// Nodes of the cluster; two of three are a majority.
pub const NODES: usize = 3;

/// The cluster; its nodes end with it.
pub struct Galera {
    pub nodes: Vec<PrivateServer>,
    provider: &'static str,
    /// The group's port and the one for what a joining node has missed, by node.
    ports: Vec<(u16, u16)>,
}

impl Galera {
    /// Starts a cluster; `None`, said loudly, where the library isn't installed.
    pub async fn start() -> Option<Self> {
        let Some(provider) = PROVIDERS.into_iter().find(|path| Path::new(path).exists()) else {
            skip("everything on Galera", "libgalera_smm.so (Debian's galera-4) is not installed");
            return None;
        };
        let first = PrivateServer::prepare()?;
        let ports = (0..NODES).map(|_| (free_port(), free_port())).collect();
        let mut cluster = Self { nodes: vec![first], provider, ports };
        cluster.start_first().await;
        // A copy knows its place in the cluster's history, so no state has to be transferred.
        cluster.nodes[0].stop();
        for _ in 1..NODES {
            let copy = PrivateServer::copy_of(&cluster.nodes[0]);
            cluster.nodes.push(copy);
        }
        cluster.start_first().await;
        for node in 1..NODES {
            cluster.join(node, None).await;
        }
        cluster.wait_for_size(0, NODES).await;
        Some(cluster)
    }

    async fn start_first(&mut self) {
        let mut options = self.options(0);
        options.push("--wsrep-new-cluster".to_owned());
        self.nodes[0].launch(&options);
        self.wait_until_ready(0).await;
    }

    /// Starts a node that is part of the cluster.
    async fn join(&mut self, node: usize, position: Option<String>) {
        let mut options = self.options(node);
        options.extend(position.map(|position| format!("--wsrep-start-position={position}")));
        self.nodes[node].launch(&options);
        self.wait_until_ready(node).await;
    }

    /// Ends a node as a crash would.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Brings a killed node back: it finds out how far it had come, and gets the rest from the others.
    pub async fn rejoin(&mut self, node: usize) {
        let position = self.recovered_position(node);
        self.join(node, Some(position)).await;
    }

    fn recovered_position(&self, node: usize) -> String {
        let dir = self.nodes[node].directory.path().display().to_string();
        let mut command = Command::new(program("mariadbd").unwrap());
        command.arg("--no-defaults").args(is_root().then_some("--user=mysql"));
        command.args(["--wsrep-on=ON", "--wsrep-recover", "--binlog-format=ROW"]);
        command.args([
            format!("--datadir={dir}/data"),
            format!("--socket={dir}/socket"),
            format!("--tmpdir={dir}"),
            format!("--wsrep-provider={}", self.provider),
            "--wsrep-cluster-address=gcomm://".to_owned(),
            "--skip-networking".to_owned(),
            "--innodb-log-file-size=16M".to_owned(),
        ]);
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        let line = log.lines().rev().find_map(|line| line.split_once("Recovered position:"));
        line.unwrap_or_else(|| panic!("no position: {log}")).1.trim().split(',').next().unwrap().to_owned()
    }

    /// Cuts a node off from the others, or lets it back; it runs on and refuses work (1047) meanwhile.
    pub async fn isolate(&self, node: usize, cut: bool) {
        let cut = u8::from(cut);
        self.nodes[node]
            .run_sql(&format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={cut}'"))
            .await;
    }

    pub async fn wait_for_size(&mut self, node: usize, size: usize) {
        self.wait_for_status(node, "wsrep_cluster_size", &size.to_string()).await;
    }

    pub async fn wait_until_ready(&mut self, node: usize) {
        self.wait_for_status(node, "wsrep_ready", "ON").await;
        self.wait_for_status(node, "wsrep_local_state_comment", "Synced").await;
    }

    pub async fn wait_until_refusing(&mut self, node: usize) {
        self.wait_for_status(node, "wsrep_ready", "OFF").await;
    }

    async fn wait_for_status(&mut self, node: usize, name: &str, expected: &str) {
        let sql = format!(
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{name}'"
        );
        self.nodes[node].wait_for(&sql, expected).await;
    }

    /// A status counter of a node.
    pub async fn status(&self, node: usize, name: &str) -> u64 {
        let sql = format!(
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{name}'"
        );
        self.nodes[node].ask(&sql).await.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn options(&self, node: usize) -> Vec<String> {
        let members: Vec<String> = self.ports.iter().map(|ports| format!("127.0.0.1:{}", ports.0)).collect();
        let (group, transfer) = self.ports[node];
        // Failures are noticed within a second or two instead of fifteen.
        let provider = format!(
            "gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{transfer};gcache.size=64M;\
             evs.keepalive_period=PT0.3S;evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT3S;\
             evs.inactive_check_period=PT0.3S;evs.install_timeout=PT3S"
        );
        vec![
            "--wsrep-on=ON".to_owned(),
            format!("--wsrep-provider={}", self.provider),
            format!("--wsrep-cluster-address=gcomm://{}", members.join(",")),
            "--wsrep-cluster-name=tekno-test".to_owned(),
            format!("--wsrep-node-name=node{node}"),
            format!("--wsrep-node-address=127.0.0.1:{group}"),
            format!("--wsrep-provider-options={provider}"),
            "--wsrep-sst-method=rsync".to_owned(),
            "--binlog-format=ROW".to_owned(),
            "--innodb-autoinc-lock-mode=2".to_owned(),
        ]
    }
}
