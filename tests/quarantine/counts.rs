//! Counts the database refuses hold up no others.

use crate::refusing::{Site, batch};
use crate::running::Running;
use crate::support::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn a_block_whose_counts_are_refused_waits_and_all_others_are_counted() {
    for database in TestDatabase::all().await {
        let Site { database, running } = Site::start(database).await;
        let (shop, blog) = (running.project("shop").await, running.project("blog").await);
        let site = Site { database, running };
        site.refuse("counts", &format!("NEW.project_id = {}", shop.project_id)).await;
        // Of each second one; more than are read back at once when they are nobody's.
        for number in 0..80 {
            let key = if number % 2 == 0 { &shop } else { &blog };
            let name = format!("b{number}");
            assert_eq!(site.send(key, &name, &batch(&name, 2, &[])).await.status, 200);
        }
        site.counted(&blog, 80).await;
        let Site { database, running } = site;
        running.stop().await;
        // All of it is nobody's now, and the refused ones come first.
        let site = Site { running: Running::start(&database, &[]).await, database };
        site.running.hand.advance(60_000);
        let late = site.send(&blog, "late", &batch("late", 3, &[])).await;
        assert_eq!(late.status, 200);
        site.counted(&blog, 83).await;
        site.allow("counts").await;
        let Site { database, running } = site;
        running.stop().await;
        let site = Site { running: Running::start(&database, &[]).await, database };
        site.counted(&shop, 80).await;
        site.running.stop().await;
        site.database.remove().await;
    }
}
