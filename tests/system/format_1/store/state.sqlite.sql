CREATE TABLE seals (
    up_to INTEGER NOT NULL,
    file  TEXT NOT NULL,
    PRIMARY KEY (up_to, file)
) WITHOUT ROWID;
CREATE TABLE deletes (
    position INTEGER NOT NULL,
    series   INTEGER NOT NULL,
    from_ns  INTEGER NOT NULL,
    to_ns    INTEGER NOT NULL, -- inside
    PRIMARY KEY (position, series, from_ns, to_ns)
) WITHOUT ROWID;
CREATE TABLE classes (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL UNIQUE
);
CREATE TABLE dropped (
    class INTEGER NOT NULL,
    kind  TEXT NOT NULL, -- raw, rollup
    until INTEGER NOT NULL,
    PRIMARY KEY (class, kind)
) WITHOUT ROWID;
PRAGMA user_version = 1;
