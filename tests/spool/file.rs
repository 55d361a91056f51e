//! The spool's file: full, damaged, or another process's.

use crate::load::{Answer, Batch, Dice, Ledger, send};
use crate::process::{PATIENCE, until};
use crate::rig::Rig;
use crate::watch::{depth, drained, give_back, spooled, take_away};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_503_with_retry_after_and_heals() {
    let Some(mut rig) = Rig::spooling(&[]).await else { return };
    rig.set("SPOOL_MAX_BYTES", "1048576");
    let mut dice = Dice::new("full");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("full").await;
    let ledger = Ledger::default();
    let first = ledger.note(Batch::new("first", 1, 10, &mut dice));
    take_away(&rig, &instance.client, &project, &first).await;
    ledger.acknowledge(&first);
    let mut refused = None;
    for number in 0..400 {
        let batch = ledger.note(Batch::new(&format!("f{number}"), 20, 600, &mut dice));
        match send(&instance.client, &project, &batch).await {
            Answer::Status(200, ..) => ledger.acknowledge(&batch),
            Answer::Status(503, body, Some(_), _) => {
                assert_eq!(body["code"], "storage_unavailable", "{body}");
                refused = Some(batch);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let refused = refused.expect("a bounded spool is full at some time");
    let size = std::fs::metadata(rig.directory.path().join("data/spool.db")).unwrap().len();
    assert!(size <= 1 << 20, "{size}");
    assert!(instance.process.is_alive());
    give_back(&rig, &instance.client).await;
    crate::load::send_until_stored(&instance.client, &project, &refused, PATIENCE).await;
    ledger.acknowledge(&refused);
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_works_without_the_spool_and_takes_it_over() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("second");
    let mut first = rig.start_ready().await;
    let project = first.client.project("second").await;
    let batch = Batch::new("spooled", 3, 10, &mut dice);
    take_away(&rig, &first.client, &project, &batch).await;
    let second = rig.start().await;
    until("it says so", PATIENCE, async || {
        depth(&second.client).await["state"] == "locked by another process"
    })
    .await;
    assert!(second.process.log().contains("another process has DATA_DIR"), "{}", second.process.log());
    let refused = send(&second.client, &project, &Batch::new("other", 1, 10, &mut dice)).await;
    assert_eq!(refused.status(), 503);
    first.process.kill();
    until("it takes the spool over", PATIENCE, async || depth(&second.client).await["events"] == 3).await;
    spooled(&second.client, &project, &Batch::new("another", 2, 10, &mut dice)).await;
    give_back(&rig, &second.client).await;
    assert_eq!(crate::watch::events_stored(&rig, &project).await, 5);
}

/// Spools some groups, stops the service, spoils the file and starts again.
async fn spoiled(what: &str, least: i64, spoil: impl Fn(&mut Vec<u8>, &mut Dice)) {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new(what);
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("spoiled").await;
    let first = Batch::new("g0", 10, 300, &mut dice);
    take_away(&rig, &instance.client, &project, &first).await;
    for number in 1..40 {
        spooled(&instance.client, &project, &Batch::new(&format!("g{number}"), 10, 300, &mut dice)).await;
    }
    instance.process.signal("TERM");
    assert!(instance.process.exit(PATIENCE).await.success());
    // Everything into the file itself: what is in its log would heal it.
    rig.spool_numbers("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = rig.directory.path().join("data/spool.db");
    let mut bytes = std::fs::read(&file).unwrap();
    spoil(&mut bytes, &mut dice);
    std::fs::write(&file, bytes).unwrap();
    let mut again = rig.start().await;
    rig.proxy().listen().await;
    again.client.ready(PATIENCE).await;
    until("it is open", PATIENCE, async || depth(&again.client).await["state"] == "open").await;
    drained(&again.client).await;
    assert!(again.process.is_alive());
    let stored = crate::watch::events_stored(&rig, &project).await;
    let told = depth(&again.client).await;
    let lost = told["dropped_events"]["damaged"].as_i64().unwrap();
    let lost_groups = told["lost_groups"].as_i64().unwrap();
    println!("{what}: {stored} of 400 events kept, {lost} and {lost_groups} groups counted as lost");
    assert!(stored >= least, "{stored} of 400 events kept:\n{}", again.process.log());
    // An altered number of the very first row leaves no gap that could be noticed.
    assert!(least == 0 || stored + lost + 10 * lost_groups >= 380, "{told}");
    assert!(!again.process.log().contains("panicked"), "{}", again.process.log());
    let found = crate::load::stored_events(&again.client, &project).await;
    assert!(found.values().all(|events| events.len() == 1));
    assert!(stored < 400 || lost == 0, "what is whole is not damaged");
    assert!(stored == 400 || again.process.log().contains("damaged"), "what is lost is told");
    // It goes on to spool.
    rig.proxy().refuse();
    spooled(&again.client, &project, &Batch::new("after", 1, 10, &mut dice)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_was_cut_off_starts_and_keeps_what_is_intact() {
    spoiled("cut", 100, |bytes, dice| {
        // The first pages are tables that are empty in a spool: its rows begin behind them.
        let keep = bytes.len() * 2 / 3 + usize::try_from(dice.below(4096)).unwrap();
        bytes.truncate(keep);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_with_flipped_bits_starts_and_keeps_what_is_intact() {
    spoiled("flipped", 100, |bytes, dice| {
        for _ in 0..20 {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] ^= 1 << dice.below(8);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_altered_in_the_definition_of_a_table_takes_none_of_its_rows_along() {
    for definition in ["text_filter BLOB NOT NULL", "held INTEGER NOT NULL", "raw_bytes", "checksum"] {
        spoiled(definition, 400, |bytes, _| {
            let found = bytes.windows(definition.len()).position(|text| text == definition.as_bytes());
            let end = found.expect("the definition is in the file") + definition.len();
            // NOT NULN is no SQL, and raw_byteq is no column.
            bytes[end - 1] ^= 2;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_damaged_root_nor_the_first_page_takes_rows_along() {
    spoiled("roots", 400, |bytes, _| {
        // Pages of type 5 say where the rows of a large table are.
        let roots = bytes.chunks_exact_mut(4096).filter(|page| page[0] == 5).map(|page| page.fill(0)).count();
        assert_eq!(roots, 2, "of the blocks and of the groups");
    })
    .await;
    spoiled("first page", 400, |bytes, _| bytes[..4096].fill(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_spool_does_not_bring_back_what_was_moved_to_the_database() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("moved");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("moved").await;
    take_away(&rig, &instance.client, &project, &Batch::new("g0", 10, 300, &mut dice)).await;
    for number in 1..40 {
        spooled(&instance.client, &project, &Batch::new(&format!("g{number}"), 10, 300, &mut dice)).await;
    }
    give_back(&rig, &instance.client).await;
    rig.proxy().refuse();
    spooled(&instance.client, &project, &Batch::new("after", 10, 300, &mut dice)).await;
    instance.process.signal("TERM");
    assert!(instance.process.exit(PATIENCE).await.success());
    rig.spool_numbers("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = rig.directory.path().join("data/spool.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The type of the pages that the definitions begin with is none.
    bytes[100] = 0;
    std::fs::write(&file, bytes).unwrap();
    let again = rig.start().await;
    until("it is open", PATIENCE, async || depth(&again.client).await["state"] == "open").await;
    assert_eq!(depth(&again.client).await["events"], 10, "{}", again.process.log());
    assert!(again.process.log().contains("the spool was damaged"), "{}", again.process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_no_database_at_all_is_set_aside() {
    spoiled("noise", 0, |bytes, dice| {
        for byte in bytes.iter_mut() {
            *byte = u8::try_from(dice.below(256)).unwrap();
        }
    })
    .await;
}
