//! Who may put blocks in the place of others.

use std::time::Duration;

use tekno_logger::block::Block;
use tekno_logger::store::{Replaced, Replacement, STATEMENT_TIMEOUT, Store};
use uuid::Uuid;

use crate::fill::{HOUR, HOUR_MS, all_blocks, clock_at, fold, posts, stored_lines};
use crate::support::TestDatabase;
use crate::writer::project;

const LEASE: Duration = Duration::from_mins(1);

fn replacement(project_id: i64, blocks: &[Block]) -> Replacement {
    let mut new = blocks[0].clone();
    new.header.event_count = 77;
    let old = blocks.iter().map(|block| block.header.id).collect();
    Replacement { project_id, old, new: Some(new), deleted: Vec::new() }
}

async fn replace(store: &Store, replacement: &Replacement) -> Replaced {
    store.replace_blocks(replacement, LEASE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_the_lease_or_finds_blocks_gone_changes_nothing() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let other = database.store().await;
        let shop = project(&store, "shop", 3).await;
        posts(&store, shop, HOUR, 1_000, 4).await;
        fold(&store, &clock_at(HOUR + HOUR_MS)).await;
        let (blocks, lines) = (all_blocks(&store, shop).await, stored_lines(&store, shop).await);
        let wanted = replacement(shop, &blocks[..3]);
        let unchanged = async |what: &str| {
            assert_eq!(all_blocks(&store, shop).await, blocks, "{name}: {what}");
            assert_eq!(stored_lines(&store, shop).await, lines, "{name}: {what}");
        };
        assert_eq!(replace(&store, &wanted).await, Replaced::LeaseLost, "{name}: never had");
        unchanged("never had").await;
        assert!(store.lease_maintenance(LEASE).await.unwrap());
        store.release_maintenance(false).await.unwrap();
        assert!(other.lease_maintenance(LEASE).await.unwrap());
        assert_eq!(replace(&store, &wanted).await, Replaced::LeaseLost, "{name}: another has it");
        unchanged("another has it").await;
        other.release_maintenance(false).await.unwrap();
        assert_eq!(replace(&store, &wanted).await, Replaced::LeaseLost, "{name}: another had it");
        unchanged("another had it").await;
        assert!(store.lease_maintenance(LEASE).await.unwrap());
        let mut gone = wanted.clone();
        gone.old.push(Uuid::from_u128(5));
        assert_eq!(replace(&store, &gone).await, Replaced::Changed, "{name}");
        unchanged("one is gone").await;
        assert_eq!(replace(&store, &wanted).await, Replaced::Done, "{name}");
        assert_eq!(replace(&store, &wanted).await, Replaced::Changed, "{name}: once");
        let left = all_blocks(&other, shop).await;
        assert_eq!((left.len(), left[0].header.event_count), (2, 77), "{name}");
        store.close();
        other.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_the_lease_over_while_blocks_are_replaced() {
    let Some(database) = TestDatabase::server().await else { return };
    let (store, other) = (database.store().await, database.store().await);
    let shop = project(&store, "shop", 3).await;
    posts(&store, shop, HOUR, 1_000, 3).await;
    assert!(store.lease_maintenance(LEASE).await.unwrap());
    let blocks = all_blocks(&store, shop).await;
    // Somebody else's transaction holds one of the blocks, so that the replacement waits in its own.
    let mut holder = other.work().await.unwrap();
    holder.begin(STATEMENT_TIMEOUT).await.unwrap();
    let lock = format!("UPDATE blocks SET codec = codec + 0 WHERE project_id = {shop}");
    holder.change(lock, STATEMENT_TIMEOUT).await.unwrap();
    let wanted = replacement(shop, &blocks);
    let replacing = store.replace_blocks(&wanted, LEASE);
    let stealing = async {
        let steal = "UPDATE leases SET owner = 'thief' WHERE name = 'maintenance'".to_owned();
        let mut session = other.read().await.unwrap();
        let stolen = session.change(steal, STATEMENT_TIMEOUT).await;
        drop(session);
        stolen
    };
    let (replaced, _) = tokio::join!(replacing, stealing);
    drop(holder);
    // Whoever came first: with the thief's name on the lease nothing was replaced.
    let held = other.maintenance_holder().await.unwrap().unwrap();
    let left = all_blocks(&other, shop).await.len();
    match replaced {
        Ok(Replaced::Done) => assert_eq!(left, 1),
        _ => assert_eq!(left, 3, "lease of {}", held.owner),
    }
    store.close();
    database.remove().await;
}
