-- Where alerts go. Addresses and keys are in `sealed`, under a key derived from HMAC_SECRET. Project 0 is every project.
CREATE TABLE IF NOT EXISTS alert_channels (
    id INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    reason TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
)
