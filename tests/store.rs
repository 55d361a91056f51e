//! The store's story, told on every database at hand.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/skip.rs"]
mod skip;
mod support;

use std::sync::Arc;

use support::{TestDatabase, every_block};
use tekno_logger::block::encode::BatchEncoder;
use tekno_logger::block::{EncodedBatch, decode};
use tekno_logger::clock::Clock;
use tekno_logger::event::{BatchId, Event, Level};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::fold::{Fold, FoldMailbox};
use tekno_logger::memory::Budget;
use tekno_logger::outcome::Outcomes;
use tekno_logger::project::{Project, ProjectRef, ProjectSlug, ScrubSettings};
use tekno_logger::store::{
    CountScope, DatabaseStatus, NewProject, ProjectChange, ProjectError, STATEMENT_TIMEOUT, StorageUsed,
    Store, bucket,
};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::write::{
    BatchKeys, IssueTitle, SeedTexts, Submission, WriteOutcome, WriteQueue, WriterSlot,
};
use tokio::sync::oneshot;

const NOW: i64 = 1_800_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

fn new_project(slug: &str) -> NewProject {
    NewProject {
        slug: ProjectSlug::parse(slug).unwrap(),
        name: format!("The {slug}"),
        retention_days: 3,
        minute_cap: Some(100),
        scrub: ScrubSettings { off: false, extra_keys: vec!["pin".to_owned()] },
    }
}

async fn project(store: &Store, slug: &str) -> Project {
    store.create_project(new_project(slug), now()).await.unwrap_or_else(|error| panic!("{error:?}"))
}

fn encoded(batch: BatchId, levels: &[Level]) -> EncodedBatch {
    let mut encoder = BatchEncoder::new(batch);
    for (index, level) in levels.iter().enumerate() {
        let ts = now().plus_millis(-1_000 + i64::try_from(index).unwrap());
        encoder.push(&Event {
            source: "shop".into(),
            fingerprint: Fingerprint(1_000 + *level as u64),
            ..Event::plain(u32::try_from(index).unwrap(), ts, *level, format!("event {index}"))
        });
    }
    encoder.finish()
}

/// A writer with both slots running.
struct Writer {
    queue: Arc<WriteQueue>,
    mailbox: Arc<FoldMailbox>,
    budget: Budget,
    slots: Vec<tokio::task::JoinHandle<()>>,
}

impl Writer {
    fn start(store: &Store, clock: &Clock) -> Self {
        let queue = Arc::new(WriteQueue::default());
        let mailbox = Arc::new(FoldMailbox::default());
        let slot = || WriterSlot::new(queue.clone(), store.clone(), clock.clone(), mailbox.clone());
        let slots = (0..2).map(|_| tokio::spawn(slot().run())).collect();
        Self { queue, mailbox, budget: Budget::new(32 << 20), slots }
    }

    async fn send(&self, project_id: i64, id: u8, body: u8, levels: &[Level]) -> WriteOutcome {
        let (reply, outcome) = oneshot::channel();
        let batch = BatchId::new(now());
        let parts = vec![encoded(batch, levels)];
        let room = self.budget.reserve(1_000, std::time::Duration::from_secs(1)).await.unwrap();
        let titles = levels
            .iter()
            .map(|level| IssueTitle {
                fingerprint: Fingerprint(1_000 + *level as u64),
                texts: SeedTexts {
                    title: "event <n>".to_owned(),
                    source: "shop".to_owned(),
                    release: String::new(),
                    sample: String::new(),
                },
            })
            .collect();
        let keys = BatchKeys { keys: vec![[id; 20]], sender: None, expires_at: now().plus_millis(60_000) };
        let received = u32::try_from(levels.len()).unwrap();
        let body_hash = [body; 16];
        let arrival = Outcomes::new(self.mailbox.tally().clone()).arrival(Some(project_id), now());
        let fate = arrival.read(received, received, Vec::new()).queued();
        let submission =
            Submission { project_id, keys, body_hash, batch, received, parts, titles, room, fate, reply };
        self.queue.push(submission).unwrap();
        outcome.await.unwrap()
    }

    async fn stop(self) -> Arc<FoldMailbox> {
        self.queue.close();
        for slot in self.slots {
            slot.await.unwrap();
        }
        self.mailbox
    }
}

fn of(project_id: i64) -> CountScope {
    CountScope { project_id, since: 0 }
}

async fn stored_events(store: &Store, project_id: i64) -> Vec<String> {
    let mut session = store.read().await.unwrap();
    let headers = session.block_headers(&every_block(project_id)).await.unwrap();
    let ids: Vec<_> = headers.iter().map(|header| header.id).collect();
    let bodies = session.block_bodies(project_id, &ids).await.unwrap();
    let mut events = Vec::new();
    for header in &headers {
        let body = &bodies.iter().find(|body| body.0 == header.id).unwrap().1;
        let raw = decode::inflate_body(header.codec, header.raw_bytes, body).unwrap();
        assert_eq!(header.stored_bytes as usize, body.len());
        events.extend(decode::lines(&raw).map(|line| String::from_utf8(line.to_vec()).unwrap()));
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_keys_are_kept_changed_and_removed() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        store.migrate().await.expect("migrating again changes nothing");
        let shop = project(&store, "shop").await;
        let blog = project(&store, "blog").await;
        assert!(blog.id > shop.id);
        let taken = store.create_project(new_project("shop"), now()).await;
        assert!(matches!(taken, Err(ProjectError::SlugTaken)), "{}: {taken:?}", database.name);
        assert_eq!(store.list_projects().await.unwrap(), [shop.clone(), blog.clone()]);
        let found = store.project(&ProjectRef::Slug(shop.slug.clone())).await.unwrap();
        assert_eq!(found, Some(shop.clone()));

        let change =
            ProjectChange { retention_days: Some(9), minute_cap: Some(None), ..ProjectChange::default() };
        let changed = store.update_project(shop.id, change).await.unwrap().unwrap();
        assert_eq!((changed.retention_days, changed.minute_cap), (9, None));
        assert_eq!(store.project(&ProjectRef::Id(shop.id)).await.unwrap(), Some(changed));
        let clash = ProjectChange { slug: Some(blog.slug.clone()), ..ProjectChange::default() };
        assert!(matches!(store.update_project(shop.id, clash).await, Err(ProjectError::SlugTaken)));
        assert!(store.update_project(99, ProjectChange::default()).await.unwrap().is_none());

        let mint = |number: u32| {
            let sha256 = [u8::try_from(number).unwrap(); 32];
            (tekno_logger::store::NewKey { sha256, hint: "tkl_abcd".to_owned() }, ())
        };
        let kind = tekno_logger::key::KeyKind::Server;
        let (first, ()) = store.add_key(shop.id, kind, "ci", now(), mint).await.unwrap().unwrap();
        let (second, ()) = store.add_key(shop.id, kind, "", now(), mint).await.unwrap().unwrap();
        assert_eq!((first.number, second.number), (1, 2));
        assert!(store.add_key(99, kind, "", now(), mint).await.unwrap().is_none());
        assert!(store.revoke_key(shop.id, 1, now()).await.unwrap());
        assert!(!store.revoke_key(shop.id, 7, now()).await.unwrap());
        let keys = store.list_keys(shop.id).await.unwrap();
        assert_eq!(keys[0].revoked_at, Some(now()));
        assert_eq!(keys[1], second);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_stored_once_and_counted_once() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (clock, _hand) = Clock::manual(now());
        let shop = project(&store, "shop").await.id;
        let blog = project(&store, "blog").await.id;
        let writer = Writer::start(&store, &clock);
        let levels = [Level::Info, Level::Error, Level::Error, Level::Fatal];
        assert_eq!(writer.send(shop, 1, 1, &levels).await, WriteOutcome::Stored, "{name}");
        assert_eq!(writer.send(blog, 2, 2, &[Level::Warn]).await, WriteOutcome::Stored, "{name}");
        let again = writer.send(shop, 1, 1, &levels).await;
        assert_eq!(again, WriteOutcome::Duplicate { received: 4, accepted: 4, in_spool: false }, "{name}");
        assert_eq!(writer.send(shop, 1, 9, &levels).await, WriteOutcome::Conflict, "{name}");
        let racing: Vec<WriteOutcome> =
            futures_util::future::join_all((0..40).map(|n| writer.send(shop, 50 + n % 8, 1, &[Level::Info])))
                .await;
        assert_eq!(racing.iter().filter(|one| **one == WriteOutcome::Stored).count(), 8, "{name}");
        let mailbox = writer.stop().await;
        assert_eq!(stored_events(&store, shop).await.len(), 12, "{name}");
        assert_eq!(stored_events(&store, blog).await.len(), 1, "{name}");

        let fold = Fold::new(store.clone(), clock.clone(), mailbox);
        fold.tick(true).await.unwrap();
        fold.tick(true).await.unwrap();
        let at = bucket(now());
        let mut session = store.read().await.unwrap();
        let trend = session.level_trend(&[of(shop)], at - 10, at + 10, 10).await.unwrap();
        assert_eq!(trend, [(2, at, 9), (4, at, 2), (5, at, 1)], "{name}");
        let top = session.top_issues(&[of(shop)], at, at + 10, 5).await.unwrap();
        let top: Vec<(u64, i64, i64)> =
            top.iter().map(|(issue, count)| (issue.id.fingerprint.0, *count, issue.event_count)).collect();
        assert_eq!(top, [(1_004, 2, 2), (1_005, 1, 1)], "{name}");
        assert_eq!(store.storage_used(&mut session, &[blog], now()).await.unwrap().events, 1, "{name}");
        drop(session);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_instance_left_unfolded_is_counted_by_another_once() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (clock, hand) = Clock::manual(now());
        let shop = project(&store, "shop").await.id;
        let writer = Writer::start(&store, &clock);
        for id in 0..20 {
            let outcome = writer.send(shop, id, id, &[Level::Error, Level::Info]).await;
            assert_eq!(outcome, WriteOutcome::Stored, "{name}");
        }
        // The first instance's mailbox is lost with it.
        drop(writer.stop().await);
        let fold = || Fold::new(store.clone(), clock.clone(), Arc::default());
        fold().tick(true).await.unwrap();
        let at = bucket(now());
        let mut session = store.read().await.unwrap();
        assert_eq!(
            session.level_trend(&[of(shop)], at, at + 10, 10).await.unwrap(),
            [],
            "{name}: too young to be orphans"
        );
        drop(session);
        hand.advance(6_000);
        let (one, other) = (fold(), fold());
        let (a, b) = tokio::join!(one.tick(true), other.tick(true));
        // One of two racing folds may lose to the other; what it left, the next tick finds.
        let _ = (a, b);
        fold().tick(true).await.unwrap();
        let mut session = store.read().await.unwrap();
        assert_eq!(
            session.level_trend(&[of(shop)], at, at + 10, 10).await.unwrap(),
            [(2, at, 20), (4, at, 20)],
            "{name}"
        );
        drop(session);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_free_again_when_its_time_is_up() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (clock, hand) = Clock::manual(now());
        let shop = project(&store, "shop").await.id;
        let writer = Writer::start(&store, &clock);
        assert_eq!(writer.send(shop, 1, 1, &[Level::Info]).await, WriteOutcome::Stored, "{name}");
        hand.advance(61_000);
        assert_eq!(writer.send(shop, 1, 1, &[Level::Info]).await, WriteOutcome::Stored, "{name}");
        writer.stop().await;
        assert_eq!(stored_events(&store, shop).await.len(), 2, "{name}");
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_project_leaves_nothing_of_it() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (clock, hand) = Clock::manual(now());
        let shop = project(&store, "shop").await;
        let blog = project(&store, "blog").await.id;
        let writer = Writer::start(&store, &clock);
        for id in 0..30 {
            writer.send(if id % 2 == 0 { shop.id } else { blog }, id, id, &[Level::Error]).await;
        }
        let fold = Fold::new(store.clone(), clock.clone(), writer.stop().await);
        fold.tick(true).await.unwrap();
        assert!(store.hide_project(shop.id, clock.now()).await.unwrap(), "{name}");
        assert!(!store.hide_project(shop.id, clock.now()).await.unwrap(), "{name}");
        assert_eq!(store.project(&ProjectRef::Id(shop.id)).await.unwrap(), None, "{name}");
        let again = project(&store, "shop").await;
        assert!(again.id > blog, "{name}: an id is never used again");
        assert_eq!(store.hidden_projects().await.unwrap(), [shop.id], "{name}");
        while store.delete_project_step(shop.id).await.unwrap() {}
        assert_eq!(stored_events(&store, shop.id).await.len(), 0, "{name}");
        assert_eq!(stored_events(&store, blog).await.len(), 15, "{name}");
        hand.advance(61_000);
        store.forget_project(shop.id, clock.now()).await.unwrap();
        assert!(store.hidden_projects().await.unwrap().is_empty(), "{name}");
        let mut session = store.read().await.unwrap();
        for table in
            ["blocks", "batches", "unfolded", "counts", "issues", "issue_resolutions", "api_keys", "projects"]
        {
            let column = if table == "projects" { "id" } else { "project_id" };
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} = {}", shop.id);
            let rows = session.select(sql, tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
            assert_eq!(rows[0].int(0).unwrap(), 0, "{name}: {table}");
        }
        drop(session);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_instances_may_start_at_once_on_an_empty_database() {
    for database in TestDatabase::all().await {
        let config = database.config(&[]);
        let stores: Vec<Store> = (0..8).map(|_| Store::new(&config).unwrap()).collect();
        let migrated = futures_util::future::join_all(stores.iter().map(Store::migrate)).await;
        for one in migrated {
            one.unwrap_or_else(|error| panic!("{}: {error}", database.name));
        }
        stores[0].set_status(DatabaseStatus::Connected);
        assert_eq!(stores[0].list_projects().await.unwrap(), []);
        stores.iter().for_each(Store::close);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_newer_than_the_binary_is_refused() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        let mut session = store.work().await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', 1, X'00', 1)";
        session.packet(newer.to_owned(), tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        let refused = store.migrate().await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("newer") && text.contains("9999"), "{}: {text}", database.name);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_whose_header_cannot_be_read_stops_no_other_counts() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        let (clock, hand) = Clock::manual(now());
        let shop = project(&store, "shop").await.id;
        let writer = Writer::start(&store, &clock);
        assert_eq!(writer.send(shop, 1, 1, &[Level::Info]).await, WriteOutcome::Stored);
        let damage = "UPDATE blocks SET codec = 9";
        store.work().await.unwrap().execute(damage, &[], STATEMENT_TIMEOUT).await.unwrap();
        assert_eq!(writer.send(shop, 2, 2, &[Level::Error]).await, WriteOutcome::Stored);
        drop(writer.stop().await);
        hand.advance(6_000);
        Fold::new(store.clone(), clock, Arc::default()).tick(true).await.unwrap();
        let mut session = store.read().await.unwrap();
        let at = bucket(now());
        let trend = session.level_trend(&[of(shop)], at, at + 10, 10).await.unwrap();
        assert_eq!(trend, [(4, at, 1)], "{}", database.name);
        drop(session);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_others_hold_for_seconds_is_no_outage() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let (clock, _hand) = Clock::manual(now());
    let shop = project(&store, "shop").await.id;
    let writer = Writer::start(&store, &clock);
    let held = store.work().await.unwrap();
    assert_eq!(writer.send(shop, 1, 1, &[Level::Info]).await, WriteOutcome::Unavailable);
    assert_eq!(store.status(), DatabaseStatus::Connected);
    drop(held);
    assert_eq!(writer.send(shop, 1, 1, &[Level::Info]).await, WriteOutcome::Stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_removal_is_bounded_where_many_series_share_a_bucket() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        let shop = project(&store, "shop").await.id;
        let rows: Vec<String> = (0..1_000).map(|series| format!("({shop},{series},60,1)")).collect();
        let columns = "project_id, series, bucket, event_count";
        let insert = format!("INSERT INTO counts ({columns}) VALUES {}", rows.join(","));
        store.work().await.unwrap().change(insert, STATEMENT_TIMEOUT).await.unwrap();
        let mut steps = 0;
        while store.delete_project_step(shop).await.unwrap() {
            steps += 1;
        }
        assert_eq!(steps, 5, "{}", database.name);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_ids_of_a_removed_project_go_in_a_walk_of_bounded_steps_that_leaves_others_alone() {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let (shop, blog) = (project(&store, "shop").await.id, project(&store, "blog").await.id);
        // The last ones are the removed project's: a walk that stopped early would miss them.
        let owner = |number: u64| if number < 4_500 { blog } else { shop };
        let rows: Vec<String> = (0..5_000)
            .map(|number| format!("(X'{number:040x}',{},X'{:032x}',X'{:032x}',1,1,1)", owner(number), 0, 0))
            .collect();
        let columns = "id, project_id, batch, body_hash, received, accepted, expires_at";
        for rows in rows.chunks(1_000) {
            let insert = format!("INSERT INTO batches ({columns}) VALUES {}", rows.join(","));
            store.work().await.unwrap().change(insert, STATEMENT_TIMEOUT).await.unwrap();
        }
        let mut steps = 0;
        while store.delete_project_step(shop).await.unwrap() {
            steps += 1;
        }
        assert_eq!(steps, 2, "{name}");
        let mut session = store.read().await.unwrap();
        let left = async |sql: &str, session: &mut tekno_logger::store::Session| {
            session.select(sql.to_owned(), STATEMENT_TIMEOUT).await.unwrap()[0].int(0).unwrap()
        };
        let of = |project: i64| format!("SELECT COUNT(*) FROM batches WHERE project_id = {project}");
        assert_eq!(
            (left(&of(shop), &mut session).await, left(&of(blog), &mut session).await),
            (0, 4_500),
            "{name}"
        );
        let walks = "SELECT COUNT(*) FROM settings WHERE name LIKE 'removal:%'";
        assert_eq!(left(walks, &mut session).await, 0, "{name}: where the walk stood is forgotten");
        drop(session);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_of_an_earlier_version_with_the_tables_of_a_database_opens_with_what_is_in_it() {
    let database = TestDatabase::sqlite();
    let old = database.store().await;
    let shop = project(&old, "shop").await;
    old.close();
    let file = database.directory.path().join("tekno-logger.db");
    let versions = async |store: &Store| -> Vec<i64> {
        let find = "SELECT version FROM _sqlx_migrations ORDER BY version".to_owned();
        let rows = store.work().await.unwrap().select(find, STATEMENT_TIMEOUT).await.unwrap();
        rows.iter().map(|row| row.int(0).unwrap()).collect()
    };
    let spool = Store::spool(&file, 1 << 24);
    for _ in 0..2 {
        spool.migrate().await.unwrap();
        spool.set_status(DatabaseStatus::Connected);
        assert_eq!(versions(&spool).await, [1, 2, 3, 4, 5, 6, 1_001], "the others are not recorded any more");
    }
    assert_eq!(spool.load_directory().await.unwrap().0[0].id, shop.id);
    assert_eq!(spool.writer().await.unwrap().spool_totals().await.unwrap().groups, 0);
    // One that is newer than this version is refused as before.
    let newer = "INSERT INTO _sqlx_migrations SELECT 999, description, installed_on, success, checksum, execution_time \
                 FROM _sqlx_migrations WHERE version = 1";
    spool.work().await.unwrap().change(newer.to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    let refused = spool.migrate().await.unwrap_err();
    assert!(matches!(refused, tekno_logger::store::StoreError::SchemaTooNew(_)), "{refused}");
    spool.close();
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_change_different_fields_of_a_project_at_once_both_win() {
    for database in TestDatabase::all().await {
        let (name, one) = (database.name, database.store().await);
        let two = database.store().await;
        let shop = project(&one, "shop").await.id;
        for round in 1..=30_u16 {
            let title = format!("round {round}");
            let keys = ScrubSettings { off: false, extra_keys: vec![format!("key{round}")] };
            let naming = ProjectChange { name: Some(title.clone()), ..ProjectChange::default() };
            let others = ProjectChange {
                retention_days: Some(round),
                minute_cap: Some((round % 2 == 0).then_some(u32::from(round))),
                scrub: Some(keys.clone()),
                ..ProjectChange::default()
            };
            let (first, second) =
                tokio::join!(one.update_project(shop, naming), two.update_project(shop, others));
            assert_eq!(first.unwrap().unwrap().name, title, "{name}");
            assert_eq!(second.unwrap().unwrap().retention_days, round, "{name}");
            let found = one.project(&ProjectRef::Id(shop)).await.unwrap().unwrap();
            let told = (found.name.as_str(), found.retention_days, found.minute_cap, found.scrub);
            let cap = (round % 2 == 0).then_some(u32::from(round));
            assert_eq!(told, (title.as_str(), round, cap, keys), "{name}");
        }
        one.close();
        two.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_over_many_blocks_is_summed_once_and_told_with_its_age() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let (shop, blog) = (project(&store, "shop").await.id, project(&store, "blog").await.id);
        let add = async |project: i64, numbers: std::ops::Range<u64>| {
            let rows: Vec<String> = numbers
                .map(|n| format!("({project},X'{n:032x}',1,1,1,1,3,40,20,1,X'',X'',X'',X'')"))
                .collect();
            let columns = "project_id, id, received_first, received_last, ts_first, ts_last, event_count, raw_bytes, \
                           stored_bytes, codec, level_counts, id_filter, text_filter, body";
            let insert = format!("INSERT INTO blocks ({columns}) VALUES {}", rows.join(","));
            store.work().await.unwrap().change(insert, STATEMENT_TIMEOUT).await.unwrap();
        };
        add(shop, 0..1_500).await;
        add(blog, 0..5).await;
        let used = async |after_ms| {
            let mut session = store.read().await.unwrap();
            let used = store.storage_used(&mut session, &[shop, blog], now().plus_millis(after_ms)).await;
            let StorageUsed { blocks, events, raw_bytes, stored_bytes, age_ms, complete } = used.unwrap();
            assert_eq!((events, raw_bytes, stored_bytes), (3 * blocks, 40 * blocks, 20 * blocks), "{name}");
            assert!(complete, "{name}");
            (blocks, age_ms)
        };
        assert_eq!(used(0).await, (1_505, 0), "{name}");
        add(shop, 1_500..1_600).await;
        add(blog, 5..10).await;
        assert_eq!(used(1_499).await, (1_510, 1_499), "{name}: few blocks are summed again, many are not");
        assert_eq!(used(1_500).await, (1_610, 0), "{name}");
        store.forget_block_bodies(shop, &[]);
        add(shop, 1_600..1_601).await;
        assert_eq!(used(1_501).await, (1_611, 0), "{name}: and after a deletion");
        store.close();
        database.remove().await;
    }
}
