//! The service starts, listens and answers while its database is absent, and needs nobody when it appears.

use crate::load::{Answer, Batch, Dice, Ledger, Project, send, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::{Client, Database, Instance, REPLY, Rig};

/// A key that verifies itself, made while the database was there.
async fn project_made_before(rig: &Rig) -> Project {
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("absent").await;
    instance.process.signal("TERM");
    assert!(instance.process.exit(PATIENCE).await.success());
    project
}

async fn refuses_with_patience(client: &Client, project: &Project) {
    let batch = Batch::new("while-away", 3, 10, &mut Dice::new("absent"));
    let Answer::Status(503, body, Some(retry), took) = send(client, project, &batch).await else {
        panic!("a batch is refused with 503 and Retry-After while the database is away")
    };
    assert_eq!(body["code"], "storage_unavailable");
    assert!(retry.parse::<u32>().unwrap() >= 1);
    assert!(took < REPLY, "answered after {took:?}");
}

/// What holds without a database, and that it heals once `appear` was called.
async fn starts_without(rig: &Rig, project: &Project, cause: &str, appear: impl AsyncFnOnce()) -> Instance {
    let instance = rig.start().await;
    let client = &instance.client;
    client.not_ready(cause).await;
    assert_ne!(client.database().await, "connected");
    refuses_with_patience(client, project).await;
    assert_eq!(client.get("/ui/").await.0, 200, "the page is there");
    appear().await;
    client.ready(PATIENCE).await;
    assert_eq!(client.database().await, "connected");
    let ledger = Ledger::default();
    let batch = ledger.note(Batch::new("after", 5, 10, &mut Dice::new("after")));
    send_until_stored(client, project, &batch, PATIENCE).await;
    ledger.acknowledge(&batch);
    ledger.check(rig, client, project).await;
    instance
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_while_nobody_listens_where_the_database_should_be() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let project = project_made_before(&rig).await;
    rig.proxy().refuse();
    starts_without(&rig, &project, "refused", async || rig.proxy().listen().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_while_the_database_is_a_black_hole() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let project = project_made_before(&rig).await;
    rig.proxy().stall(true);
    starts_without(&rig, &project, "no answer", async || rig.proxy().pass_new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_with_a_wrong_password_and_heals_when_that_is_the_right_one() {
    let Some(mut rig) = Rig::server(&[]).await else { return };
    let project = project_made_before(&rig).await;
    rig.private().sql("CREATE USER tekno@'%' IDENTIFIED BY 'old'; GRANT ALL ON tekno.* TO tekno@'%'").await;
    let url = format!("mysql://tekno:new-password@127.0.0.1:{}/tekno", rig.proxy().port);
    rig.set("DATABASE_URL", &url);
    let change = async || rig.private().sql("SET PASSWORD FOR tekno@'%' = PASSWORD('new-password')").await;
    let instance = starts_without(&rig, &project, "1045", change).await;
    assert!(!instance.process.log().contains("new-password"), "a password is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_before_the_database_itself_was_made() {
    let Some(rig) = Rig::server(&[]).await else { return };
    rig.private().sql("DROP DATABASE tekno").await;
    let instance = rig.start().await;
    instance.client.not_ready("1049").await;
    rig.private().sql("CREATE DATABASE tekno").await;
    instance.client.ready(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_loses_its_tables_gets_them_again_without_a_restart() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let Database::Server { server, .. } = &rig.database else { unreachable!() };
    let instance = rig.start_ready().await;
    let before = instance.client.project("before").await;
    server.sql("DROP DATABASE tekno; CREATE DATABASE tekno").await;
    // Writes find out; the old key is of no use any more.
    let batch = Batch::new("b", 1, 10, &mut Dice::new("tables"));
    crate::process::until("the old key is unknown", PATIENCE, async || {
        send(&instance.client, &before, &batch).await.status() == 401
    })
    .await;
    instance.client.ready(PATIENCE).await;
    let after = instance.client.project("after").await;
    send_until_stored(&instance.client, &after, &batch, PATIENCE).await;
}
