-- What admins changed: who, when, what, and how it ended. The id starts with the time, so old rows go by range.
CREATE TABLE IF NOT EXISTS audit_log (
    id BINARY(16) NOT NULL,
    actor VARCHAR(32) NOT NULL,
    origin VARCHAR(64) NOT NULL,
    request_id VARCHAR(64) NOT NULL,
    action VARCHAR(64) NOT NULL,
    target VARCHAR(128) NOT NULL,
    parameters TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
