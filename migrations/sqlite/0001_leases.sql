-- Who may do what alone, by the database's clock.
CREATE TABLE IF NOT EXISTS leases (
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (name)
)
