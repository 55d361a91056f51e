-- What waits in the spools of instances, as each last told: events by project and hour of receipt (epoch seconds). `spool` is
-- the file's own id, which outlives the process; reported_ms is by the database's clock.
CREATE TABLE IF NOT EXISTS spool_reports (
    spool VARCHAR(64) NOT NULL,
    project_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    reported_ms BIGINT NOT NULL,
    PRIMARY KEY (spool, project_id, hour)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
