-- Where alerts go. Addresses and keys are in `sealed`, under a key derived from HMAC_SECRET. Project 0 is every project.
CREATE TABLE IF NOT EXISTS alert_channels (
    id BIGINT NOT NULL,
    project_id BIGINT NOT NULL,
    kind VARCHAR(16) NOT NULL,
    name VARCHAR(128) NOT NULL,
    enabled SMALLINT NOT NULL,
    reason VARCHAR(255) NOT NULL,
    sealed BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
