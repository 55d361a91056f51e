-- Events per 10 seconds of receipt. Series 0 to 5 are the levels, 15 is "other"; the rest are issues' fingerprints.
CREATE TABLE IF NOT EXISTS counts (
    project_id BIGINT NOT NULL,
    series BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    PRIMARY KEY (project_id, series, bucket)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
