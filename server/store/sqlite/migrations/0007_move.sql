-- Records that go from one unit to another.

-- What a device is known to have held when it had used which counters.
ALTER TABLE replicas ADD COLUMN told TEXT NOT NULL DEFAULT '';

-- In the feed of a unit, the records that left it and did not come back.
CREATE TABLE departed (
  replica   INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter   INTEGER NOT NULL,
  unit      TEXT NOT NULL,
  register  INTEGER NOT NULL REFERENCES registers (no),
  position  INTEGER NOT NULL,
  sensitive INTEGER NOT NULL, -- the same for the sensitive stream, 0 if the record was not in it
  PRIMARY KEY (replica, counter, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX departed_stream ON departed (unit, register, position);

-- Records that wait for their unit to accept or return them.
CREATE TABLE arrivals (
  replica INTEGER NOT NULL REFERENCES replicas (no),
  counter INTEGER NOT NULL,
  unit    TEXT NOT NULL,
  origin  TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;
CREATE INDEX arrivals_of ON arrivals (unit, at);

-- Decisions gain "moved", which is nobody's: what stood approved goes along.
DROP TRIGGER approvals_are_append_only_update;
DROP TRIGGER approvals_are_append_only_delete;
DROP INDEX approvals_feed;
DROP INDEX approvals_day;
ALTER TABLE approvals RENAME TO approvals_before;
CREATE TABLE approvals (
  replica    INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter    INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq > 0),          -- per record, from 1
  register   INTEGER NOT NULL REFERENCES registers (no),
  unit       TEXT NOT NULL,
  revision   INTEGER NOT NULL CHECK (revision >= 0),    -- of the hub's feed; 0: nothing changes there
  op         TEXT NOT NULL CHECK (op IN ('', 'upsert', 'delete', 'retract')),
  decision   TEXT NOT NULL CHECK (decision IN ('approved', 'returned', 'refused', 'withdrawn', 'settled', 'moved')),
  definition INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  decider    TEXT NOT NULL,                             -- account name
  dots       TEXT NOT NULL,
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  explicit   TEXT NOT NULL DEFAULT '',                  -- JSON, by field key, or ''
  fields     TEXT NOT NULL DEFAULT '',                  -- names, by comma
  comment    TEXT NOT NULL DEFAULT '',
  question   TEXT NOT NULL DEFAULT '',
  other      TEXT NOT NULL DEFAULT '',                  -- of a move: the unit it went to, or came from
  PRIMARY KEY (replica, counter, seq),
  CHECK ((revision = 0) = (op = ''))
) STRICT, WITHOUT ROWID;
INSERT INTO approvals (replica, counter, seq, register, unit, revision, op, decision, definition, at, decider, dots, hash, explicit, fields, comment, question)
  SELECT replica, counter, seq, register, unit, revision, op, decision, definition, at, decider, dots, hash, explicit, fields, comment, question FROM approvals_before;
DROP TABLE approvals_before;
CREATE UNIQUE INDEX approvals_feed ON approvals (unit, register, revision) WHERE revision > 0;
CREATE INDEX approvals_day ON approvals (unit, at);
CREATE TRIGGER approvals_are_append_only_update BEFORE UPDATE ON approvals
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approvals_are_append_only_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;
