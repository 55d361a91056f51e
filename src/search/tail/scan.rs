//! From blocks to mailboxes: which of a block's events which tail is shown. Off the async threads.

use std::sync::Arc;

use uuid::Uuid;

use super::Filters;
use super::mailbox::{Mailbox, TailEvent};
use crate::block::Block;
use crate::block::decode::{LineHead, inflate_body, lines};
use crate::block::filter::{id_token, may_contain};
use crate::event::EventId;
use crate::search::event_filter::EventFilter;
use crate::search::run::Hit;

/// A tail and what it asks for, for the length of a look.
pub(super) struct Watcher {
    pub mailbox: Arc<Mailbox>,
    pub filters: Arc<Filters>,
}

impl Watcher {
    pub fn new(mailbox: Arc<Mailbox>) -> Self {
        let filters = mailbox.filters();
        Self { mailbox, filters }
    }
}

/// Puts what matches of these blocks into the mailboxes, in the order of receipt within each block.
pub(super) fn deliver(blocks: Vec<Block>, watchers: &[Watcher]) {
    for block in blocks {
        let project = block.header.project_id;
        let asked: Vec<(&Mailbox, &EventFilter)> = watchers
            .iter()
            .filter_map(|watcher| Some((&*watcher.mailbox, &**watcher.filters.get(&project)?)))
            .filter(|(_, filter)| filter.admits(&block.header))
            .collect();
        put_matches(&block, &asked, |_| true);
    }
}

/// Puts what a reader has missed since `after` into its mailbox. Blocks come in the order of their ids, each with the
/// look it was met in. Where the look of the reader's last event is not known, what was received later is what it
/// missed, and what came in the same millisecond may be shown again.
pub(super) fn replay(blocks: Vec<(Block, Option<u64>)>, watcher: &Watcher, after: EventId) {
    let place = |(block, look): &(Block, Option<u64>)| {
        let look = look.filter(|_| holds(block, after))?;
        Some((look, block.header.id))
    };
    let last: Option<(u64, Uuid)> = blocks.iter().find_map(place);
    for (block, look) in blocks {
        let Some(filter) = watcher.filters.get(&block.header.project_id) else { continue };
        if !filter.admits(&block.header) {
            continue;
        }
        let block_id = block.header.id;
        let was_missed = |id: EventId| match (last, look) {
            (Some((last_look, last_block)), Some(look)) => {
                (look, block_id, id) > (last_look, last_block, after)
            }
            _ => is_later(id, after),
        };
        put_matches(&block, &[(&*watcher.mailbox, &**filter)], was_missed);
    }
}

fn is_later(id: EventId, after: EventId) -> bool {
    if id.batch == after.batch {
        return id.index > after.index;
    }
    id.batch.received_at() >= after.batch.received_at()
}

fn holds(block: &Block, id: EventId) -> bool {
    if !may_contain(&block.header.id_filter, id_token("batch", &id.batch.to_string())) {
        return false;
    }
    let is_it = |line: &[u8]| LineHead::parse(line).and_then(|head| head.id()) == Some(id);
    inflate(block).is_some_and(|raw| lines(&raw).any(is_it))
}

fn put_matches(block: &Block, asked: &[(&Mailbox, &EventFilter)], wanted: impl Fn(EventId) -> bool) {
    if asked.is_empty() {
        return;
    }
    let Some(raw) = inflate(block) else { return };
    let mut found: Vec<(EventId, &[u8], Vec<&Mailbox>)> = Vec::new();
    for line in lines(&raw) {
        let matching = asked.iter().filter(|(_, filter)| filter.matches(line).is_some());
        let matching: Vec<&Mailbox> = matching.map(|(mailbox, _)| *mailbox).collect();
        if matching.is_empty() {
            continue;
        }
        if let Some(id) = LineHead::parse(line).and_then(|head| head.id()).filter(|id| wanted(*id)) {
            found.push((id, line, matching));
        }
    }
    found.sort_unstable_by_key(|(id, ..)| *id);
    for (id, line, matching) in found {
        let hit = Hit { project_id: block.header.project_id, line: line.to_vec() };
        let event = Arc::new(TailEvent { id, hit });
        for mailbox in matching {
            mailbox.put(event.clone());
        }
    }
}

fn inflate(block: &Block) -> Option<Vec<u8>> {
    let header = &block.header;
    let inflated = inflate_body(header.codec, header.raw_bytes, &block.body);
    inflated.inspect_err(|error| tracing::error!(%error, block = %header.id, "a block can't be read")).ok()
}
