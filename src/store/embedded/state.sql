-- What the store must know beside its day files (FORMAT.md).
-- Files that a seal touched, noted before it: what a cut-off seal left in them is removed at the next start.
CREATE TABLE seals (
    up_to INTEGER NOT NULL,
    file  TEXT NOT NULL,
    PRIMARY KEY (up_to, file)
) WITHOUT ROWID;
-- Points sealed before `position` are hidden, until a merge has removed them.
CREATE TABLE deletes (
    position INTEGER NOT NULL,
    series   INTEGER NOT NULL,
    from_ns  INTEGER NOT NULL,
    to_ns    INTEGER NOT NULL, -- inside
    PRIMARY KEY (position, series, from_ns, to_ns)
) WITHOUT ROWID;
-- Retention classes by their rule, given once. Class 0 has no rule and no row.
CREATE TABLE classes (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL UNIQUE
);
-- Up to which time a class was dropped to stay within the budget of bytes.
CREATE TABLE dropped (
    class INTEGER NOT NULL,
    kind  TEXT NOT NULL, -- raw, rollup
    until INTEGER NOT NULL,
    PRIMARY KEY (class, kind)
) WITHOUT ROWID;
-- Days that are over in which nothing is new, with length and time of change of their files as they were then, and what their rows
-- add up to. A file that is not as it was is asked again.
CREATE TABLE looked (
    file       TEXT PRIMARY KEY,
    bytes      INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    points     INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL
) WITHOUT ROWID;
