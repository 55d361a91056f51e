-- 1 to 2,000 events of one project, compressed, with what is needed to skip them.
CREATE TABLE IF NOT EXISTS blocks (
    project_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    received_first INTEGER NOT NULL,
    received_last INTEGER NOT NULL,
    ts_first INTEGER NOT NULL,
    ts_last INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    level_counts BLOB NOT NULL,
    id_filter BLOB NOT NULL,
    text_filter BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, ts_last, id),
    UNIQUE (project_id, ts_first, id)
)
