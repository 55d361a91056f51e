-- Single facts about this database: counters and the fingerprint of HMAC_SECRET.
CREATE TABLE IF NOT EXISTS settings (
    name VARCHAR(64) NOT NULL,
    number BIGINT NOT NULL,
    content VARCHAR(255) NOT NULL,
    PRIMARY KEY (name)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
