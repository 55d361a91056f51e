//! A database that is silent instead of gone, and a disk that is full.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::load::{Answer, Batch, Dice, Ledger, send, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::Rig;
use crate::watch::drained;

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_costs_no_memory_and_what_is_answered_with_200_is_stored() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("frozen");
    let instance = rig.start_ready().await;
    let project = instance.client.project("frozen").await;
    let ledger = Ledger::default();
    let warm = ledger.note(Batch::new("warm", 1, 10, &mut dice));
    send_until_stored(&instance.client, &project, &warm, PATIENCE).await;
    ledger.acknowledge(&warm);
    let batches: Vec<Arc<Batch>> =
        (0..200).map(|number| ledger.note(Batch::new(&format!("f{number}"), 40, 4_700, &mut dice))).collect();
    rig.private().freeze();
    let mut sending = Vec::new();
    for batch in &batches {
        let (client, project, batch) = (instance.client.clone(), project.clone(), batch.clone());
        sending.push(tokio::spawn(async move { send(&client, &project, &batch).await }));
    }
    let (mut stored, mut slowest) = (0, Duration::ZERO);
    for (one, batch) in sending.into_iter().zip(&batches) {
        let Answer::Status(status, body, _, took) = one.await.unwrap() else { panic!("an answer") };
        assert!(matches!(status, 200 | 503), "{status} {body}");
        slowest = slowest.max(took);
        if status == 200 {
            stored += 1;
            ledger.acknowledge(batch);
        }
    }
    println!("{stored} of {} stored, slowest {slowest:?}", batches.len());
    assert!(slowest < Duration::from_secs(6), "{slowest:?}");
    assert!(stored >= 50, "only {stored} of {} were taken while it was frozen", batches.len());
    let peak = instance.process.peak_memory() >> 20;
    println!("peak memory {peak} MiB");
    // 117 to 129 in runs of a development build; 115 without a spool. The goal is 128.
    assert!(peak <= 144, "{peak} MiB");
    rig.private().thaw();
    drained(&instance.client).await;
    ledger.check(&rig, &instance.client, &project).await;
}

/// A small file system of memory, gone with the test; `None` where one can't be had.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn at(path: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        let _ = writeln!(std::io::stderr(), "SKIPPED, no right to mount: a full disk under the spool");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_spool_is_503_and_heals_when_space_returns() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let folder = rig.directory.path().join("data");
    let Some(_disk) = SmallDisk::at(folder.clone()) else { return };
    let mut dice = Dice::new("full disk");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("disk").await;
    let ledger = Ledger::default();
    let first = ledger.note(Batch::new("first", 1, 10, &mut dice));
    crate::watch::take_away(&rig, &instance.client, &project, &first).await;
    ledger.acknowledge(&first);
    // Somebody else fills the disk.
    let filler = folder.join("filler");
    let mut room = 4096 * 1024;
    let mut file = std::fs::File::create(&filler).unwrap();
    while room > 0 {
        room = if file.write_all(&vec![7; room]).is_ok() { room } else { room / 2 };
    }
    drop(file);
    for number in 0..5 {
        let batch = ledger.note(Batch::new(&format!("full{number}"), 40, 900, &mut dice));
        let Answer::Status(status, body, retry, _) = send(&instance.client, &project, &batch).await else {
            panic!("an answer")
        };
        assert_eq!((status, &body["code"]), (503, &"storage_unavailable".into()), "{body}");
        assert!(retry.is_some());
    }
    assert!(instance.process.is_alive());
    std::fs::remove_file(filler).unwrap();
    let after = ledger.note(Batch::new("after", 40, 900, &mut dice));
    crate::watch::spooled(&instance.client, &project, &after).await;
    ledger.acknowledge(&after);
    crate::watch::give_back(&rig, &instance.client).await;
    ledger.check(&rig, &instance.client, &project).await;
}
