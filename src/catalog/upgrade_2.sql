-- From format 1 to format 2 of the catalog: what a seal leaves behind, so that a start reads only the log after it.
-- Never edited once a release has it. Times are nanoseconds since 1970 UTC; u64 are stored as the i64 of the same bits.

-- One row: the store and the tables below hold all commits up to `up_to`, which was written at `wall`.
-- `next_series` is one past the greatest id that was ever here: ids are not given twice, whatever rows may go.
CREATE TABLE sealed (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  up_to       INTEGER NOT NULL,
  wall        INTEGER NOT NULL,
  next_series INTEGER NOT NULL
) STRICT;

INSERT INTO sealed (one, up_to, wall, next_series) VALUES (1, 0, 0, 0);

-- `labels`: a line for each label, name and value with a tab between. Neither has a control character in it.
-- `owner` is the id of a token, 0 is nobody; no foreign key, since the log may know owners that a lost catalog did not.
CREATE TABLE series (
  id      INTEGER PRIMARY KEY,
  device  TEXT NOT NULL,
  metric  TEXT NOT NULL,
  labels  TEXT NOT NULL,
  type    TEXT NOT NULL,
  owner   INTEGER NOT NULL,
  unit    TEXT,
  kind    TEXT,
  changed INTEGER,
  created INTEGER NOT NULL
) STRICT;

-- `value`: INTEGER an int, REAL a float, TEXT a text, a BLOB of one byte (0 or 1) a bool.
-- `time` NULL: nothing is left of the series, and the columns up to `settled` are NULL too.
CREATE TABLE last (
  series       INTEGER PRIMARY KEY,
  time         INTEGER,
  value        ANY,
  seen         INTEGER,
  changed      INTEGER,
  settled      INTEGER,
  stored_until INTEGER NOT NULL
) STRICT;

-- The newest durable batch of each agent and boot.
CREATE TABLE agents (
  agent TEXT NOT NULL,
  boot  INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY (agent, boot)
) STRICT, WITHOUT ROWID;
