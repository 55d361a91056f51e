-- Empty here: the embedded database has an id filter in its block's row, as it is tested in memory.
CREATE TABLE IF NOT EXISTS id_filters (
    project_id INTEGER NOT NULL,
    part INTEGER NOT NULL,
    id BLOB NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (project_id, part, id)
)
