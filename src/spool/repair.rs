//! A damaged spool: the file is set aside, what can be read of it goes into a new one, the rest is counted.
//!
//! While that is going on the damaged file is called `spool-salvage.db`; cut off, it is begun again at the next start.
//! Afterwards it stays as `spool-damaged.db` for whoever wants to look, until the next one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::{FILE, Spool};
use crate::store::Salvaged;

/// The damaged file while it is read.
const SALVAGE_FILE: &str = "spool-salvage.db";
/// And afterwards.
const DAMAGED_FILE: &str = "spool-damaged.db";

impl Spool {
    /// Goes on where a repair was cut off.
    ///
    /// # Errors
    /// A sentence.
    pub(super) async fn repair_if_begun(&self) -> Result<(), String> {
        let folder = &self.0.folder;
        if !folder.join(SALVAGE_FILE).exists() {
            return Ok(());
        }
        if !folder.join(FILE).exists() {
            // Cut off between the file and its log.
            rename_one(folder, &format!("{FILE}-wal"), &format!("{SALVAGE_FILE}-wal"))?;
        }
        self.salvage().await
    }

    /// Sets the damaged file aside and starts a new one with what can be read of it.
    ///
    /// # Errors
    /// A sentence; the damaged file is not lost.
    pub(super) async fn repair(&self) -> Result<(), String> {
        self.0.store.forget_connections();
        rename(&self.0.folder, FILE, SALVAGE_FILE)?;
        self.salvage().await
    }

    async fn salvage(&self) -> Result<(), String> {
        let copied = async {
            self.0.store.migrate().await?;
            let mut session = self.0.store.writer().await?;
            session.salvage(&self.0.folder.join(SALVAGE_FILE)).await
        };
        let Salvaged { groups, lost_groups, lost_events } =
            copied.await.map_err(|error| format!("a damaged spool can't be read yet: {error}"))?;
        rename(&self.0.folder, SALVAGE_FILE, DAMAGED_FILE)?;
        self.0.suspect.store(false, Ordering::Relaxed);
        self.0.counters.add_lost(lost_groups, lost_events);
        tracing::error!(
            groups,
            lost_groups,
            lost_events,
            "the spool was damaged; what is left of the old file is in {DAMAGED_FILE}"
        );
        Ok(())
    }
}

/// Renames a database with its log; what is in the way is removed. The index of the log is made anew from it.
fn rename(folder: &Path, from: &str, to: &str) -> Result<(), String> {
    for name in [format!("{to}-wal"), format!("{to}-shm"), to.to_owned(), format!("{from}-shm")] {
        done_or_gone(folder, std::fs::remove_file(folder.join(name)))?;
    }
    rename_one(folder, from, to)?;
    rename_one(folder, &format!("{from}-wal"), &format!("{to}-wal"))
}

fn rename_one(folder: &Path, from: &str, to: &str) -> Result<(), String> {
    done_or_gone(folder, std::fs::rename(folder.join(from), folder.join(to)))
}

fn done_or_gone(folder: &Path, done: std::io::Result<()>) -> Result<(), String> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("DATA_DIR {} can't be written: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
