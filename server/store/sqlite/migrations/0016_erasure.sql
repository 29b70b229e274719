-- Erasing records by law. Times are Unix milliseconds of the server's clock.

-- How far a device has confirmed that it let go of what was erased.
ALTER TABLE replicas ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;

-- What was erased, for ever. Numbers are those of the list outside of the database.
CREATE TABLE erased (
  number   INTEGER PRIMARY KEY CHECK (number > 0),
  replica  INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter  INTEGER NOT NULL,
  register TEXT NOT NULL, -- '' if this life of the database never had the record
  unit     TEXT NOT NULL, -- where it lived last, or ''
  at       INTEGER NOT NULL
) STRICT;
CREATE INDEX erased_record ON erased (replica, counter);

-- What people asked for, and what became of it.
CREATE TABLE erasure_requests (
  id        TEXT PRIMARY KEY,
  replica   INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter   INTEGER NOT NULL,
  register  TEXT NOT NULL,
  unit      TEXT NOT NULL,
  ground    TEXT NOT NULL,
  reason    TEXT NOT NULL, -- '' once the record is erased: people name persons in it
  asked_by  TEXT NOT NULL, -- account name
  asked_at  INTEGER NOT NULL,
  state     TEXT NOT NULL CHECK (state IN ('open', 'done', 'declined', 'withdrawn', 'lapsed')),
  closed_by TEXT NOT NULL DEFAULT '',
  closed_at INTEGER NOT NULL DEFAULT 0,
  number    INTEGER NOT NULL DEFAULT 0 -- of the erasure, or 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX erasure_requests_open ON erasure_requests (replica, counter) WHERE state = 'open';
CREATE INDEX erasure_requests_of ON erasure_requests (replica, counter);

-- Decisions gain "erased", and those about a record that was erased lose what they say
-- of its values.
DROP TRIGGER approvals_are_append_only_update;
DROP TRIGGER approvals_are_append_only_delete;
DROP INDEX approvals_feed;
DROP INDEX approvals_day;
DROP INDEX approvals_returned;
ALTER TABLE approvals RENAME TO approvals_before;
CREATE TABLE approvals (
  replica    INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter    INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq > 0),          -- per record, from 1
  register   INTEGER NOT NULL REFERENCES registers (no),
  unit       TEXT NOT NULL,
  revision   INTEGER NOT NULL CHECK (revision >= 0),    -- of the hub's feed; 0: nothing changes there
  op         TEXT NOT NULL CHECK (op IN ('', 'upsert', 'delete', 'retract')),
  decision   TEXT NOT NULL CHECK (decision IN ('approved', 'returned', 'refused', 'withdrawn', 'settled', 'moved', 'erased')),
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
INSERT INTO approvals (replica, counter, seq, register, unit, revision, op, decision, definition, at, decider, dots, hash, explicit, fields, comment, question, other)
  SELECT replica, counter, seq, register, unit, revision, op, decision, definition, at, decider, dots, hash, explicit, fields, comment, question, other FROM approvals_before;
DROP TABLE approvals_before;
CREATE UNIQUE INDEX approvals_feed ON approvals (unit, register, revision) WHERE revision > 0;
CREATE INDEX approvals_day ON approvals (unit, at);
CREATE INDEX approvals_returned ON approvals (unit) WHERE decision = 'returned';
CREATE TRIGGER approvals_are_append_only_update BEFORE UPDATE ON approvals
WHEN NOT EXISTS (SELECT 1 FROM erased e WHERE e.replica = OLD.replica AND e.counter = OLD.counter)
  OR (NEW.replica, NEW.counter, NEW.seq, NEW.register, NEW.unit, NEW.revision, NEW.op, NEW.decision, NEW.definition, NEW.at, NEW.decider, NEW.dots, NEW.other)
    IS NOT (OLD.replica, OLD.counter, OLD.seq, OLD.register, OLD.unit, OLD.revision, OLD.op, OLD.decision, OLD.definition, OLD.at, OLD.decider, OLD.dots, OLD.other)
  OR (NEW.hash, NEW.explicit, NEW.fields, NEW.comment, NEW.question) IS NOT (zeroblob(32), '', '', '', '')
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approvals_are_append_only_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;
