use super::*;
use crate::block::encode::BatchEncoder;
use crate::event::{Event, Level, uuid_at};
use crate::store::SpooledBlock;
use crate::timestamp::Timestamp;

const NOON: i64 = 1_800_000_000_000;
const KEPT: i64 = 120_000;
const SENDER: [u8; 32] = [7; 32];

fn at(offset: i64) -> Timestamp {
    Timestamp::from_millis(NOON + offset)
}

fn event(index: u32, name: &str) -> Event<'_> {
    Event::plain(index, at(0), Level::Info, name)
}

/// A batch of two events, received at `offset`, with one id.
fn batch(offset: i64, id: u8, hash: u8) -> (SpooledBatch, EncodedBatch) {
    let batch = BatchId::new(at(offset));
    let mut encoder = BatchEncoder::new(batch);
    encoder.push(&event(0, "first"));
    encoder.push(&event(1, "second"));
    let ids = vec![([id; 20], at(offset + KEPT))];
    let spooled = SpooledBatch {
        project_id: 1,
        batch,
        sender: Some(SENDER),
        body_hash: [hash; 16],
        received: 2,
        accepted: 2,
        ids,
    };
    (spooled, encoder.finish())
}

/// Batches committed to the spool together, in one block.
fn group(number: i64, batches: &[(SpooledBatch, EncodedBatch)]) -> (SpooledGroup, Block) {
    let parts: Vec<Part<'_>> = batches.iter().map(|(_, encoded)| Part::whole(encoded)).collect();
    let block = BlockEncoder::default().encode_block(uuid_at(at(0)), 1, &parts, CompressionLevel::Ingest);
    let (id, events, checksum) = (block.header.id, block.header.event_count, block_checksum(&block));
    let listed = SpooledBlock { project_id: 1, id, events, checksum };
    let batches = batches.iter().map(|(spooled, _)| spooled.clone()).collect();
    (SpooledGroup { number, batches, blocks: vec![listed] }, block)
}

fn everybody() -> Known {
    let mut known = Known::default();
    known.senders.projects.insert(1);
    known.senders.keys.insert((1, SENDER));
    known
}

fn row(of: &SpooledBatch, name: BatchId, hash: u8) -> StoredBatch {
    StoredBatch {
        key: of.ids[0].0,
        batch: name,
        body_hash: [hash; 16],
        received: 2,
        accepted: 2,
        expires_at: name.received_at().plus_millis(KEPT),
    }
}

fn planned(groups: &[(SpooledGroup, Block)], known: &Known) -> Plan {
    let blocks = groups.iter().map(|(_, block)| (block.header.id, block.clone())).collect();
    let groups: Vec<SpooledGroup> = groups.iter().map(|(group, _)| group.clone()).collect();
    plan(&groups, blocks, known)
}

#[test]
fn what_nobody_knows_goes_as_it_is_with_its_ids() {
    let group = group(1, &[batch(0, 1, 1), batch(5, 2, 2)]);
    let plan = planned(std::slice::from_ref(&group), &everybody());
    assert_eq!(plan.blocks, [group.1]);
    assert_eq!((plan.batches.len(), plan.expired.len()), (2, 0));
    assert_eq!(plan.counted, Counted { drained: 4, ..Counted::default() });
}

#[test]
fn a_batch_stored_by_a_commit_of_ours_or_by_a_retry_is_left_out_of_its_block() {
    let (ours, retried, rest) = (batch(0, 1, 1), batch(1, 2, 2), batch(2, 3, 3));
    let group = group(1, &[ours.clone(), retried.clone(), rest.clone()]);
    let mut known = everybody();
    known.batches = vec![
        row(&ours.0, ours.0.batch, 1),
        // A minute later, through another instance; its time ran out long ago, but not when it was sent.
        row(&retried.0, BatchId::new(at(60_000)), 2),
    ];
    let plan = planned(std::slice::from_ref(&group), &known);
    let [block] = plan.blocks.as_slice() else { panic!("one block") };
    assert_eq!(block.header.id, derived_id(group.1.header.id));
    assert_eq!(block.header.event_count, 2);
    let raw = inflate_body(block.header.codec, block.header.raw_bytes, &block.body).expect("a body");
    assert_eq!(regroup(&raw).expect("events")[0].batch, rest.0.batch);
    assert_eq!(plan.batches.len(), 1);
    assert_eq!(plan.counted, Counted { drained: 2, stored_before: 4, ..Counted::default() });
}

#[test]
fn a_group_that_was_taken_over_is_known_by_its_block_as_it_was_or_rewritten() {
    let group = group(1, &[batch(0, 1, 1)]);
    for id in [group.1.header.id, derived_id(group.1.header.id)] {
        let mut known = everybody();
        known.blocks.insert(id);
        let plan = planned(std::slice::from_ref(&group), &known);
        assert!(plan.blocks.is_empty() && plan.batches.is_empty());
        assert_eq!(plan.counted.stored_before, 2);
    }
}

#[test]
fn an_id_with_another_body_is_no_reason_to_lose_what_was_acknowledged() {
    let spooled = batch(0, 1, 1);
    let group = group(1, std::slice::from_ref(&spooled));
    let mut known = everybody();
    known.batches = vec![row(&spooled.0, BatchId::new(at(1_000)), 9)];
    let plan = planned(&[group], &known);
    assert_eq!((plan.blocks.len(), plan.counted.drained), (1, 2));
    assert!(plan.batches.is_empty() && plan.expired.is_empty(), "the other keeps the id");
}

#[test]
fn an_id_that_had_run_out_is_taken_over_and_one_that_was_taken_later_is_left() {
    for (offset, taken_over) in [(-KEPT - 1, true), (KEPT + 1, false)] {
        let spooled = batch(0, 1, 1);
        let group = group(1, std::slice::from_ref(&spooled));
        let mut known = everybody();
        known.batches = vec![row(&spooled.0, BatchId::new(at(offset)), 1)];
        let plan = planned(&[group], &known);
        assert_eq!(plan.counted.drained, 2, "the same body at another time is another batch");
        assert_eq!(plan.expired, if taken_over { vec![[1; 20]] } else { vec![] });
        assert_eq!(plan.batches.len(), usize::from(taken_over));
    }
}

#[test]
fn of_two_batches_that_had_an_id_one_after_the_other_the_later_keeps_it() {
    let (early, late) = (batch(0, 1, 1), batch(KEPT + 1, 1, 1));
    let plan = planned(&[group(1, &[early]), group(2, std::slice::from_ref(&late))], &everybody());
    assert_eq!((plan.blocks.len(), plan.counted.drained), (2, 4));
    let [kept] = plan.batches.as_slice() else { panic!("one row for one id") };
    assert_eq!(kept.batch, late.0.batch);
}

#[test]
fn a_group_whose_events_are_in_a_merged_block_is_stored_already() {
    let (first, second) = (batch(0, 1, 1), batch(5, 2, 2));
    let mut known = everybody();
    known.merged.insert(second.0.batch);
    let plan = planned(&[group(1, &[first, second])], &known);
    assert_eq!((plan.blocks.len(), plan.batches.len(), plan.counted.stored_before), (0, 0, 4));
}

#[test]
fn who_has_gone_is_dropped_and_counted_by_why() {
    let group = group(1, &[batch(0, 1, 1)]);
    let mut known = everybody();
    known.senders.keys.clear();
    assert_eq!(planned(std::slice::from_ref(&group), &known).counted.key_revoked, 2);
    known.senders.projects.clear();
    let plan = planned(&[group], &known);
    assert_eq!((plan.counted.project_deleted, plan.blocks.len(), plan.batches.len()), (2, 0, 1));
    let told: Vec<_> = plan.ledger.iter().map(|row| (row.entry.name(), row.amount)).collect();
    assert_eq!(told, [("accepted".to_owned(), 2), ("deleted:project".to_owned(), 2)]);
}

#[test]
fn a_batch_that_was_dropped_is_neither_dropped_nor_counted_again() {
    let spooled = batch(0, 1, 1);
    let group = group(1, std::slice::from_ref(&spooled));
    let mut known = everybody();
    known.senders.keys.clear();
    let first = planned(std::slice::from_ref(&group), &known);
    assert_eq!((first.batches.len(), first.ledger.len()), (1, 2), "remembered under its id");
    known.batches = vec![row(&spooled.0, spooled.0.batch, 1)];
    let again = planned(&[group], &known);
    assert_eq!((again.counted.stored_before, again.ledger.len(), again.batches.len()), (2, 0, 0));
}

#[test]
fn a_batch_that_came_again_elsewhere_is_a_duplicate_and_one_of_our_own_is_not() {
    let spooled = batch(0, 1, 1);
    let group = group(1, std::slice::from_ref(&spooled));
    for (name, expected) in [(spooled.0.batch, vec![]), (BatchId::new(at(9)), vec![-2, 2])] {
        let mut known = everybody();
        known.batches = vec![row(&spooled.0, name, 1)];
        let plan = planned(std::slice::from_ref(&group), &known);
        assert_eq!(plan.duplicates.iter().map(|row| row.amount).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_block_with_a_flipped_bit_is_counted_and_its_batches_may_come_again() {
    let (group, mut block) = group(1, &[batch(0, 1, 1)]);
    block.body[9] ^= 1;
    let plan = planned(&[(group, block)], &everybody());
    assert_eq!((plan.counted.damaged, plan.blocks.len(), plan.batches.len()), (2, 0, 0));
}
