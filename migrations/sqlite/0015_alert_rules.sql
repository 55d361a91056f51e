-- What is worth an alert where somebody changed it; project 0 is every project. `place` is the kind and project, for a query
-- its own number: one rule in each. `settings` is JSON.
CREATE TABLE IF NOT EXISTS alert_rules (
    id INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS alert_rules_place ON alert_rules (place);
-- Events of a project that a rule counts itself, per 10 seconds of receipt: those it looks for, and all it looked at.
CREATE TABLE IF NOT EXISTS alert_rule_counts (
    project_id INTEGER NOT NULL,
    rule_id INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    matched INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (project_id, rule_id, bucket)
) WITHOUT ROWID;
-- When a rule last said something about a group, when it last found it again, and how often it held that back.
CREATE TABLE IF NOT EXISTS alert_cooldowns (
    project_id INTEGER NOT NULL,
    rule_key TEXT NOT NULL,
    group_key TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    PRIMARY KEY (project_id, rule_key, group_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_cooldowns_found ON alert_cooldowns (found_at)
