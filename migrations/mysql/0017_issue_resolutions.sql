-- The releases an issue was resolved in and came back in, empty where none was known; regressed_at is 0 until it came back.
CREATE TABLE IF NOT EXISTS issue_resolutions (
    project_id BIGINT NOT NULL,
    fingerprint BIGINT NOT NULL,
    resolved_release VARCHAR(255) NOT NULL,
    regressed_at BIGINT NOT NULL,
    regressed_release VARCHAR(255) NOT NULL,
    PRIMARY KEY (project_id, fingerprint)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
