CREATE TABLE IF NOT EXISTS issues (
    project_id INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    level INTEGER NOT NULL,
    state INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    sample TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
)
