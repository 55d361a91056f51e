-- A key is kept as its SHA-256; its text and its signing secret are shown once and stored nowhere.
CREATE TABLE IF NOT EXISTS api_keys (
    project_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    hint TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER NULL,
    PRIMARY KEY (project_id, number)
)
