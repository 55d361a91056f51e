-- One message to one channel. `slot` is SHA-256 of rule, group, cooldown slot and channel: the same alert is there once.
CREATE TABLE IF NOT EXISTS alert_outbox (
    id BINARY(16) NOT NULL,
    slot BINARY(32) NOT NULL,
    channel VARCHAR(32) NOT NULL,
    project_id BIGINT NOT NULL,
    rule VARCHAR(128) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    title VARCHAR(255) NOT NULL,
    message MEDIUMTEXT NOT NULL,
    state SMALLINT NOT NULL,
    attempts INT NOT NULL,
    due_at BIGINT NOT NULL,
    owner VARCHAR(64) NOT NULL,
    leased_until BIGINT NOT NULL,
    detail VARCHAR(255) NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY alert_outbox_slot (slot),
    KEY alert_outbox_due (state, due_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
