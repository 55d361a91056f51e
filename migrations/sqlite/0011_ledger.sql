-- What became of events, by project (0: before a project was known) and hour of receipt (epoch seconds). An entry is a
-- kind, or a kind and its reason: accepted, rejected:message_missing, deleted:project. Names and kinds are few.
CREATE TABLE IF NOT EXISTS ledger (
    project_id INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    entry TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour, entry)
) WITHOUT ROWID
