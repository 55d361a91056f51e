-- Id filters that are too long to lie in their block's row, in parts of 2,048 bytes: a search reads one of them a block.
CREATE TABLE IF NOT EXISTS id_filters (
    project_id BIGINT NOT NULL,
    part SMALLINT NOT NULL,
    id BINARY(16) NOT NULL,
    bits VARBINARY(2048) NOT NULL,
    PRIMARY KEY (project_id, part, id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
