-- What is worth an alert where somebody changed it; project 0 is every project. `place` is the kind and project, for a query
-- its own number: one rule in each. `settings` is JSON.
CREATE TABLE IF NOT EXISTS alert_rules (
    id BIGINT NOT NULL,
    project_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    place VARCHAR(64) NOT NULL,
    name VARCHAR(128) NOT NULL,
    enabled SMALLINT NOT NULL,
    settings MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY alert_rules_place (place)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
-- Events of a project that a rule counts itself, per 10 seconds of receipt: those it looks for, and all it looked at.
CREATE TABLE IF NOT EXISTS alert_rule_counts (
    project_id BIGINT NOT NULL,
    rule_id BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    matched BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    PRIMARY KEY (project_id, rule_id, bucket)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
-- When a rule last said something about a group, when it last found it again, and how often it held that back.
CREATE TABLE IF NOT EXISTS alert_cooldowns (
    project_id BIGINT NOT NULL,
    rule_key VARCHAR(64) NOT NULL,
    group_key VARCHAR(64) NOT NULL,
    said_at BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    PRIMARY KEY (project_id, rule_key, group_key),
    KEY alert_cooldowns_found (found_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
