-- What became of events, by project (0: before a project was known) and hour of receipt (epoch seconds). An entry is a
-- kind, or a kind and its reason: accepted, rejected:message_missing, deleted:project. Names and kinds are few.
CREATE TABLE IF NOT EXISTS ledger (
    project_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    entry VARCHAR(64) NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (project_id, hour, entry)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
