//! Finds groups of the spool in blocks that compaction merged: such a block no longer has the id the group knows, and
//! the batch ids may have run out, so that only the events themselves tell that a commit whose answer was lost, or a
//! drain that was cut off, had happened.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::block::BlockHeader;
use crate::block::decode::{LineHead, inflate_body, lines};
use crate::block::filter::{id_token, may_contain};
use crate::event::BatchId;
use crate::store::{Session, SpooledGroup, StoreError, StoredBody};
use crate::timestamp::Timestamp;

/// Headers read at a time.
const PAGE: usize = 128;
/// Bodies read at a time.
const BODIES: usize = 4;

/// Which batches of these groups have events in compacted blocks. Asked after the groups' block ids were looked for: a
/// block that was there then may be merged now.
pub(super) async fn merged_batches(
    session: &mut Session,
    groups: &[SpooledGroup],
) -> Result<HashSet<BatchId>, StoreError> {
    let mut by_project: BTreeMap<i64, Vec<BatchId>> = BTreeMap::new();
    for batch in groups.iter().flat_map(|group| &group.batches) {
        by_project.entry(batch.project_id).or_default().push(batch.batch);
    }
    let mut found = HashSet::new();
    for (project_id, batches) in by_project {
        let wanted: Vec<(BatchId, u64)> =
            batches.into_iter().map(|batch| (batch, id_token("batch", &batch.to_string()))).collect();
        let times = || wanted.iter().map(|(batch, _)| batch.received_at());
        let (Some(first), Some(last)) = (times().min(), times().max()) else { continue };
        found.extend(of_project(session, project_id, wanted, (first, last)).await?);
    }
    Ok(found)
}

async fn of_project(
    session: &mut Session,
    project_id: i64,
    wanted: Vec<(BatchId, u64)>,
    received: (Timestamp, Timestamp),
) -> Result<HashSet<BatchId>, StoreError> {
    let (mut found, mut after) = (HashSet::new(), Uuid::nil());
    loop {
        let headers = session.compacted_received_between(project_id, received, after, PAGE).await?;
        let Some(last) = headers.last() else { return Ok(found) };
        after = last.id;
        let may_have =
            |header: &&BlockHeader| wanted.iter().any(|(_, token)| may_contain(&header.id_filter, *token));
        let ids: Vec<Uuid> = headers.iter().filter(may_have).map(|header| header.id).collect();
        for ids in ids.chunks(BODIES) {
            let bodies = session.stored_bodies(project_id, ids).await?;
            let batches: HashSet<BatchId> = wanted.iter().map(|(batch, _)| *batch).collect();
            let looked = tokio::task::spawn_blocking(move || look_in(&bodies, &batches)).await;
            found.extend(
                looked.map_err(|error| StoreError::Corrupt(format!("reading a block failed: {error}")))?,
            );
        }
        if headers.len() < PAGE {
            return Ok(found);
        }
    }
}

fn look_in(bodies: &[StoredBody], wanted: &HashSet<BatchId>) -> HashSet<BatchId> {
    let mut found = HashSet::new();
    for stored in bodies {
        match inflate_body(stored.codec, stored.raw_bytes, &stored.body) {
            Ok(raw) => {
                let ids = lines(&raw).filter_map(|line| LineHead::parse(line)?.id());
                found.extend(ids.map(|id| id.batch).filter(|batch| wanted.contains(batch)));
            }
            Err(error) => tracing::error!(%error, block = %stored.id, "a block can't be read"),
        }
    }
    found
}
