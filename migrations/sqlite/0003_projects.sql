CREATE TABLE IF NOT EXISTS projects (
    id INTEGER NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    retention_days INTEGER NOT NULL,
    minute_cap INTEGER NULL,
    scrub TEXT NOT NULL,
    next_key INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
)
