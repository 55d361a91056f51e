use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;

const A: CallerId = CallerId::Project(1);
const B: CallerId = CallerId::Project(2);

type Waiting = BoxFuture<'static, Result<Turn, NoTurn>>;

/// Asks, and gets in line if it has to wait.
fn ask(turns: &Turns, caller: CallerId) -> Waiting {
    let turns = turns.clone();
    let mut waiting = async move { turns.acquire(caller, TURN_WAIT).await }.boxed();
    let at_once = (&mut waiting).now_or_never();
    match at_once {
        Some(turn) => std::future::ready(turn).boxed(),
        None => waiting,
    }
}

fn turn(waiting: &mut Waiting) -> Option<Turn> {
    waiting.now_or_never().map(|turn| turn.expect("a turn"))
}

#[tokio::test]
async fn one_callers_many_searches_delay_anothers_by_one() {
    let turns = Turns::new(2);
    let (first, second) = (turn(&mut ask(&turns, A)), turn(&mut ask(&turns, A)));
    assert!(first.is_some() && second.is_some());
    let mut many: Vec<Waiting> = (0..10).map(|_| ask(&turns, A)).collect();
    let (mut other, mut another) = (ask(&turns, B), ask(&turns, B));
    assert!(turn(&mut other).is_none() && turns.waiting() == 12);
    drop(first);
    let other = turn(&mut other);
    assert!(other.is_some(), "who has none comes first");
    drop(second);
    // Both have had a turn now; B has one, A has none.
    assert!(turn(&mut another).is_none());
    let third = turn(&mut many[0]);
    assert!(third.is_some());
    drop(other);
    assert!(turn(&mut another).is_some_and(|turn| turn.caller == B));
    drop((third, many));
    assert_eq!((turns.waiting(), turns.free()), (0, 2));
}

#[tokio::test]
async fn a_caller_is_served_in_the_order_it_asked() {
    let turns = Turns::new(1);
    let held = turn(&mut ask(&turns, A));
    let mut waiting: Vec<Waiting> = (0..3).map(|_| ask(&turns, A)).collect();
    drop(held);
    for place in 0..3 {
        assert!(waiting[place + 1..].iter_mut().all(|later| turn(later).is_none()));
        assert!(turn(&mut waiting[place]).is_some());
    }
    assert_eq!(turns.free(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_turn_or_its_place_to_the_next() {
    let turns = Turns::new(1);
    let held = turn(&mut ask(&turns, A));
    let (waits, called, mut last) = (ask(&turns, A), ask(&turns, B), ask(&turns, B));
    drop(waits);
    // Called, but gone before it heard so.
    drop(held);
    assert_eq!(turns.free(), 0);
    drop(called);
    assert!(turn(&mut last).is_some());
    assert_eq!((turns.free(), turns.waiting()), (1, 0));
}

#[tokio::test]
async fn only_so_many_wait() {
    let turns = Turns::new(1);
    let _held = turn(&mut ask(&turns, A));
    let _places: Vec<Waiting> = (0..MAX_WAITING_EACH).map(|_| ask(&turns, A)).collect();
    assert_eq!(ask(&turns, A).await.err(), Some(NoTurn), "of one caller");
    let others = i64::try_from(MAX_WAITING - MAX_WAITING_EACH).expect("a small number");
    let _others: Vec<Waiting> = (0..others).map(|other| ask(&turns, CallerId::Project(other + 10))).collect();
    assert_eq!(ask(&turns, CallerId::Project(7)).await.err(), Some(NoTurn), "in all");
    assert_eq!(turns.waiting(), MAX_WAITING);
}

#[tokio::test]
async fn a_wait_has_its_end() {
    let turns = Turns::new(1);
    let held = turn(&mut ask(&turns, A));
    assert_eq!(turns.acquire(B, Duration::from_millis(5)).await.err(), Some(NoTurn));
    assert_eq!(turns.waiting(), 0);
    drop(held);
    assert_eq!(turns.free(), 1);
}
