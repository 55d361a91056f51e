//! The queue under many senders and two slots: nobody is forgotten, nobody waits for a wake-up that was lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{BatchKeys, Submission, WriteOutcome, WriteQueue};
use crate::block::encode::BatchEncoder;
use crate::event::{BatchId, Event, Level};
use crate::memory::{Budget, Reservation};
use crate::outcome::Outcomes;
use crate::timestamp::Timestamp;

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn event(index: u32) -> Event<'static> {
    Event::plain(index, Timestamp::from_millis(1), Level::Info, "m")
}

async fn room() -> Reservation {
    Budget::new(10).reserve(1, Duration::ZERO).await.expect("an empty budget has room")
}

async fn submission(number: u32, events: u32) -> (Submission, oneshot::Receiver<WriteOutcome>) {
    let (reply, outcome) = oneshot::channel();
    let batch = BatchId::new(Timestamp::from_millis(1));
    let mut encoder = BatchEncoder::new(batch);
    (0..events).for_each(|index| encoder.push(&event(index)));
    let mut key = [0; 20];
    key[..4].copy_from_slice(&number.to_be_bytes());
    let submission = Submission {
        project_id: 1,
        keys: BatchKeys { keys: vec![key], sender: None, expires_at: Timestamp::from_millis(2) },
        body_hash: [0; 16],
        batch,
        received: events,
        parts: vec![encoder.finish()],
        titles: Vec::new(),
        room: room().await,
        fate: Outcomes::default().arrival(None, batch.received_at()).read(events, events, Vec::new()),
        reply,
    };
    (submission, outcome)
}

/// Takes groups and answers them until the queue is closed and empty, as a slot does; some commits take a moment.
async fn slot(queue: Arc<WriteQueue>) -> Vec<u32> {
    let mut seen = Vec::new();
    while let Some(group) = queue.gather().await {
        let (since, batches) = (Instant::now(), group.len());
        assert!(batches > 0, "a group has something in it");
        if seen.len() % 3 == 0 {
            tokio::task::yield_now().await;
        }
        for one in group {
            seen.push(u32::from_be_bytes(one.keys.keys[0][..4].try_into().expect("four bytes")));
            one.answer(WriteOutcome::Stored);
        }
        queue.group_done(since, batches);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_sender_is_answered_once_and_none_waits_for_a_lost_wake_up() {
    const SENDERS: u32 = 16;
    const EACH: u32 = 500;
    let queue = Arc::new(WriteQueue::default());
    let slots = [tokio::spawn(slot(queue.clone())), tokio::spawn(slot(queue.clone()))];
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let (submission, outcome) = submission(sender * EACH + number, 1).await;
                    queue.push(submission).expect("the queue is open");
                    // Each waits before it sends on, so that a sender nobody wakes stops everything.
                    let outcome = timeout(PATIENCE, outcome).await.expect("an answer in time");
                    assert_eq!(outcome, Ok(WriteOutcome::Stored));
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("every sender is answered");
    }
    queue.close();
    let mut seen = Vec::new();
    for slot in slots {
        seen.extend(timeout(PATIENCE, slot).await.expect("a closed queue ends its slots").expect("no panic"));
    }
    let distinct: HashSet<u32> = seen.iter().copied().collect();
    assert_eq!((seen.len(), distinct.len()), ((SENDERS * EACH) as usize, (SENDERS * EACH) as usize));
}

#[tokio::test]
async fn a_batch_waits_for_the_running_commit_and_a_full_block_does_not() {
    let queue = Arc::new(WriteQueue::default());
    queue.push(submission(1, 1).await.0).expect("open");
    let running = queue.gather().await.expect("something waits");
    assert_eq!(running.len(), 1);
    queue.push(submission(2, 1).await.0).expect("open");
    let mut waiting = Box::pin(queue.gather());
    assert!(futures_util::poll!(waiting.as_mut()).is_pending(), "one small batch waits for company");
    for number in 3..12 {
        queue.push(submission(number, 250).await.0).expect("open");
    }
    let full = timeout(PATIENCE, waiting).await.expect("a full block goes at once").expect("something waits");
    assert_eq!(full.len(), 10);
}

#[tokio::test]
async fn what_waits_behind_a_commit_is_taken_when_that_ends_also_after_a_close() {
    let queue = Arc::new(WriteQueue::default());
    queue.push(submission(1, 1).await.0).expect("open");
    let running = queue.gather().await.expect("something waits");
    queue.push(submission(2, 1).await.0).expect("open");
    queue.close();
    assert!(queue.push(submission(3, 1).await.0).is_err(), "a closed queue takes nothing");
    let mut waiting = Box::pin(queue.gather());
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    queue.group_done(Instant::now(), running.len());
    let rest = timeout(PATIENCE, waiting).await.expect("it is woken").expect("something waits");
    assert_eq!(rest.len(), 1);
    queue.group_done(Instant::now(), 1);
    assert!(timeout(PATIENCE, queue.gather()).await.expect("it ends").is_none());
    assert!(timeout(PATIENCE, queue.gather()).await.expect("the other slot ends too").is_none());
}

#[tokio::test]
async fn a_slot_that_is_dropped_while_it_gathers_stands_in_nobodys_way() {
    let queue = Arc::new(WriteQueue::default());
    let mut dropped = Box::pin(queue.gather());
    assert!(futures_util::poll!(dropped.as_mut()).is_pending());
    let mut other = Box::pin(queue.gather());
    assert!(futures_util::poll!(other.as_mut()).is_pending(), "the first has the gate");
    // The wake-up goes to the first, which is dropped before it looks.
    queue.push(submission(1, 1).await.0).expect("open");
    drop(dropped);
    let group = timeout(PATIENCE, other).await.expect("the other takes over").expect("something waits");
    assert_eq!(group.len(), 1);
}

#[tokio::test]
async fn a_group_is_bounded_and_a_batch_larger_than_that_goes_alone() {
    let queue = WriteQueue::default();
    queue.push(submission(0, 20_000).await.0).expect("open");
    for number in 1..=100 {
        queue.push(submission(number, 250).await.0).expect("open");
    }
    let first = queue.gather().await.expect("something waits");
    assert_eq!(first.len(), 1);
    let second = queue.gather().await.expect("something waits");
    let events: u32 = second.iter().map(Submission::accepted).sum();
    assert_eq!(events, 16_000, "eight blocks of 2,000");
    assert_eq!(queue.depth(), 100 - second.len());
}
