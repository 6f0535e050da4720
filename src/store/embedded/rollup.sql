-- One UTC day of rollups of one retention class (FORMAT.md). A row holds summaries of one level (a bucket's width in seconds) for the
-- series from `lo` to `hi` of a metric. `mark` is the raw row that they were made of: a block's id, or for a series with own chunks
-- the greatest of their ids; `seal` is the newest seal among them: whatever was sealed since makes the row stale.
CREATE TABLE rollups (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    level   INTEGER NOT NULL,
    metric  INTEGER NOT NULL,
    lo      INTEGER NOT NULL,
    hi      INTEGER NOT NULL,
    own     INTEGER NOT NULL, -- 1: of own chunks, of one series; 0: of a block
    mark    INTEGER NOT NULL,
    seal    INTEGER NOT NULL,
    numbers INTEGER NOT NULL, -- 1: with least, greatest, sum, squares and increase
    body    BLOB NOT NULL
);
CREATE INDEX rollups_metric ON rollups (metric, lo);
-- Those of blocks alone: who looks for a series does not walk over the rows that all series before it have of their own.
CREATE INDEX rollups_blocks ON rollups (metric, lo, hi) WHERE own = 0;
CREATE INDEX rollups_mark ON rollups (own, mark);
-- Blocks whose rows are written in several transactions, until the last.
CREATE TABLE unfinished (mark INTEGER PRIMARY KEY);
