-- Issues. Times in epoch milliseconds; last_received by receipt, last_seen by the events' own time. What state an issue is in
-- follows from resolved_at (0: never), muted_until and mute_per_hour (0: not muted); see src/issue.rs.
CREATE TABLE IF NOT EXISTS issues (
    project_id BIGINT NOT NULL,
    fingerprint BIGINT NOT NULL,
    title VARCHAR(255) NOT NULL,
    source VARCHAR(255) NOT NULL,
    level SMALLINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    sample VARCHAR(40) NOT NULL,
    created_at BIGINT NOT NULL,
    last_received BIGINT NOT NULL,
    resolved_at BIGINT NOT NULL,
    muted_until BIGINT NOT NULL,
    mute_per_hour BIGINT NOT NULL,
    first_release VARCHAR(255) NOT NULL,
    last_release VARCHAR(255) NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
