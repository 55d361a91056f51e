-- Events the database refused for themselves, each as its line in the framing of COMPRESS(): bytes, so that no character
-- set, length of a column or rule about JSON can refuse them too.
CREATE TABLE IF NOT EXISTS quarantine (
    batch BINARY(16) NOT NULL,
    event_index INT NOT NULL,
    project_id BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    quarantined_at BIGINT NOT NULL,
    error_number INT NOT NULL,
    reason VARCHAR(255) NOT NULL,
    raw_bytes INT NOT NULL,
    stored_bytes INT NOT NULL,
    body MEDIUMBLOB NOT NULL,
    PRIMARY KEY (batch, event_index),
    KEY quarantine_project (project_id, received_at, stored_bytes)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
