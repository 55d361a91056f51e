CREATE TABLE IF NOT EXISTS issues (
    project_id BIGINT NOT NULL,
    fingerprint BIGINT NOT NULL,
    title VARCHAR(255) NOT NULL,
    source VARCHAR(255) NOT NULL,
    level SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    sample VARCHAR(40) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
