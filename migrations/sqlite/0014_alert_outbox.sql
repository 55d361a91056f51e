-- One message to one channel. `slot` is SHA-256 of rule, group, cooldown slot and channel: the same alert is there once.
CREATE TABLE IF NOT EXISTS alert_outbox (
    id BLOB NOT NULL,
    slot BLOB NOT NULL,
    channel TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    leased_until INTEGER NOT NULL,
    detail TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER NULL,
    PRIMARY KEY (id),
    UNIQUE (slot),
    UNIQUE (state, due_at, id)
)
