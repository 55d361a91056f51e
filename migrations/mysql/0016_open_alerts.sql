-- Alerts a channel was told of that are not over yet. `topic` is SHA-256 of rule and group; the slots are those of the first and the latest message in `alert_outbox`.
CREATE TABLE IF NOT EXISTS open_alerts (
    topic BINARY(32) NOT NULL,
    channel VARCHAR(32) NOT NULL,
    project_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    first_slot BINARY(32) NOT NULL,
    last_slot BINARY(32) NOT NULL,
    opened_at BIGINT NOT NULL,
    last_true_at BIGINT NOT NULL,
    message MEDIUMTEXT NOT NULL,
    PRIMARY KEY (topic, channel)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
-- Whole minutes since the epoch in which an instance was awake and reached the database.
CREATE TABLE IF NOT EXISTS coverage_minutes (
    minute BIGINT NOT NULL,
    PRIMARY KEY (minute)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
