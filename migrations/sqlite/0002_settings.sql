-- Single facts about this database: counters and the fingerprint of HMAC_SECRET.
CREATE TABLE IF NOT EXISTS settings (
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (name)
)
