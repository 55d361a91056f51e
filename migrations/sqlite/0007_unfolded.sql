-- Blocks whose events are not yet in counts and issues; deleted by the transaction that counts them.
CREATE TABLE IF NOT EXISTS unfolded (
    block_id BLOB NOT NULL,
    project_id INTEGER NOT NULL,
    PRIMARY KEY (block_id)
) WITHOUT ROWID
