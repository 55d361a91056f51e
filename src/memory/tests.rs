use super::*;

const NOW: Duration = Duration::ZERO;

#[tokio::test]
async fn a_reservation_takes_its_bytes_and_gives_them_back() {
    let budget = Budget::new(100);
    let held = budget.reserve(60, NOW).await.expect("room");
    assert_eq!((budget.used(), held.bytes()), (60, 60));
    assert_eq!(budget.reserve(41, NOW).await.err(), Some(Exhausted::Busy));
    drop(held);
    assert_eq!(budget.used(), 0);
    assert_eq!(budget.peak(), 60);
    assert!(budget.reserve(100, NOW).await.is_ok());
}

#[tokio::test]
async fn more_than_the_whole_budget_is_refused_at_once() {
    let budget = Budget::new(100);
    assert_eq!(budget.reserve(101, Duration::MAX).await.err(), Some(Exhausted::TooLarge));
    assert_eq!(budget.reserve(usize::MAX, Duration::MAX).await.err(), Some(Exhausted::TooLarge));
    let mut held = budget.reserve(60, NOW).await.expect("room");
    assert_eq!(held.grow(41, Duration::MAX).await, Err(Exhausted::TooLarge));
    assert_eq!(held.grow(usize::MAX, Duration::MAX).await, Err(Exhausted::TooLarge));
    assert_eq!(held.bytes(), 60);
}

#[tokio::test]
async fn an_empty_reservation_never_waits() {
    let budget = Budget::new(10);
    let _all = budget.reserve(10, NOW).await.expect("room");
    assert_eq!(budget.reserve(0, NOW).await.expect("nothing needs no room").bytes(), 0);
}

#[tokio::test]
async fn growing_shrinking_and_splitting_keep_the_sum() {
    let budget = Budget::new(100);
    let mut held = budget.reserve(10, NOW).await.expect("room");
    held.grow(50, NOW).await.expect("room");
    let part = held.split(20);
    assert_eq!((held.bytes(), part.bytes(), budget.used()), (40, 20, 60));
    held.shrink_to(5);
    assert_eq!((held.bytes(), budget.used()), (5, 25));
    held.shrink_to(50);
    assert_eq!(held.bytes(), 5, "shrinking never grows");
    let rest = held.split(1000);
    assert_eq!((held.bytes(), rest.bytes()), (0, 5), "a part is at most the whole");
    drop((held, rest));
    assert_eq!(budget.used(), 20);
    drop(part);
    assert_eq!((budget.used(), budget.peak()), (0, 60));
}

#[tokio::test]
async fn one_who_waits_gets_the_room_that_comes_free() {
    let budget = Budget::new(100);
    let held = budget.reserve(80, NOW).await.expect("room");
    let waiter = tokio::spawn({
        let budget = budget.clone();
        async move { budget.reserve(50, Duration::from_secs(1)).await }
    });
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(waiter.await.expect("no panic").expect("room came free").bytes(), 50);
}

#[tokio::test]
async fn the_first_to_ask_is_served_before_a_smaller_one_behind_it() {
    let budget = Budget::new(100);
    let held = budget.reserve(80, NOW).await.expect("room");
    let first = tokio::spawn({
        let budget = budget.clone();
        async move { budget.reserve(60, Duration::from_secs(1)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(budget.reserve(15, NOW).await.err(), Some(Exhausted::Busy), "it may not pass the first");
    drop(held);
    assert!(first.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn holders_that_all_want_to_grow_end_within_their_wait() {
    let budget = Budget::new(100);
    let mut left = budget.reserve(50, NOW).await.expect("room");
    let mut right = budget.reserve(50, NOW).await.expect("room");
    let wait = Duration::from_millis(5);
    let (left_grew, right_grew) = tokio::join!(left.grow(10, wait), right.grow(10, wait));
    assert_eq!((left_grew, right_grew), (Err(Exhausted::Busy), Err(Exhausted::Busy)));
    assert_eq!((left.bytes(), right.bytes(), budget.used()), (50, 50, 100), "what was held stays held");
    drop(left);
    assert_eq!(right.grow(50, NOW).await, Ok(()), "the room of one serves the other");
}

#[tokio::test]
async fn a_waiter_that_gives_up_leaves_no_bytes_behind() {
    let budget = Budget::new(100);
    let held = budget.reserve(80, NOW).await.expect("room");
    assert_eq!(budget.reserve(50, Duration::from_millis(5)).await.err(), Some(Exhausted::Busy));
    drop(held);
    assert_eq!(budget.used(), 0);
    assert!(budget.reserve(100, NOW).await.is_ok());
}

#[tokio::test]
async fn growth_leaves_what_is_kept_back_to_those_that_start() {
    let budget = Budget::keeping_back(100, 30);
    let mut large = budget.reserve(5, NOW).await.expect("room");
    assert_eq!(large.grow(71, Duration::MAX).await, Err(Exhausted::TooLarge));
    large.grow(60, NOW).await.expect("room to grow");
    let mut other = budget.reserve(5, NOW).await.expect("room");
    assert_eq!(other.grow(11, NOW).await, Err(Exhausted::Busy));
    other.grow(10, NOW).await.expect("all that is left to grow into");
    let small = budget.reserve(20, NOW).await.expect("room to start");
    assert_eq!(budget.used(), 100);
    assert_eq!(other.extend(1, NOW).await, Err(Exhausted::Busy));
    large.shrink_to(64);
    other.extend(1, NOW).await.expect("also into what is kept back");
    large.shrink_to(5);
    drop(small);
    assert_eq!(budget.used(), 21);
    other.grow(60, NOW).await.expect("what was grown is given back first");
    drop((large, other));
    assert_eq!(budget.used(), 0);
}
