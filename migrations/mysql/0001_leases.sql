-- Who may do what alone, by the database's clock.
CREATE TABLE IF NOT EXISTS leases (
    name VARCHAR(64) NOT NULL,
    owner VARCHAR(64) NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (name)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
