-- Events the database refused for themselves, each as its line in the framing of COMPRESS(): bytes, so that no character
-- set, length of a column or rule about JSON can refuse them too.
CREATE TABLE IF NOT EXISTS quarantine (
    batch BLOB NOT NULL,
    event_index INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    quarantined_at INTEGER NOT NULL,
    error_number INTEGER NOT NULL,
    reason TEXT NOT NULL,
    raw_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (batch, event_index),
    UNIQUE (project_id, received_at, stored_bytes, batch, event_index)
)
