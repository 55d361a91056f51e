-- What admins changed: who, when, what, and how it ended. The id starts with the time, so old rows go by range.
CREATE TABLE IF NOT EXISTS audit_log (
    id BLOB NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    parameters TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (id)
)
