-- A catalog as a hub of format 1 wrote it, dumped by sqlite3. The secrets behind the hashes are in the test that reads it. Never edited.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings VALUES('hub_id','de363011a3893cb1');
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
INSERT INTO tokens VALUES(1,'gateway hall 1','agent','pump-*',NULL,X'eb4224d0477761ff94036cbeadcdb084ab08fd5baf55a834050b0b20900c5ed0',1700000000000000001,NULL);
INSERT INTO tokens VALUES(2,'Zähler','viewer',NULL,'*/temperature{@site="hall 1"}',X'07d065f5be78dbd6e328562f1df126b46ec74e57f503cd2ca85bcd79c05e9b7d',1700000000000000002,NULL);
INSERT INTO tokens VALUES(3,'gone','admin',NULL,NULL,X'd6919cf778277b547b1523717525efa04bfa5fa297a9ddf54435d4afbaa1fda9',1700000000000000003,1700000000000000004);
CREATE TABLE sessions (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  hash    BLOB NOT NULL UNIQUE,
  role    TEXT NOT NULL,
  token   INTEGER REFERENCES tokens(id),
  client  TEXT NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL
) STRICT;
INSERT INTO sessions VALUES(1,X'a7dc1faef7c9c02f95e40bcb16ee2987a8b7358233cf93914eea687d14ba5cc3','viewer',2,'Firefox',1700000000000000005,1700000000000000005);
INSERT INTO sessions VALUES(2,X'e8fe98c7514540843955c45a44eb92298ca8f612910af7233892e99c4eb3bf76','admin',NULL,'Chrome',1700000000000000007,1700000000000000007);
CREATE TABLE login_codes (
  hash    BLOB PRIMARY KEY,
  role    TEXT NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO login_codes VALUES(X'128784b8d9ffcd1363b8b9b556789e0cfb5d4dca470be813f67b7d2130cf53ef','admin',1700000100000000000);
CREATE TABLE devices (
  id      TEXT PRIMARY KEY,
  name    TEXT,
  note    TEXT,
  version INTEGER NOT NULL,
  changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO devices VALUES('pump-1','Pump one','it''s loud',2,1700000000000000010);
CREATE TABLE attributes (
  device  TEXT NOT NULL REFERENCES devices(id),
  name    TEXT NOT NULL,
  value   TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (device, name)
) STRICT, WITHOUT ROWID;
INSERT INTO attributes VALUES('pump-1','floor','zweiter ☃',1);
INSERT INTO attributes VALUES('pump-1','site','hall 1',1);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('tokens',3);
INSERT INTO sqlite_sequence VALUES('sessions',2);
PRAGMA user_version = 1;
COMMIT;
