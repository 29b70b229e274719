-- Supervisors' decisions. Times are Unix milliseconds of the server's clock.

-- Every decision about a record, for ever. A row holds the whole approved
-- version after it, as the dots of the writes that stand approved; the values
-- themselves are in the history.
CREATE TABLE approvals (
  replica    INTEGER NOT NULL REFERENCES replicas (no), -- of the record's id
  counter    INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq > 0),          -- per record, from 1
  register   INTEGER NOT NULL REFERENCES registers (no),
  unit       TEXT NOT NULL,
  revision   INTEGER NOT NULL CHECK (revision >= 0),    -- of the hub's feed; 0: nothing changes there
  op         TEXT NOT NULL CHECK (op IN ('', 'upsert', 'delete', 'retract')),
  decision   TEXT NOT NULL CHECK (decision IN ('approved', 'returned', 'refused', 'withdrawn', 'settled')),
  definition INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  decider    TEXT NOT NULL,                             -- account name
  dots       TEXT NOT NULL,
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  explicit   TEXT NOT NULL DEFAULT '',                  -- JSON, by field key, or ''
  fields     TEXT NOT NULL DEFAULT '',                  -- names, by comma
  comment    TEXT NOT NULL DEFAULT '',
  question   TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (replica, counter, seq),
  CHECK ((revision = 0) = (op = ''))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX approvals_feed ON approvals (unit, register, revision) WHERE revision > 0;
CREATE INDEX approvals_day ON approvals (unit, at);

CREATE TRIGGER approvals_are_append_only_update BEFORE UPDATE ON approvals
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approvals_are_append_only_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE (ABORT, 'approvals are append-only'); END;

-- The last revision given out for the hub, per unit and register.
CREATE TABLE revisions (
  unit     TEXT NOT NULL,
  register TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (unit, register)
) STRICT, WITHOUT ROWID;

-- Where the writes of a released changeset went: the write that had counter
-- counter+i of the quarantined one has dot to_counter+i of replica to_replica.
CREATE TABLE releases (
  replica    INTEGER NOT NULL REFERENCES replicas (no),
  counter    INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  to_replica INTEGER NOT NULL REFERENCES replicas (no),
  to_counter INTEGER NOT NULL,
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;
