
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE sealed (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  up_to       INTEGER NOT NULL,
  wall        INTEGER NOT NULL,
  next_series INTEGER NOT NULL
) STRICT;

INSERT INTO sealed (one, up_to, wall, next_series) VALUES (1, 0, 0, 0);

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

CREATE TABLE last (
  series       INTEGER PRIMARY KEY,
  time         INTEGER,
  value        ANY,
  seen         INTEGER,
  changed      INTEGER,
  settled      INTEGER,
  stored_until INTEGER NOT NULL
) STRICT;

CREATE TABLE agents (
  agent TEXT NOT NULL,
  boot  INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY (agent, boot)
) STRICT, WITHOUT ROWID;
INSERT INTO settings (name, value) VALUES ('hub_id','b02af1f928c73bc3');
INSERT INTO settings (name, value) VALUES ('series_reserved_in','406c3d030fa9c530 0');
INSERT INTO tokens (id, name, role, devices, selector, hash, created, revoked) VALUES (1,'gateway hall 1','agent',NULL,NULL,X'79E4A795F44F5D9D759D5FF527717E92E28BE5737F1D863CA9D544E2C0A603A9',1796078335456739087,NULL);
INSERT INTO tokens (id, name, role, devices, selector, hash, created, revoked) VALUES (2,'Zähler','viewer','meter*',NULL,X'12229CBA88B90F1B7BCC0BC1A80C1D4AB8BF80DFEE02B551C09BE92C50D84E58',1796078335482038834,NULL);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (0,'fast','f.a','','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (1,'fast','f.b','','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (2,'fast','f.mixed','','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (3,'meter','power.value','','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (4,'slow0','s.t','room	r 0
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (5,'slow0','s.open','room	r 0
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (6,'slow0','s.mode','room	r 0
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (7,'slow1','s.t','room	r 1
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (8,'slow1','s.open','room	r 1
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (9,'slow1','s.mode','room	r 1
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (10,'slow2','s.t','room	r 2
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (11,'slow2','s.open','room	r 2
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (12,'slow2','s.mode','room	r 2
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (13,'slow3','s.t','room	r 3
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (14,'slow3','s.open','room	r 3
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (15,'slow3','s.mode','room	r 3
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (16,'slow4','s.t','room	r 4
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (17,'slow4','s.open','room	r 4
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (18,'slow4','s.mode','room	r 4
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (19,'slow5','s.t','room	r 5
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (20,'slow5','s.open','room	r 5
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (21,'slow5','s.mode','room	r 5
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (22,'slow6','s.t','room	r 6
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (23,'slow6','s.open','room	r 6
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (24,'slow6','s.mode','room	r 6
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (25,'slow7','s.t','room	r 7
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (26,'slow7','s.open','room	r 7
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (27,'slow7','s.mode','room	r 7
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (28,'slow8','s.t','room	r 8
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (29,'slow8','s.open','room	r 8
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (30,'slow8','s.mode','room	r 8
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (31,'slow9','s.t','room	r 9
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (32,'slow9','s.open','room	r 9
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (33,'slow9','s.mode','room	r 9
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (34,'slow10','s.t','room	r 10
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (35,'slow10','s.open','room	r 10
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (36,'slow10','s.mode','room	r 10
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (37,'slow11','s.t','room	r 11
','number',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (38,'slow11','s.open','room	r 11
','bool',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created) VALUES (39,'slow11','s.mode','room	r 11
','text',1,NULL,NULL,NULL,1796078335733591792);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (0,1767332940001000000,4.3,1796078335765848198,1767332940001000000,1,1767332940001000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (1,1767332940001000000,66,1796078335765848198,1767332940001000000,1,1767332940001000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (2,1767332940001000000,349,1796078335765848198,1767332940001000000,1,1767332940001000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (3,1767398340000000000,201.6,1796078335765848198,1767398340000000000,1,1767398340000000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (4,1767380400000000000,20.0,1796078335765848198,1767225600000000000,1,1767380400000000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (5,1767380400000000000,X'01',1796078335765848198,1767380400000000000,1,1767380400000000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (6,1767380400000000000,'m3 ü',1796078335765848198,1767380400000000000,1,1767380400000000000);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (7,1767380400000000001,20.5,1796078335765848198,1767380400000000001,1,1767380400000000001);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (8,1767380400000000001,X'01',1796078335765848198,1767380400000000001,1,1767380400000000001);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (9,1767380400000000001,'m3 ü',1796078335765848198,1767380400000000001,1,1767380400000000001);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (10,1767380400000000002,20.3,1796078335765848198,1767380400000000002,1,1767380400000000002);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (11,1767380400000000002,X'01',1796078335765848198,1767380400000000002,1,1767380400000000002);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (12,1767380400000000002,'m3 ü',1796078335765848198,1767380400000000002,1,1767380400000000002);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (13,1767380400000000003,20.1,1796078335765848198,1767380400000000003,1,1767380400000000003);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (14,1767380400000000003,X'01',1796078335765848198,1767380400000000003,1,1767380400000000003);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (15,1767380400000000003,'m3 ü',1796078335765848198,1767380400000000003,1,1767380400000000003);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (16,1767380400000000004,20.6,1796078335765848198,1767380400000000004,1,1767380400000000004);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (17,1767380400000000004,X'01',1796078335765848198,1767380400000000004,1,1767380400000000004);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (18,1767380400000000004,'m3 ü',1796078335765848198,1767380400000000004,1,1767380400000000004);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (19,1767380400000000005,20.4,1796078335765848198,1767380400000000005,1,1767380400000000005);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (20,1767380400000000005,X'01',1796078335765848198,1767380400000000005,1,1767380400000000005);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (21,1767380400000000005,'m3 ü',1796078335765848198,1767380400000000005,1,1767380400000000005);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (22,1767380400000000006,20.2,1796078335765848198,1767380400000000006,1,1767380400000000006);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (23,1767380400000000006,X'01',1796078335765848198,1767380400000000006,1,1767380400000000006);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (24,1767380400000000006,'m3 ü',1796078335765848198,1767380400000000006,1,1767380400000000006);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (25,1767380400000000007,20.0,1796078335765848198,1767225600000000007,1,1767380400000000007);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (26,1767380400000000007,X'01',1796078335765848198,1767380400000000007,1,1767380400000000007);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (27,1767380400000000007,'m3 ü',1796078335765848198,1767380400000000007,1,1767380400000000007);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (28,1767380400000000008,20.5,1796078335765848198,1767380400000000008,1,1767380400000000008);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (29,1767380400000000008,X'01',1796078335765848198,1767380400000000008,1,1767380400000000008);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (30,1767380400000000008,'m3 ü',1796078335765848198,1767380400000000008,1,1767380400000000008);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (31,1767380400000000009,20.3,1796078335765848198,1767380400000000009,1,1767380400000000009);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (32,1767380400000000009,X'01',1796078335765848198,1767380400000000009,1,1767380400000000009);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (33,1767380400000000009,'m3 ü',1796078335765848198,1767380400000000009,1,1767380400000000009);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (34,1767380400000000010,20.1,1796078335765848198,1767380400000000010,1,1767380400000000010);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (35,1767380400000000010,X'01',1796078335765848198,1767380400000000010,1,1767380400000000010);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (36,1767380400000000010,'m3 ü',1796078335765848198,1767380400000000010,1,1767380400000000010);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (37,1767380400000000011,20.6,1796078335765848198,1767380400000000011,1,1767380400000000011);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (38,1767380400000000011,X'01',1796078335765848198,1767380400000000011,1,1767380400000000011);
INSERT INTO last (series, time, value, seen, changed, settled, stored_until) VALUES (39,1767380400000000011,'m3 ü',1796078335765848198,1767380400000000011,1,1767380400000000011);
UPDATE sealed SET up_to = 2, wall = 1796078336281130038, next_series = 40;
INSERT INTO agents (agent, boot, seq) VALUES ('gw',5,41);
PRAGMA user_version = 2;
