-- What waits in the spools of instances, as each last told: events by project and hour of receipt (epoch seconds). `spool` is
-- the file's own id, which outlives the process; reported_ms is by the database's clock.
CREATE TABLE IF NOT EXISTS spool_reports (
    spool TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    reported_ms INTEGER NOT NULL,
    PRIMARY KEY (spool, project_id, hour)
)
