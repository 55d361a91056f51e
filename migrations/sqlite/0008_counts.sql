-- Events per 10 seconds of receipt. Series 0 to 5 are the levels, 15 is "other"; the rest are issues' fingerprints.
CREATE TABLE IF NOT EXISTS counts (
    project_id INTEGER NOT NULL,
    series INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, series, bucket)
) WITHOUT ROWID
