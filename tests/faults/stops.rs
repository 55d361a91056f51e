//! Stops: in order, in time, with nothing acknowledged lost.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Dice, Load};
use crate::process::{PATIENCE, until};
use crate::rig::{Client, Instance, Rig};

/// The shortest grace of a host is 10 s, which the exit code is about; a busy machine gets three times that.
const GRACE: Duration = Duration::from_secs(30);

/// Senders that give their body byte by byte and never come to its end.
async fn slow_senders(instance: &Instance, count: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let port: u16 = instance.client.base.rsplit(':').next().unwrap().parse().unwrap();
    let mut senders = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = "POST /log HTTP/1.1\r\nHost: t\r\nX-Project-Key: k\r\nX-Signature: s\r\nContent-Length: 5000\r\n\r\n[";
        stream.write_all(head.as_bytes()).await.unwrap();
        senders.push(tokio::spawn(async move {
            let (mut from, mut to) = stream.split();
            let dribble = async {
                while to.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            let mut answer = Vec::new();
            tokio::select! {
                () = dribble => {}
                _ = from.read_to_end(&mut answer) => {}
            }
        }));
    }
    senders
}

async fn stops_on(signal: &str, rig: &Rig) {
    let mut dice = Dice::new(signal);
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("stops").await;
    let mut load = Load::start(6, &project, vec![instance.client.clone()], &mut dice);
    let slow = slow_senders(&instance, 50).await;
    load.acknowledged_more(500, PATIENCE).await;
    let asked = Instant::now();
    instance.process.signal(signal);
    let status = instance.process.exit(GRACE).await;
    assert_eq!(status.code(), Some(0), "after {:?}:\n{}", asked.elapsed(), instance.process.log());
    load.stop().await;
    for sender in slow {
        sender.await.unwrap();
    }
    let again = rig.start_ready().await;
    load.ledger.check(rig, &again.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_loses_nothing_acknowledged_in_spite_of_slow_senders() {
    stops_on("TERM", &Rig::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_loses_nothing_acknowledged_in_spite_of_slow_senders_on_mariadb() {
    let Some(rig) = Rig::server(&[]).await else { return };
    stops_on("INT", &rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once_and_says_that_it_was_cut_short() {
    let rig = Rig::sqlite();
    let mut instance = rig.start_ready().await;
    let slow = slow_senders(&instance, 5).await;
    instance.process.signal("TERM");
    until("the first is heard", PATIENCE, async || instance.process.log().contains("SIGTERM")).await;
    instance.process.signal("INT");
    let status = instance.process.exit(PATIENCE).await;
    assert!(!status.success());
    for sender in slow {
        sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_the_database_is_silent() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("silent stop");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("silent").await;
    let mut load = Load::start(10, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(300, PATIENCE).await;
    rig.proxy().stall(true);
    instance.process.signal("TERM");
    instance.process.exit(GRACE).await;
    load.stop().await;
    rig.proxy().pass_new();
    let again = rig.start_ready().await;
    load.ledger.check(&rig, &again.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reading_its_output_does_not_end_it() {
    let mut rig = Rig::sqlite();
    let port = crate::server::free_port();
    rig.set("PORT", &port.to_string());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tekno-logger"))
        .env_clear()
        .envs(&rig.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let client = Client::new(port);
    let listening = async || client.http.get(format!("{}/healthz", client.base)).send().await.is_ok();
    until("it listens", PATIENCE, listening).await;
    client.ready(PATIENCE).await;
    // Ready is the moment of the start output; the project it makes first shows that it came so far.
    until("the first project is there", PATIENCE, async || {
        client.get("/admin/projects").await.1.to_string().contains("demo")
    })
    .await;
    assert_eq!(client.get("/healthz").await.0, 200, "it answers after all of that");
    let ended = child.try_wait().unwrap();
    assert!(ended.is_none(), "{ended:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}
