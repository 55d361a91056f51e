//! Finding one event by its id: the id's batch says when it was received, that and a filter say in which block it is.

use bytes::Bytes;

use super::run::{Hit, Scope};
use super::workers;
use crate::block::BlockHeader;
use crate::block::decode::{Inflater, StoredEvent, lines};
use crate::block::filter::{id_token, may_contain};
use crate::event::EventId;
use crate::store::{Snapshot, Store, StoreError};

/// Headers looked at at most, all projects together.
const MAX_HEADERS: usize = 2_000;
/// Bodies read at a time.
const BODIES: usize = 4;

/// One event by its id, in the first store and the scope that has it and where it has not expired.
///
/// # Errors
/// What the database said.
pub async fn find_event(stores: &[Store], scopes: &[Scope], id: EventId) -> Result<Option<Hit>, StoreError> {
    for store in stores {
        if let Some(hit) = find_event_in(store, scopes, id).await? {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

async fn find_event_in(store: &Store, scopes: &[Scope], id: EventId) -> Result<Option<Hit>, StoreError> {
    let received_at = id.batch.received_at();
    let live = scopes.iter().filter(|scope| received_at >= scope.received_after);
    let projects: Vec<i64> = live.map(|scope| scope.project_id).collect();
    let mut snapshot = store.snapshot().await?;
    if projects.is_empty() {
        return Ok(None);
    }
    let found = find_in(&mut snapshot, &projects, id).await?;
    snapshot.end().await;
    Ok(found)
}

/// One event of these projects by its id, in one snapshot.
pub(super) async fn find_in(
    snapshot: &mut Snapshot,
    projects: &[i64],
    id: EventId,
) -> Result<Option<Hit>, StoreError> {
    let token = id_token("batch", &id.batch.to_string());
    let headers = snapshot.headers_received_at(projects, id.batch.received_at(), token, MAX_HEADERS).await?;
    let headers: Vec<BlockHeader> =
        headers.into_iter().filter(|header| may_contain(&header.id_filter, token)).collect();
    for headers in headers.chunks(BODIES) {
        let bodies = snapshot.bodies(&headers.iter().collect::<Vec<_>>()).await?;
        let blocks = headers.iter().cloned().zip(bodies.list);
        let blocks: Vec<_> = blocks.filter_map(|(header, body)| Some((header, body?))).collect();
        if let Some(hit) = workers::start(move |inflater| look_in(&blocks, id, inflater)).done().await? {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

fn look_in(blocks: &[(BlockHeader, Bytes)], id: EventId, inflater: &mut Inflater) -> Option<Hit> {
    let start = format!("{{\"id\":\"{id}\"");
    let is_it = |line: &&[u8]| {
        line.starts_with(start.as_bytes()) && StoredEvent::parse(line).is_ok_and(|event| event.id == id)
    };
    for (header, body) in blocks {
        match inflater.inflate(header.codec, header.raw_bytes, body) {
            Ok(raw) => {
                if let Some(line) = lines(raw).find(is_it) {
                    return Some(Hit { project_id: header.project_id, line: line.to_vec() });
                }
            }
            Err(error) => tracing::error!(%error, block = %header.id, "a block can't be read"),
        }
    }
    None
}
