//! Any bytes as a stored block: body, lines, counts and filters are read without a panic and without much memory.
//! The first byte says what the rest is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekno_logger::block::counts::{decode_counts, encode_counts};
use tekno_logger::block::decode::{LineHead, MAX_INFLATED_BYTES, StoredEvent, inflate_body, lines};
use tekno_logger::block::filter::{id_token, may_contain, may_contain_ctx};
use tekno_logger::block::regroup::regroup;
use tekno_logger::block::Codec;

fn read_lines(raw: &[u8]) {
    for line in lines(raw) {
        let head = LineHead::parse(line);
        if let Some(head) = head {
            assert!(head.length <= line.len());
            let _ = head.id();
        }
        if let Ok(event) = StoredEvent::parse(line)
            && let Some(head) = head
            && let Some(id) = head.id()
        {
            // What both can read, both read alike.
            assert_eq!((id, head.ts, head.level), (event.id, event.ts, event.level));
        }
    }
    if let Ok(batches) = regroup(raw) {
        let heads: usize = batches.iter().map(|batch| batch.heads.len()).sum();
        assert_eq!(heads, lines(raw).count());
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, rest)) = input.split_first() else { return };
    match kind % 4 {
        0 => read_lines(rest),
        1 => {
            let declared = rest.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            if let Ok(raw) = inflate_body(Codec::Zlib, declared, rest) {
                assert!(raw.len() == declared as usize && raw.len() <= MAX_INFLATED_BYTES);
                read_lines(&raw);
            }
        }
        2 => {
            if let Ok(counts) = decode_counts(rest) {
                assert_eq!(decode_counts(&encode_counts(&counts)).expect("our own counts"), counts);
            }
        }
        _ => {
            may_contain(rest, id_token("user_id", "ada"));
            may_contain_ctx(rest, "http.status", "503");
        }
    }
});
