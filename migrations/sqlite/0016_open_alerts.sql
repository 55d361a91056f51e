-- Alerts a channel was told of that are not over yet. `topic` is SHA-256 of rule and group; the slots are those of the first and the latest message in `alert_outbox`.
CREATE TABLE IF NOT EXISTS open_alerts (
    topic BLOB NOT NULL,
    channel TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    first_slot BLOB NOT NULL,
    last_slot BLOB NOT NULL,
    opened_at INTEGER NOT NULL,
    last_true_at INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (topic, channel)
) WITHOUT ROWID;
-- Whole minutes since the epoch in which an instance was awake and reached the database.
CREATE TABLE IF NOT EXISTS coverage_minutes (
    minute INTEGER NOT NULL,
    PRIMARY KEY (minute)
)
