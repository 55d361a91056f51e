use std::sync::Mutex;

use super::*;

type Log = Arc<Mutex<Vec<&'static str>>>;

fn short_bounds() -> StopBounds {
    let bound = Duration::from_millis(20);
    StopBounds { serve: bound, write: bound, drain: bound, fold: bound, background: bound }
}

fn note(log: &Log, line: &'static str) {
    log.lock().expect("no panic under the lock").push(line);
}

/// A task that ends when its stage is asked to stop.
fn obedient(lifecycle: &Lifecycle, stage: Stage, name: &'static str, log: &Log) {
    let (stop, log) = (lifecycle.stop_token(stage), log.clone());
    lifecycle.spawn(stage, name, async move {
        stop.cancelled().await;
        tokio::task::yield_now().await;
        note(&log, name);
    });
}

#[tokio::test]
async fn stages_stop_in_order_and_each_waits_for_the_one_before() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    let log = Log::default();
    obedient(&lifecycle, Stage::Background, "background", &log);
    obedient(&lifecycle, Stage::Fold, "fold", &log);
    obedient(&lifecycle, Stage::Write, "writer one", &log);
    obedient(&lifecycle, Stage::Write, "writer two", &log);
    obedient(&lifecycle, Stage::Serve, "server", &log);
    lifecycle.trigger().stop();
    assert_eq!(lifecycle.run().await, ExitOutcome::Clean);
    let mut order = log.lock().expect("no panic under the lock").clone();
    order[1..3].sort_unstable();
    assert_eq!(order, ["server", "writer one", "writer two", "fold", "background"]);
}

#[tokio::test]
async fn a_task_that_panics_stops_the_others_in_order_and_fails_the_exit() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    let log = Log::default();
    obedient(&lifecycle, Stage::Write, "writer", &log);
    obedient(&lifecycle, Stage::Serve, "server", &log);
    lifecycle.spawn(Stage::Fold, "fold", async { assert!(std::hint::black_box(false), "on purpose") });
    let outcome = lifecycle.run().await;
    assert_eq!(outcome, ExitOutcome::TaskDied { task: "fold", cause: "panicked".to_owned() });
    assert_eq!(outcome.code(), 1);
    assert_eq!(*log.lock().expect("no panic under the lock"), ["server", "writer"]);
}

#[tokio::test]
async fn a_task_that_ends_before_it_was_asked_to_is_a_death() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    lifecycle.spawn(Stage::Background, "purge", async {});
    let outcome = lifecycle.run().await;
    assert_eq!(outcome, ExitOutcome::TaskDied { task: "purge", cause: "ended early".to_owned() });
}

#[tokio::test]
async fn a_task_that_fails_while_stopping_is_a_death() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    let stop = lifecycle.stop_token(Stage::Write);
    lifecycle.spawn(Stage::Write, "writer", async move {
        stop.cancelled().await;
        Err::<(), _>("the last flush failed")
    });
    lifecycle.trigger().stop();
    let outcome = lifecycle.run().await;
    assert_eq!(outcome, ExitOutcome::TaskDied { task: "writer", cause: "the last flush failed".to_owned() });
}

#[tokio::test]
async fn a_stage_that_hangs_is_dropped_at_its_bound_and_the_next_still_gets_its_turn() {
    let lifecycle = Lifecycle::new(short_bounds());
    let log = Log::default();
    lifecycle.spawn(Stage::Serve, "server", std::future::pending::<()>());
    obedient(&lifecycle, Stage::Write, "writer", &log);
    lifecycle.trigger().stop();
    let outcome = lifecycle.run().await;
    assert_eq!(outcome, ExitOutcome::CutShort(vec![Stage::Serve]));
    assert_eq!(outcome.code(), 1);
    assert_eq!(*log.lock().expect("no panic under the lock"), ["writer"]);
}

#[tokio::test]
async fn a_second_signal_stops_without_waiting() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    let trigger = lifecycle.trigger();
    let stop = lifecycle.stop_token(Stage::Serve);
    lifecycle.spawn(Stage::Serve, "server", {
        let trigger = trigger.clone();
        async move {
            stop.cancelled().await;
            trigger.signalled();
            std::future::pending::<()>().await;
        }
    });
    let log = Log::default();
    obedient(&lifecycle, Stage::Write, "writer", &log);
    trigger.signalled();
    assert!(trigger.stopping().is_cancelled());
    let ran = tokio::time::timeout(Duration::from_secs(3), lifecycle.run()).await;
    let dropped = vec![Stage::Serve, Stage::Write];
    assert_eq!(ran.expect("long before the bounds"), ExitOutcome::CutShort(dropped));
    assert!(log.lock().expect("no panic under the lock").is_empty());
}

#[tokio::test]
async fn a_dropped_task_releases_what_it_holds() {
    let lifecycle = Lifecycle::new(short_bounds());
    let held = Arc::new(());
    lifecycle.spawn(Stage::Background, "holder", {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    });
    lifecycle.trigger().stop();
    assert_eq!(lifecycle.run().await, ExitOutcome::CutShort(vec![Stage::Background]));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn nothing_to_stop_is_a_clean_exit() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    lifecycle.listen_for_signals().expect("handlers install");
    lifecycle.trigger().stop();
    let outcome = lifecycle.run().await;
    assert_eq!((outcome.code(), outcome), (0, ExitOutcome::Clean));
}

#[tokio::test]
async fn a_sigterm_asks_for_an_orderly_stop() {
    let lifecycle = Lifecycle::new(StopBounds::default());
    let log = Log::default();
    obedient(&lifecycle, Stage::Write, "writer", &log);
    lifecycle.listen_for_signals().expect("handlers install");
    let pid = std::process::id().to_string();
    let kill = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill runs").success());
    assert_eq!(lifecycle.run().await, ExitOutcome::Clean);
    assert_eq!(*log.lock().expect("no panic under the lock"), ["writer"]);
}
