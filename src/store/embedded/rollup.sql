-- One UTC day of rollups of one retention class (FORMAT.md). `level` is the width of a bucket in seconds. `seal` is the position up to
-- which the points were sealed that it was made of: whatever was sealed since makes it stale.
CREATE TABLE rollups (
    series INTEGER NOT NULL,
    level  INTEGER NOT NULL,
    seal   INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (series, level)
);
