-- 1 to 2,000 events of one project, compressed, with what is needed to skip them.
CREATE TABLE IF NOT EXISTS blocks (
    project_id BIGINT NOT NULL,
    id BINARY(16) NOT NULL,
    received_first BIGINT NOT NULL,
    received_last BIGINT NOT NULL,
    ts_first BIGINT NOT NULL,
    ts_last BIGINT NOT NULL,
    event_count INT NOT NULL,
    raw_bytes INT NOT NULL,
    stored_bytes INT NOT NULL,
    codec SMALLINT NOT NULL,
    level_counts BLOB NOT NULL,
    id_filter BLOB NOT NULL,
    text_filter BLOB NOT NULL,
    body MEDIUMBLOB NOT NULL,
    PRIMARY KEY (project_id, id),
    KEY blocks_ts (project_id, ts_last, id),
    KEY blocks_ts_first (project_id, ts_first, id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
