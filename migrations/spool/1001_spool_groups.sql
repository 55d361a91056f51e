-- Only in DATA_DIR/spool.db: what was committed to the spool together, in order. `content` says which batches and
-- blocks that are, and what is needed to check both before they move to the database.
CREATE TABLE IF NOT EXISTS spool_groups (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_first INTEGER NOT NULL,
    block_count INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    held INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    content TEXT NOT NULL
)
