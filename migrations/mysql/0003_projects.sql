CREATE TABLE IF NOT EXISTS projects (
    id BIGINT NOT NULL,
    slug VARCHAR(64) NOT NULL,
    name VARCHAR(128) NOT NULL,
    retention_days SMALLINT NOT NULL,
    minute_cap BIGINT NULL,
    scrub TEXT NOT NULL,
    next_key INT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY projects_slug (slug)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
