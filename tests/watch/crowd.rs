//! Much at once: a project says a few messages and one for the rest, and none waits behind another one.

use std::collections::BTreeMap;

use tekno_logger::alert::AlertKind;
use tekno_logger::event::Level;
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::issue::{IssueAction, IssueId};
use tekno_logger::store::{AlertState, MAX_WAITING_ALERTS, OutboxRow, STATEMENT_TIMEOUT};
use uuid::Uuid;

use crate::rules::make;
use crate::support::TestDatabase;
use crate::world::{MINUTE_MS, Said, World, at};
use crate::writer::project;

pub const CHANNELS: [(&str, &str); 5] = [
    ("DISCORD_WEBHOOK_URL", "https://discord.example.com/hook"),
    ("SLACK_WEBHOOK_URL", "https://slack.example.com/hook"),
    ("ALERT_WEBHOOK_URL", "https://hooks.example.com/hook"),
    ("ALERT_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
    ("PUBLIC_URL", "https://logs.example.com"),
];

async fn everywhere(environment: &[(&'static str, &'static str)], test: impl AsyncFn(&mut World)) {
    for database in TestDatabase::all().await {
        let mut world = World::with(database, None, environment).await;
        test(&mut world).await;
        world.end().await;
    }
}

/// How many issues a message is about.
fn issues(said: &Said) -> usize {
    let title = said.message.title.split_once(" more issue").map(|(number, _)| number.parse().unwrap());
    title.unwrap_or(1)
}

/// The issues that messages of a kind that began are about, added up.
async fn told(world: &World, kind: AlertKind) -> usize {
    world.of_kind(kind).await.0.iter().map(issues).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_issues_that_spike_at_once_are_two_messages_and_two_ends() {
    everywhere(&[], async |world| {
        for round in 0..3 {
            for issue in 100..140 {
                let count = if issue == 117 { 9 } else { 5 };
                world.store_events(world.shop, Level::Error, issue, count).await;
            }
            world.tick().await;
            let (began, _) = world.of_kind(AlertKind::Spike).await;
            assert_eq!(began.len(), 2, "round {round}: {began:?}");
            let (single, rest) = if began[0].message.issue.is_some() { (0, 1) } else { (1, 0) };
            let (single, rest) = (&began[single].message, &began[rest].message);
            assert_eq!(single.issue, Some(Fingerprint(117)), "the worst is named");
            assert_eq!((rest.title.as_str(), rest.count), ("39 more issues", Some(39 * 5)));
            assert!(rest.sample.as_deref().unwrap_or_default().contains("and 34 more"), "{rest:?}");
            world.sleep(MINUTE_MS);
        }
        world.wait(10 * MINUTE_MS).await;
        assert_eq!(world.counted(AlertKind::Spike).await, (2, 2));
        let (began, over) = world.of_kind(AlertKind::Spike).await;
        let threads = |said: &[Said]| {
            let mut threads: Vec<String> = said.iter().map(|one| one.message.thread()).collect();
            threads.sort();
            threads
        };
        assert_eq!(threads(&began), threads(&over));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_that_spike_one_after_the_other_are_few_messages_then_one_and_then_a_number() {
    everywhere(&[], async |world| {
        for issue in 100..108 {
            world.errors(issue, 5).await;
        }
        let (began, _) = world.of_kind(AlertKind::Spike).await;
        assert_eq!(began.len(), 4, "{began:?}");
        world.sleep(MINUTE_MS);
        for issue in 104..108 {
            world.store_events(world.shop, Level::Error, issue, 5).await;
        }
        world.tick().await;
        world.sleep(15 * MINUTE_MS);
        world.errors(200, 5).await;
        let (began, _) = world.of_kind(AlertKind::Spike).await;
        assert_eq!(
            (began.len(), began[4].message.suppressed),
            (5, 4),
            "what was held back is told, once a window"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_noisy_project_has_to_say_keeps_no_other_project_waiting() {
    everywhere(&[], async |world| {
        make(world, None, "query", &serde_json::json!({ "q": "disk", "n": 5 })).await;
        let mut others = Vec::new();
        for number in 0..12 {
            others.push(project(&world.store, &format!("p{number}"), 3).await);
        }
        for issue in 100..160 {
            world.store_events(world.shop, Level::Error, issue, 5).await;
        }
        for project_id in &others {
            world.store_events(*project_id, Level::Error, 100, 5).await;
        }
        // All of it in one fold; nothing comes after it.
        for _ in 0..4 {
            world.tick().await;
        }
        let mut kinds: BTreeMap<(i64, &str), usize> = BTreeMap::new();
        for said in world.said().await {
            *kinds.entry((said.message.project_id, said.message.kind.name())).or_default() += 1;
        }
        for project_id in &others {
            for kind in ["overflow_started", "new_issue", "spike", "custom"] {
                assert_eq!(kinds.get(&(*project_id, kind)), Some(&1), "{project_id} {kind}: {kinds:?}");
            }
        }
        for (kind, messages) in
            [("overflow_started", 1), ("new_issue", 1), ("spike", 2), ("custom", 1), ("error_rate", 1)]
        {
            assert_eq!(kinds.get(&(world.shop, kind)), Some(&messages), "{kind}: {kinds:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_thirty_issues_that_come_back_at_once_is_told() {
    everywhere(&[("PUBLIC_URL", "https://logs.example.com")], async |world| {
        for issue in 100..130 {
            world.store_events(world.shop, Level::Error, issue, 1).await;
        }
        world.tick().await;
        let first = world.of_kind(AlertKind::NewIssue).await.0.remove(0).message;
        assert!(first.sample.unwrap_or_default().contains("29 more issues are new"), "{:?}", first.title);
        let id = |issue| IssueId { project_id: world.shop, fingerprint: Fingerprint(issue) };
        let ids: Vec<IssueId> = (100..130).map(id).collect();
        let mut session = world.store.work().await.unwrap();
        session.change_issues(&ids, IssueAction::Resolve, at(world.now())).await.unwrap();
        drop(session);
        world.sleep(2 * MINUTE_MS);
        for issue in 100..130 {
            world.store_events(world.shop, Level::Error, issue, 1).await;
        }
        world.tick().await;
        let (began, _) = world.of_kind(AlertKind::Regression).await;
        assert_eq!(began.iter().map(issues).sum::<usize>(), 30, "{began:?}");
        assert_eq!(began.len(), 2);
        let rest = began.iter().find(|one| one.message.issue.is_none()).unwrap();
        assert_eq!(rest.message.title, "29 more issues");
        world.sleep(2 * MINUTE_MS);
        world.errors(100, 1).await;
        assert_eq!(told(world, AlertKind::Regression).await, 30, "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_issues_than_one_look_judges_none_is_left_out() {
    everywhere(&[], async |world| {
        let mut projects = Vec::new();
        for number in 0..110 {
            projects.push(project(&world.store, &format!("p{number}"), 3).await);
        }
        for (count, pause) in [(1, 20 * MINUTE_MS), (15, 0)] {
            for project_id in &projects {
                world.store_events(*project_id, Level::Error, 100, count).await;
            }
            // All of it in one fold; nothing comes after it.
            for _ in 0..8 {
                world.tick().await;
            }
            world.sleep(pause);
        }
        assert_eq!(told(world, AlertKind::Spike).await, 110);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_turn_at_a_stop_is_said_before_it_ends() {
    for database in TestDatabase::all().await {
        let mut world = World::with(database, None, &[]).await;
        for number in 0..60 {
            let project_id = project(&world.store, &format!("p{number}"), 3).await;
            world.store_events(project_id, Level::Error, 100, 5).await;
        }
        let stop = tokio_util::sync::CancellationToken::new();
        stop.cancel();
        let next = world.another().await;
        Box::pin(std::mem::replace(&mut world.one, next).fold.run(stop)).await;
        assert_eq!(told(&world, AlertKind::Spike).await, 60, "{}", world.database.name);
        world.end().await;
    }
}

/// Takes all places of the outbox, for a project that is gone.
async fn fill_outbox(world: &World) {
    let row = |number: usize| {
        let mut slot = [7; 32];
        slot[..8].copy_from_slice(&number.to_be_bytes());
        OutboxRow {
            id: Uuid::from_u128(u128::try_from(number).unwrap() + 1),
            slot,
            channel: "1".to_owned(),
            project_id: 99,
            rule: "spike".to_owned(),
            kind: "spike".to_owned(),
            title: "waits".to_owned(),
            message: "{}".to_owned(),
            state: AlertState::Waiting,
            detail: "",
        }
    };
    let rows: Vec<OutboxRow> = (0..MAX_WAITING_ALERTS).map(row).collect();
    let mut session = world.store.work().await.unwrap();
    assert_eq!(session.add_to_outbox(&rows, at(world.now())).await.unwrap().len(), MAX_WAITING_ALERTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_met_a_full_outbox_is_not_taken_for_said() {
    everywhere(&CHANNELS[..1], async |world| {
        fill_outbox(world).await;
        world.errors(107, 5).await;
        world.sleep(10_000);
        world.errors(107, 5).await;
        let lost =
            "SELECT 1 FROM alert_outbox WHERE state = 2 AND kind = 'spike' AND detail LIKE 'not sent%'";
        assert_eq!(world.database.rows(lost).await.len(), 1, "the history has it, once");
        let mut session = world.store.work().await.unwrap();
        let delete = "DELETE FROM alert_outbox WHERE project_id = 99".to_owned();
        session.change(delete, STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        world.sleep(10_000);
        world.errors(107, 1).await;
        let waiting = "SELECT message FROM alert_outbox WHERE state = 0 AND kind = 'spike'";
        let rows = world.database.rows(waiting).await;
        assert_eq!(rows.len(), 1, "it is said as soon as there is room");
        let message: serde_json::Value = serde_json::from_slice(&rows[0][0]).unwrap();
        assert_eq!((&message["count"], &message["suppressed"]), (&11.into(), &1.into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_outbox_an_end_of_which_nothing_is_said_is_over_and_others_wait_for_a_place() {
    everywhere(&CHANNELS[..1], async |world| {
        for project_id in [world.shop, project(&world.store, "quiet", 3).await] {
            world.store_events(project_id, Level::Error, 107, 5).await;
        }
        world.tick().await;
        world.set_outbox_state(1).await;
        let mut session = world.store.work().await.unwrap();
        let dead = format!("UPDATE alert_outbox SET state = 2 WHERE project_id <> {}", world.shop);
        session.change(dead, STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        fill_outbox(world).await;
        world.sleep(10 * MINUTE_MS);
        world.tick().await;
        let open = "SELECT 1 FROM open_alerts WHERE kind = 'spike'";
        assert_eq!(world.database.rows(open).await.len(), 1, "nobody ever heard of the other one");
        let mut session = world.store.work().await.unwrap();
        let delete = "DELETE FROM alert_outbox WHERE project_id = 99".to_owned();
        session.change(delete, STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        world.sleep(MINUTE_MS);
        world.tick().await;
        assert_eq!(world.database.rows(open).await.len(), 0, "there is room");
        let ends = "SELECT 1 FROM alert_outbox WHERE kind = 'spike' AND title LIKE 'Resolved%'";
        assert_eq!(world.database.rows(ends).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_a_minute_ago_is_not_among_the_rest_whoever_said_it() {
    for is_new in [false, true] {
        everywhere(&[], async |world| {
            for issue in 100..103 {
                world.errors(issue, 5).await;
            }
            assert_eq!(told(world, AlertKind::Spike).await, 3);
            if is_new {
                world.restart().await;
            }
            world.sleep(MINUTE_MS);
            for issue in 100..103 {
                world.store_events(world.shop, Level::Error, issue, 5).await;
            }
            for issue in 200..207 {
                world.store_events(world.shop, Level::Error, issue, 20).await;
            }
            world.tick().await;
            assert_eq!(told(world, AlertKind::Spike).await, 10, "each once");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_turn_is_not_said_once_it_is_muted_or_deleted_or_its_rule_off() {
    everywhere(&[], async |world| {
        let mut projects = Vec::new();
        for number in 0..60 {
            let project_id = project(&world.store, &format!("p{number}"), 3).await;
            world.store_events(project_id, Level::Error, 100, 5).await;
            projects.push(project_id);
        }
        world.one.fold.tick(false).await.unwrap();
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        assert_eq!(spikes.len(), 0, "overflows and new issues come first");
        let id = IssueId { project_id: projects[0], fingerprint: Fingerprint(100) };
        let until = at(world.now() + 60 * MINUTE_MS);
        let mut session = world.store.work().await.unwrap();
        session.change_issues(&[id], IssueAction::MuteUntil(until), at(world.now())).await.unwrap();
        drop(session);
        assert!(world.store.hide_project(projects[1], at(world.now())).await.unwrap());
        make(world, Some(projects[2]), "spike", &serde_json::json!({ "n": 50 })).await;
        for _ in 0..5 {
            world.tick().await;
        }
        let spikes = world.of_kind(AlertKind::Spike).await.0;
        let said: Vec<i64> = spikes.iter().map(|one| one.message.project_id).collect();
        assert!(projects[..3].iter().all(|project_id| !said.contains(project_id)), "{said:?}");
        assert_eq!(said.len(), 57);
    })
    .await;
}
