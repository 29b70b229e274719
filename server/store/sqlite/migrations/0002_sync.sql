-- Replicas, changesets, records and their feed. Counters and positions are
-- 64-bit integers; times are Unix milliseconds of the server's clock.

CREATE TABLE epochs (
  seq      INTEGER PRIMARY KEY,
  token    BLOB NOT NULL UNIQUE CHECK (length(token) = 16),
  server   BLOB NOT NULL UNIQUE CHECK (length(server) = 16), -- replica of the server's own writes
  counter  INTEGER NOT NULL,                                 -- of its last write
  began_at INTEGER NOT NULL
) STRICT;
INSERT INTO epochs (seq, token, server, counter, began_at)
VALUES (1, randomblob(16), randomblob(16), 0, unixepoch('subsec') * 1000);

-- Up to which position an earlier epoch agrees with the present one.
CREATE TABLE forks (
  epoch    BLOB NOT NULL,
  unit     TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (epoch, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE replicas (
  no        INTEGER PRIMARY KEY,
  id        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  account   TEXT NOT NULL, -- '' for a replica known only by what others wrote about its records
  device    TEXT NOT NULL,
  epoch     BLOB NOT NULL,
  current   BLOB NOT NULL,
  previous  BLOB NOT NULL,
  acked     INTEGER NOT NULL,
  backed_up INTEGER NOT NULL,
  seen_at   INTEGER NOT NULL,
  trouble   INTEGER NOT NULL,
  app       TEXT NOT NULL DEFAULT '',
  unsent    INTEGER NOT NULL DEFAULT 0,
  oldest    INTEGER NOT NULL DEFAULT 0,
  headroom  INTEGER NOT NULL DEFAULT 0,
  told_at   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX replicas_by_account ON replicas (account);

-- Every changeset of an authenticated device, for ever: history and intake in
-- one. The key is what makes a repeat a repeat.
CREATE TABLE intake (
  replica  INTEGER NOT NULL REFERENCES replicas (no),
  counter  INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  hash     BLOB NOT NULL,
  unit     TEXT NOT NULL,
  received INTEGER NOT NULL,
  body     BLOB NOT NULL,
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;

-- Which changesets touched a record.
CREATE TABLE history (
  record_replica INTEGER NOT NULL,
  record_counter INTEGER NOT NULL,
  replica        INTEGER NOT NULL,
  counter        INTEGER NOT NULL,
  PRIMARY KEY (record_replica, record_counter, replica, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
  replica    INTEGER NOT NULL REFERENCES replicas (no),
  counter    INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  unit       TEXT NOT NULL,
  author     TEXT NOT NULL,
  code       INTEGER NOT NULL,
  detail     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  settled    TEXT NOT NULL DEFAULT '' CHECK (settled IN ('', 'released', 'rejected')),
  settled_by TEXT NOT NULL DEFAULT '',
  settled_at INTEGER NOT NULL DEFAULT 0,
  reason     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_open ON quarantine (unit, at) WHERE settled = '';

CREATE TABLE registers (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE records (
  replica       INTEGER NOT NULL REFERENCES replicas (no),
  counter       INTEGER NOT NULL,
  register      INTEGER NOT NULL REFERENCES registers (no),
  unit          TEXT NOT NULL,
  neighbourhood TEXT NOT NULL,
  position      INTEGER NOT NULL,
  sensitive     INTEGER NOT NULL,
  kind          INTEGER NOT NULL,
  waiting_since INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  state         BLOB NOT NULL,
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_stream ON records (unit, register, position);
CREATE INDEX records_sensitive ON records (unit, register, sensitive) WHERE sensitive > 0;
CREATE INDEX records_waiting ON records (unit, kind, waiting_since) WHERE kind > 0;

CREATE TABLE positions (
  unit     TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_marks (
  unit     TEXT NOT NULL,
  register TEXT NOT NULL,
  revision INTEGER NOT NULL, -- acknowledged by the hub
  PRIMARY KEY (unit, register)
) STRICT, WITHOUT ROWID;
