//! What may happen to blocks while they are read.

use tekno_logger::store::STATEMENT_TIMEOUT;

use crate::reading::Service;
use crate::support::{TestDatabase, every_block};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_block_removed_between_header_and_body_is_still_read_and_later_reads_do_without_it() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        service.post(&shop, &[json!({ "message": "soon gone" })]).await;
        let store = &service.state.store;
        let mut snapshot = store.snapshot().await.unwrap();
        let headers = snapshot.block_headers(&[&every_block(shop.id)]).await.unwrap();
        let wanted = [(shop.id, headers[0].id)];
        let mut work = store.work().await.unwrap();
        work.packet(format!("DELETE FROM blocks WHERE project_id = {}", shop.id), STATEMENT_TIMEOUT)
            .await
            .unwrap();
        drop(work);
        assert_eq!(snapshot.block_bodies(&wanted).await.unwrap().len(), 1, "{name}: as it was");
        snapshot.end().await;
        let mut later = store.snapshot().await.unwrap();
        assert_eq!(later.block_bodies(&wanted).await.unwrap().len(), 0, "{name}: no error");
        later.end().await;
        assert_eq!(service.pages("").await.len(), 0, "{name}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_event_once_while_blocks_are_replaced() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        for n in 0..12 {
            service.post(&shop, &[json!({ "message": format!("event {n}") })]).await;
        }
        // A merge, as far as a reader can tell: each block goes and comes back under another id, in one transaction.
        let replace = async {
            for round in 1..=40_u8 {
                let mut work = service.state.store.work().await.unwrap();
                let moved = format!(
                    "UPDATE blocks SET id = {} WHERE project_id = {}",
                    match work.dialect() {
                        tekno_logger::store::Dialect::MySql =>
                            format!("CONCAT(SUBSTRING(id, 1, 6), X'{round:02x}', SUBSTRING(id, 8))"),
                        tekno_logger::store::Dialect::Sqlite =>
                            format!("CAST(substr(id, 1, 6) || X'{round:02x}' || substr(id, 8) AS BLOB)"),
                    },
                    shop.id
                );
                work.packet(moved, STATEMENT_TIMEOUT).await.unwrap();
                drop(work);
                tokio::task::yield_now().await;
            }
        };
        let read = async {
            for _ in 0..40 {
                assert_eq!(service.page("q=event").await["logs"].as_array().unwrap().len(), 12, "{name}");
            }
        };
        tokio::join!(replace, read);
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_is_said_and_hides_no_other() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        service.post(&shop, &[json!({ "message": "damaged" })]).await;
        let mut work = service.state.store.work().await.unwrap();
        let damage = "UPDATE blocks SET body = X'0102030405060708'".to_owned();
        work.packet(damage, STATEMENT_TIMEOUT).await.unwrap();
        drop(work);
        service.post(&shop, &[json!({ "message": "whole" })]).await;
        let page = service.page("").await;
        assert_eq!(page["logs"].as_array().unwrap().len(), 1, "{name}: {page}");
        assert_eq!(page["warnings"], json!(["1 damaged blocks or events could not be read."]), "{name}");
        service.stop().await;
        database.remove().await;
    }
}
