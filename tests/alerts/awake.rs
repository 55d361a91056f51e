//! Keeping awake: the service fetches its own public address while something waits in the spool, and not otherwise.

use std::time::Duration;

use crate::process::{PATIENCE, until};
use crate::receiver::Receiver;
use crate::running::{Post, Running};
use crate::support::TestDatabase;

const FIVE_MINUTES_MS: i64 = 300_000;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_spool_is_not_empty_healthz_is_fetched_every_five_minutes() {
    let (database, front) = (TestDatabase::sqlite(), Receiver::start().await);
    // Nobody listens there; the key was made for another database, and verifies itself.
    let closed = crate::instances::ClosedPort::take();
    let nowhere = format!("mysql://nobody@127.0.0.1:{closed}/nothing");
    let public = front.url("");
    let changes = [("DATABASE_URL", &*nowhere), ("PUBLIC_URL", &*public), ("SPOOL_MAX_BYTES", "16777216")];
    let running = Running::start_without_database(&database, &changes);
    running.hand.advance(2 * FIVE_MINUTES_MS);
    let key = running.state.key_ring.mint(tekno_logger::key::KeyKind::Server, 1, 1);
    let verified = running.state.key_ring.check(key.expose()).unwrap();
    let key = crate::running::Key {
        project_id: 1,
        id: 1,
        text: key.expose().to_owned(),
        signing_secret: running.state.key_ring.signing_secret(&verified).expose().to_owned(),
    };
    let sent = running.send(Post::bare(&key, "[{\"message\":\"kept\"}]")).await;
    assert_eq!((sent.status, &sent.json()["stored"]), (200, &"spool".into()), "{}", sent.body);
    for count in 1..=2 {
        // It looks once a second; only the service's own clock says that five minutes are over.
        let more = tokio::time::timeout(Duration::from_secs(3), front.at_least(count)).await;
        assert!(more.is_err(), "not before five minutes are over");
        running.hand.advance(FIVE_MINUTES_MS);
        let received = front.at_least(count).await;
        assert_eq!(received.len(), count);
        assert_eq!((&*received[0].method, &*received[0].path), ("GET", "/healthz"));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_empty_spool_nothing_is_fetched() {
    let (database, front) = (TestDatabase::sqlite(), Receiver::start().await);
    let closed = crate::instances::ClosedPort::take();
    let nowhere = format!("mysql://nobody@127.0.0.1:{closed}/nothing");
    let public = front.url("");
    let running =
        Running::start_without_database(&database, &[("DATABASE_URL", &*nowhere), ("PUBLIC_URL", &*public)]);
    let spool = running.state.spool.clone().unwrap();
    until("the spool is open", PATIENCE, || async { spool.is_open() }).await;
    for _ in 0..3 {
        running.hand.advance(FIVE_MINUTES_MS);
        assert!(tokio::time::timeout(Duration::from_millis(1_100), front.at_least(1)).await.is_err());
    }
    running.stop().await;
}
