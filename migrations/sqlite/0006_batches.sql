-- Which batches are stored; the id alone decides. It starts with a time, so inserts stay local and old ones go by range.
CREATE TABLE IF NOT EXISTS batches (
    id BLOB NOT NULL,
    project_id INTEGER NOT NULL,
    batch BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    received INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID
