-- The releases an issue was resolved in and came back in, empty where none was known; regressed_at is 0 until it came back.
CREATE TABLE IF NOT EXISTS issue_resolutions (
    project_id INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    resolved_release TEXT NOT NULL,
    regressed_at INTEGER NOT NULL,
    regressed_release TEXT NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
)
