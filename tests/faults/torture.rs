//! The long run: kills of the service at random points under load, with every fault of database and network beside
//! them, and then every event asked for.
//!
//! CI does ten kills. `scripts/torture` does 200 on the released binary, and more when told to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::load::{Dice, Load, Project};
use crate::process::{PATIENCE, until};
use crate::proxy::Way;
use crate::rig::{Database, Instance, Rig};

/// Kills of a run in CI.
const KILLS: usize = 10;
/// Acknowledged events between two kills.
const EVENTS_BETWEEN: usize = 500;
/// Longest until the spool is empty once the database is well: a connection that went silent inside a transaction
/// keeps its locks for up to 40 s.
const DRAINED: Duration = Duration::from_mins(2);
/// Longest until so many events are acknowledged after a fault, for the same reason.
const RECOVERY: Duration = Duration::from_mins(1);

/// What happens to the database, or to the way there, around a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Nothing,
    /// Commits that happen, with their answers lost.
    LostAnswers,
    /// A connection cut after a random number of bytes.
    Cut,
    /// Connections that pass nothing more and aren't closed.
    BlackHole,
    /// One commit that never arrives, its transaction left open.
    SilentCommit,
    Refused,
    Slow,
    Frozen,
    Killed,
}

/// Each as often as it stands here.
const FAULTS: [Fault; 20] = [
    Fault::Nothing,
    Fault::Nothing,
    Fault::Nothing,
    Fault::LostAnswers,
    Fault::LostAnswers,
    Fault::LostAnswers,
    Fault::LostAnswers,
    Fault::Cut,
    Fault::Cut,
    Fault::Cut,
    Fault::Cut,
    Fault::BlackHole,
    Fault::SilentCommit,
    Fault::Refused,
    Fault::Refused,
    Fault::Slow,
    Fault::Slow,
    Fault::Frozen,
    Fault::Frozen,
    Fault::Killed,
];

impl Fault {
    fn begin(self, rig: &mut Rig, dice: &mut Dice) {
        let proxy = rig.proxy();
        match self {
            Self::Nothing => {}
            Self::LostAnswers => proxy.swallow_commits(1 + usize::try_from(dice.below(4)).unwrap()),
            Self::Cut => {
                let way = if dice.below(2) == 0 { Way::Up } else { Way::Down };
                let bytes = if way == Way::Up { dice.below(20_000) } else { dice.below(300) };
                proxy.cut_after(way, i64::try_from(bytes).unwrap());
            }
            Self::BlackHole => proxy.stall(dice.below(2) == 0),
            Self::SilentCommit => proxy.stall_at_commit(),
            Self::Refused => proxy.refuse(),
            Self::Slow => {
                proxy.delay(Way::Up, Duration::from_millis(dice.below(30)));
                proxy.delay(Way::Down, Duration::from_millis(dice.below(30)));
            }
            Self::Frozen => rig.private().freeze(),
            Self::Killed => server(rig).kill(),
        }
    }

    async fn end(self, rig: &mut Rig) {
        let proxy = rig.proxy();
        match self {
            Self::Nothing | Self::Cut | Self::SilentCommit => {}
            Self::LostAnswers => proxy.swallow_commits(0),
            Self::BlackHole => proxy.pass_new(),
            Self::Refused => proxy.listen().await,
            Self::Slow => {
                proxy.delay(Way::Up, Duration::ZERO);
                proxy.delay(Way::Down, Duration::ZERO);
            }
            Self::Frozen => rig.private().thaw(),
            Self::Killed => server(rig).launch(&[]).await,
        }
    }
}

fn server(rig: &mut Rig) -> &mut crate::server::PrivateServer {
    let Database::Server { server, .. } = &mut rig.database else { panic!("there is no server") };
    server
}

/// A run: the first half of the kills without a spool, the second half with one.
struct Torture {
    rig: Rig,
    dice: Dice,
    instance: Instance,
    project: Project,
    load: Load,
    faults: BTreeMap<Fault, usize>,
    most_memory: u64,
    kills: usize,
}

impl Torture {
    async fn start(mut dice: Dice, senders: usize) -> Option<Self> {
        let rig = Rig::server(&[]).await?;
        let instance = rig.start_ready().await;
        let project = instance.client.project("torture").await;
        let load = Load::start(senders, &project, vec![instance.client.clone()], &mut dice);
        let faults = BTreeMap::new();
        Some(Self { rig, dice, instance, project, load, faults, most_memory: 0, kills: 0 })
    }

    async fn round(&mut self, spool: bool) {
        let fault = FAULTS[usize::try_from(self.dice.below(FAULTS.len() as u64)).unwrap()];
        *self.faults.entry(fault).or_default() += 1;
        fault.begin(&mut self.rig, &mut self.dice);
        self.pause(400).await;
        self.kill();
        self.rig.set("SPOOL_MAX_BYTES", if spool { "268435456" } else { "0" });
        // With a spool it has to go on while the fault lasts; without, only after it.
        let late = spool && self.dice.below(2) == 0;
        if !late {
            fault.end(&mut self.rig).await;
        }
        self.restart().await;
        if self.dice.below(5) == 0 {
            // Once more, while it starts, drains and counts.
            self.pause(100).await;
            self.kill();
            self.restart().await;
        }
        if late {
            self.load.acknowledged_more(EVENTS_BETWEEN / 2, RECOVERY).await;
            fault.end(&mut self.rig).await;
        }
        self.load.acknowledged_more(EVENTS_BETWEEN, RECOVERY).await;
    }

    async fn pause(&mut self, most_millis: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.below(most_millis))).await;
    }

    fn kill(&mut self) {
        self.most_memory = self.most_memory.max(self.instance.process.peak_memory());
        self.instance.process.kill();
        self.kills += 1;
    }

    async fn restart(&mut self) {
        self.instance = self.rig.start().await;
        self.load.retarget(vec![self.instance.client.clone()]);
    }

    /// Waits until all is at rest, then asks for every event.
    async fn end(mut self) -> usize {
        let slowest = self.load.stop().await;
        let client = &self.instance.client;
        client.ready(PATIENCE).await;
        until("the spool is drained", DRAINED, async || {
            client.get("/readyz").await.1["spool"]["blocks"].as_i64().unwrap_or(0) == 0
        })
        .await;
        let acknowledged = self.load.ledger.acknowledged();
        let checked = Instant::now();
        let stored = self.load.ledger.check(&self.rig, client, &self.project).await;
        println!(
            "{} kills beside {:?}: {acknowledged} events acknowledged, {stored} stored, {} answers were 503, the \
             slowest took {slowest:?}, most memory {} MiB",
            self.kills,
            self.faults,
            self.load.refused(),
            self.most_memory >> 20,
        );
        println!(
            "0 lost, 0 doubled, 0 altered, 0 invented; counts and issues are exact (checked in {:?})",
            checked.elapsed()
        );
        acknowledged
    }
}

async fn torture(kills: usize, senders: usize) -> Option<usize> {
    let mut torture = Torture::start(Dice::new("torture"), senders).await?;
    torture.load.acknowledged_more(EVENTS_BETWEEN, PATIENCE).await;
    while torture.kills < kills {
        let spool = torture.kills >= kills / 2;
        torture.round(spool).await;
        if torture.kills % 10 == 0 {
            println!("{} kills, {} events acknowledged", torture.kills, torture.load.ledger.acknowledged());
        }
    }
    Some(torture.end().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_faults_at_random_lose_double_alter_and_invent_nothing() {
    torture(KILLS, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes; scripts/torture runs it"]
async fn many_kills_and_faults_lose_double_alter_and_invent_nothing() {
    let kills = std::env::var("TORTURE_KILLS").ok().map_or(200, |text| text.parse().unwrap());
    let Some(acknowledged) = torture(kills, 8).await else { panic!("mariadbd is not installed") };
    assert!(acknowledged >= kills * EVENTS_BETWEEN, "{acknowledged} events show little");
}
