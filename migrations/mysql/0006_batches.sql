-- Which batches are stored; the id alone decides. It starts with a time, so inserts stay local and old ones go by range.
CREATE TABLE IF NOT EXISTS batches (
    id BINARY(20) NOT NULL,
    project_id BIGINT NOT NULL,
    batch BINARY(16) NOT NULL,
    body_hash BINARY(16) NOT NULL,
    received INT NOT NULL,
    accepted INT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
