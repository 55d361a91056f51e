-- Blocks whose events are not yet in counts and issues; deleted by the transaction that counts them.
CREATE TABLE IF NOT EXISTS unfolded (
    block_id BINARY(16) NOT NULL,
    project_id BIGINT NOT NULL,
    PRIMARY KEY (block_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
