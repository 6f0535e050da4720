-- Format 1 of the catalog (PRAGMA user_version = 1). A change of format is a new number and a step in mod.rs, never an edit here.
-- Times are nanoseconds since 1970 UTC. Secrets are only here as SHA-256.

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A revoked token's row stays: its id is in the log as the owner of series, and its name is still to be shown there.
CREATE TABLE tokens (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL,
  role     TEXT NOT NULL,
  devices  TEXT,
  selector TEXT,
  hash     BLOB NOT NULL UNIQUE,
  created  INTEGER NOT NULL,
  revoked  INTEGER
) STRICT;

-- `token` is the token that was typed into the login page; the session ends with it. NULL: opened by a login link.
CREATE TABLE sessions (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  hash    BLOB NOT NULL UNIQUE,
  role    TEXT NOT NULL,
  token   INTEGER REFERENCES tokens(id),
  client  TEXT NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL
) STRICT;

CREATE TABLE login_codes (
  hash    BLOB PRIMARY KEY,
  role    TEXT NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people say about a device. `version` grows with each edit of the device or its attributes.
CREATE TABLE devices (
  id      TEXT PRIMARY KEY,
  name    TEXT,
  note    TEXT,
  version INTEGER NOT NULL,
  changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attributes (
  device  TEXT NOT NULL REFERENCES devices(id),
  name    TEXT NOT NULL,
  value   TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (device, name)
) STRICT, WITHOUT ROWID;
