-- A key is kept as its SHA-256; its text and its signing secret are shown once and stored nowhere.
CREATE TABLE IF NOT EXISTS api_keys (
    project_id BIGINT NOT NULL,
    number INT NOT NULL,
    kind SMALLINT NOT NULL,
    sha256 BINARY(32) NOT NULL,
    hint VARCHAR(16) NOT NULL,
    note VARCHAR(255) NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NULL,
    PRIMARY KEY (project_id, number)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
