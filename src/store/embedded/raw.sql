-- One UTC day of points of one retention class (FORMAT.md). `seal` is the position up to which the commits were sealed: at equal
-- times the higher one wins, and a delete hides what was sealed before it. Ids are never used again: caches go by them.
CREATE TABLE chunks (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    series INTEGER NOT NULL,
    seal   INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    times  INTEGER,          -- its time column in `times`, when others share it
    body   BLOB NOT NULL
);
CREATE INDEX chunks_series ON chunks (series, first);
-- Many slow series of one metric together. `metric` is the crc32c of its name, `lo` and `hi` the least and greatest series.
CREATE TABLE blocks (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    metric INTEGER NOT NULL,
    lo     INTEGER NOT NULL,
    hi     INTEGER NOT NULL,
    seal   INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    body   BLOB NOT NULL
);
CREATE INDEX blocks_metric ON blocks (metric, lo);
CREATE TABLE times (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL
);
-- One row: merges looked at everything that was sealed up to here.
CREATE TABLE merged (up_to INTEGER NOT NULL);
INSERT INTO merged (up_to) VALUES (0);
