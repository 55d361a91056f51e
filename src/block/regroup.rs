//! From a stored body back to the batches it was made of, for what is encoded anew: compaction, and a spool's block
//! of which some batches are stored already.

use super::decode::{StoredEvent, lines};
use super::filter::IdTokens;
use super::{BlockError, EncodedBatch, EventHead, place_of};

/// The batches of an inflated body, in order; neighbouring events of one batch are one entry.
///
/// A block of all of them has the same body and header (but for its id) as the block the body was of, if that held
/// whole batches; else only the id filter may be smaller.
///
/// # Errors
/// [`BlockError::Line`] if a line is not an event: nothing is left out silently.
pub fn regroup(raw: &[u8]) -> Result<Vec<EncodedBatch>, BlockError> {
    let mut batches: Vec<EncodedBatch> = Vec::new();
    let mut tokens = IdTokens::default();
    for line in lines(raw) {
        let event = StoredEvent::parse(line)?;
        if batches.last().is_none_or(|batch| batch.batch != event.id.batch) {
            close(&mut batches, &mut tokens);
            tokens.add("batch", &event.id.batch.to_string());
            let batch = event.id.batch;
            batches.push(EncodedBatch {
                batch,
                heads: Vec::new(),
                lines: Vec::new(),
                id_tokens: Vec::new(),
                environments: Vec::new(),
            });
        }
        tokens.add_event(event.user_id.as_deref(), event.request_id.as_deref(), event.fingerprint);
        tokens.add_ctx(event.ctx.map_or("", |ctx| ctx.get()));
        if let Some(batch) = batches.last_mut() {
            let line_bytes = u32::try_from(line.len()).map_err(|_| BlockError::TooLarge)?;
            let StoredEvent { ts, level, fingerprint, .. } = event;
            let (index, environment) = (event.id.index, place_of(&mut batch.environments, &event.env));
            batch.heads.push(EventHead { index, ts, level, fingerprint, line_bytes, environment });
            batch.lines.extend_from_slice(line);
        }
    }
    close(&mut batches, &mut tokens);
    Ok(batches)
}

/// Gives the last batch the tokens gathered for it.
fn close(batches: &mut [EncodedBatch], tokens: &mut IdTokens) {
    if let Some(batch) = batches.last_mut() {
        batch.id_tokens = std::mem::take(tokens).finish();
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::block::arbitrary::{NOON, batch_id, batch_of, event};
    use crate::block::decode::inflate_body;
    use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
    use crate::event::uuid_at;
    use crate::timestamp::Timestamp;

    #[test]
    fn a_damaged_line_is_an_error() {
        assert_eq!(regroup(b"[\n{\"id\":1}\n]"), Err(BlockError::Line));
        assert_eq!(regroup(b"[\n]"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn a_body_is_taken_apart_into_what_it_was_made_of(groups in vec(vec(event(), 1..5), 1..4)) {
            let batches: Vec<_> =
                (1..).zip(&groups).map(|(number, events)| batch_of(batch_id(NOON, number), events)).collect();
            let parts: Vec<_> = batches.iter().map(Part::whole).collect();
            let id = uuid_at(Timestamp::from_millis(NOON));
            let block = BlockEncoder::default().encode_block(id, 7, &parts, CompressionLevel::Ingest);
            let raw = inflate_body(block.header.codec, block.header.raw_bytes, &block.body).unwrap();
            prop_assert_eq!(regroup(&raw).unwrap(), batches);
        }
    }
}
