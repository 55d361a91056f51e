//! A disk under the spool that is full, or can't be written.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::{Answer, Batch, Dice, Ledger, send};
use crate::process::PATIENCE;
use crate::rig::Rig;
use crate::skip::skip;

/// A small file system of memory, gone with the test; `None` where one can't be had.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn at(path: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        skip("a full disk under the spool", "no right to mount");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
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

/// Makes every write to a file and every sync of one fail while it lives.
struct FailingWrites(Child);

impl FailingWrites {
    /// `None` where there is no strace, or no right to trace.
    async fn of(pid: u32) -> Option<Self> {
        let calls = "pwrite64,fsync,fdatasync";
        let tracer = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("trace={calls}"))
            .args(["-e", &format!("inject={calls}:error=EIO"), "-p", &pid.to_string()])
            .stderr(Stdio::null())
            .spawn();
        let skipped = || skip("writes that fail under the spool", "no strace or no right to trace");
        let Ok(mut tracer) = tracer else {
            skipped();
            return None;
        };
        let started = Instant::now();
        while !is_traced(pid) {
            if tracer.try_wait().unwrap().is_some() || started.elapsed() > PATIENCE {
                skipped();
                let _ = (tracer.kill(), tracer.wait());
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(Self(tracer))
    }
}

/// Whether all threads of a process are.
fn is_traced(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| {
        // One may have ended meanwhile.
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.lines().any(|line| line == "TracerPid:\t0")
    })
}

impl Drop for FailingWrites {
    fn drop(&mut self) {
        crate::process::send_signal(self.0.id(), "INT");
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_under_the_spool_are_503_and_it_heals_when_they_go_through() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("failing writes");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("disk").await;
    let ledger = Ledger::default();
    let first = ledger.note(Batch::new("first", 1, 10, &mut dice));
    crate::watch::take_away(&rig, &instance.client, &project, &first).await;
    ledger.acknowledge(&first);
    let Some(failing) = FailingWrites::of(instance.process.pid()).await else { return };
    for number in 0..5 {
        let batch = ledger.note(Batch::new(&format!("failing{number}"), 40, 900, &mut dice));
        let Answer::Status(status, body, retry, _) = send(&instance.client, &project, &batch).await else {
            panic!("an answer")
        };
        assert_eq!((status, &body["code"]), (503, &"storage_unavailable".into()), "{body}");
        assert!(retry.is_some());
    }
    drop(failing);
    assert!(instance.process.is_alive());
    let after = ledger.note(Batch::new("after", 40, 900, &mut dice));
    crate::load::send_until_stored(&instance.client, &project, &after, PATIENCE).await;
    ledger.acknowledge(&after);
    crate::watch::give_back(&rig, &instance.client).await;
    ledger.check(&rig, &instance.client, &project).await;
}
