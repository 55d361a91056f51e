-- Issues. Times in epoch milliseconds; last_received by receipt, last_seen by the events' own time. What state an issue is in
-- follows from resolved_at (0: never), muted_until and mute_per_hour (0: not muted); see src/issue.rs.
CREATE TABLE IF NOT EXISTS issues (
    project_id INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    level INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    sample TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_received INTEGER NOT NULL,
    resolved_at INTEGER NOT NULL,
    muted_until INTEGER NOT NULL,
    mute_per_hour INTEGER NOT NULL,
    first_release TEXT NOT NULL,
    last_release TEXT NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
)
