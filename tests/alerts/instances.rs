//! Several instances and killed ones: a message goes out once while all is well, and at least once whatever happens.

use tekno_logger::store::{STATEMENT_TIMEOUT, StoreError};

use crate::delivery::{OPEN, alert, enqueued, in_history, webhook};
use crate::process::{PATIENCE, Process, until};
use crate::receiver::Receiver;
use crate::running::Running;
use crate::support::TestDatabase;

/// Alerts that both instances find.
const ALERTS: usize = 20;

/// A port that refuses connections, held so that nobody else is given it while this lives.
pub struct ClosedPort {
    port: u16,
    _bound: tokio::net::TcpSocket,
}

impl ClosedPort {
    pub fn take() -> Self {
        let bound = tokio::net::TcpSocket::new_v4().unwrap();
        bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { port: bound.local_addr().unwrap().port(), _bound: bound }
    }
}

impl std::fmt::Display for ClosedPort {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_find_the_same_send_it_once() {
    let Some(database) = TestDatabase::server().await else { return };
    let receiver = Receiver::start().await;
    let changes = [OPEN, ("SPOOL_MAX_BYTES", "0")];
    let one = Running::start_in_real_time(&database, &changes).await;
    let two = Running::start_in_real_time(&database, &changes).await;
    webhook(&one, &receiver.url("/hook")).await;
    let say = async |running: &Running| {
        for slot in 0..ALERTS {
            // Both insert at once; who loses to the other's lock tries again, as the fold does.
            loop {
                match try_enqueue(running, slot).await {
                    Ok(()) => break,
                    Err(StoreError::Conflict(_)) => {}
                    // Above all not that no connection came free: delivery holds it for moments only.
                    Err(error) => panic!("{error}"),
                }
            }
            running.state.outbox.ring();
        }
    };
    tokio::join!(say(&one), say(&two));
    in_history(&one, "delivered", ALERTS).await;
    let mut ids: Vec<String> =
        receiver.received().iter().map(|one| one.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), ALERTS, "each message once");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), ALERTS);
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

async fn try_enqueue(running: &Running, slot: usize) -> Result<(), StoreError> {
    let (state, now) = (&running.state, running.state.clock.now());
    let mut session = state.store.work().await?;
    session.begin(STATEMENT_TIMEOUT).await?;
    let alert = alert(1, i64::try_from(slot).unwrap());
    tekno_logger::alert::enqueue(&mut session, &state.channels, &alert, now).await?;
    session.commit(STATEMENT_TIMEOUT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_process_killed_while_sending_is_sent_by_the_next_one_under_the_same_id() {
    let database = TestDatabase::sqlite();
    // Takes the connection and keeps the sender waiting, until it is told to answer.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/hook");
    let running = Running::start_in_real_time(&database, &[OPEN]).await;
    webhook(&running, &url).await;
    enqueued(&running, &alert(1, 1)).await;
    running.stop().await;

    let variables = database.variables(&[OPEN]);
    let mut first = Process::start(&variables);
    let (mut held, _) = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    let id = webhook_id(&mut held).await;
    first.kill();
    drop((held, silent));
    let mut second = Process::start(&variables);
    second.port().await;
    // The first one's lease has to run out.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (mut stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(webhook_id(&mut stream).await, id);
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    let delivered = || async { database.rows("SELECT 1 FROM alert_outbox WHERE state = 1").await.len() == 1 };
    until("it is noted", PATIENCE, delivered).await;
    second.signal("TERM");
    assert!(second.exit(PATIENCE).await.success());
}

/// The id in the head of a request.
async fn webhook_id(stream: &mut tokio::net::TcpStream) -> String {
    let mut head = Vec::new();
    while !String::from_utf8_lossy(&head).contains("\r\n\r\n") {
        assert!(tokio::io::AsyncReadExt::read_buf(stream, &mut head).await.unwrap() > 0);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    head.lines().find_map(|line| line.strip_prefix("webhook-id: ")).expect("its id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_cannot_be_reached_is_said_at_the_start_and_delays_nothing() {
    let database = TestDatabase::sqlite();
    let closed = ClosedPort::take();
    let url = format!("smtp://127.0.0.1:{closed}");
    let process =
        Process::start(&database.variables(&[("SMTP_URL", &url), ("ALERT_EMAIL_TO", "ops@example.com")]));
    process.port().await;
    until("the warning", PATIENCE, || async { process.log().contains("the mail server can't be reached") })
        .await;
    assert!(process.log().contains("2525"), "{}", process.log());
}
