//! From a body's bytes to what goes into the queue: everything a batch costs in computing.

use crate::block::EncodedBatch;
use crate::block::encode::BatchEncoder;
use crate::config::Limits;
use crate::error::{ApiError, Rejection};
use crate::event::{BatchId, Event};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::limit::Charge;
use crate::project::Project;
use crate::protocol::{ParseRules, ParsedBatch, cut_to_size, native};
use crate::scrub::Scrubber;
use crate::timestamp::Timestamp;
use crate::write::{IssueTitle, SeedTexts, makes_issues};

/// Events further than this from their receipt stand in blocks of their own.
const LATE_MS: i64 = 3_600_000;
/// Bytes an event's line has at most beside what was sent of it, usually.
const LINE_OVERHEAD_BYTES: usize = 128;

/// A batch that was read and charged.
pub(super) struct Prepared {
    pub(super) received: u32,
    pub(super) rejected: Vec<Rejection>,
    /// Events that are not refused for themselves.
    pub(super) acceptable: u32,
    /// Those events ready for the queue and charged, or why the project may not send them now.
    pub(super) content: Result<(Content, Charge), ApiError>,
}

/// What goes into the queue.
pub(super) struct Content {
    pub(super) body_hash: [u8; 16],
    pub(super) parts: Vec<EncodedBatch>,
    pub(super) titles: Vec<IssueTitle>,
}

/// Parse, charge, scrub, name, encode: everything between the bytes and the queue. What a project may not send costs
/// no more than to be counted.
pub(super) fn prepare(
    project: &Project,
    batch: BatchId,
    now: Timestamp,
    limits: &Limits,
    bytes: &[u8],
    charge: impl FnOnce(u32) -> Result<Charge, ApiError>,
) -> Result<Prepared, ApiError> {
    let text = native::decode_within(bytes, limits.max_inflated_bytes)?;
    let max_events = limits.max_events_per_post;
    let rules = ParseRules { received_at: now, project_slug: project.slug.as_str(), max_events };
    let ParsedBatch { received, mut events, rejected } = native::parse(&text, &rules)?;
    let acceptable = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let content = charge(acceptable).map(|charge| (content(project, batch, now, &mut events, bytes), charge));
    Ok(Prepared { received, rejected, acceptable, content })
}

fn content(
    project: &Project,
    batch: BatchId,
    now: Timestamp,
    events: &mut [Event<'_>],
    bytes: &[u8],
) -> Content {
    let scrubber = Scrubber::new(&project.scrub);
    let mut fingerprinter = Fingerprinter::new();
    let mut titles = Vec::new();
    let (mut timely, mut late) = (BatchEncoder::new(batch), BatchEncoder::new(batch));
    timely.expect_bytes(bytes.len() + events.len() * LINE_OVERHEAD_BYTES);
    for event in events {
        scrubber.scrub(event);
        cut_to_size(event);
        event.fingerprint = fingerprinter.fingerprint(event);
        if makes_issues(event.level) {
            note_title(&mut titles, event, &mut fingerprinter);
        }
        let is_late = now.as_millis() - event.ts.as_millis() > LATE_MS;
        if is_late { late.push(event) } else { timely.push(event) }
    }
    let body_hash = xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes();
    let parts = vec![timely.finish(), late.finish()];
    Content { body_hash, parts, titles }
}

/// Titles of one batch are few; a batch of many different errors is bounded by its events.
fn note_title(titles: &mut Vec<IssueTitle>, event: &Event<'_>, fingerprinter: &mut Fingerprinter) {
    let fingerprint: Fingerprint = event.fingerprint;
    if !titles.iter().rev().take(64).any(|title| title.fingerprint == fingerprint) {
        let texts = SeedTexts {
            title: fingerprinter.title(&event.message),
            source: event.source.to_string(),
            release: event.release.as_deref().unwrap_or_default().to_owned(),
            sample: SeedTexts::sample_of(&event.message),
        };
        titles.push(IssueTitle { fingerprint, texts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{ProjectSlug, ScrubSettings};

    fn limits() -> Limits {
        Limits {
            max_payload_bytes: 1_000,
            max_inflated_bytes: 1_000,
            max_events_per_post: 250,
            rate_limit_per_minute: 0,
            rate_limit_per_ip: 0,
            read_rate_limit_per_ip: 0,
            search_max_bytes: 1_000,
            max_connections: 16,
        }
    }

    #[test]
    fn what_a_project_may_not_send_is_counted_and_goes_no_further() {
        let project = Project {
            id: 1,
            slug: ProjectSlug::parse("web").expect("a slug"),
            name: "Web".to_owned(),
            retention_days: 1,
            minute_cap: None,
            scrub: ScrubSettings::default(),
            created_at: Timestamp::from_millis(0),
        };
        let now = Timestamp::from_millis(1_800_000_000_000);
        let body = br#"[{"message":"a"},{"level":"error"},{"message":"b"}]"#;
        let mut charged = 0;
        let refuse = |events| {
            charged = events;
            Err(ApiError::BatchExceedsCap("no more than one".to_owned()))
        };
        let prepared =
            prepare(&project, BatchId::new(now), now, &limits(), body, refuse).expect("it can be read");
        assert_eq!((prepared.received, prepared.rejected.len(), prepared.acceptable, charged), (3, 1, 2, 2));
        assert!(matches!(prepared.content, Err(ApiError::BatchExceedsCap(_))));
    }
}
