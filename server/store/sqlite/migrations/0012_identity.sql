-- What becomes of replicas. Times are Unix milliseconds of the server's clock, 0
-- for never.
ALTER TABLE replicas ADD COLUMN parted INTEGER NOT NULL DEFAULT 0;      -- a copy of it was told to take another id, and has not come back under one
ALTER TABLE replicas ADD COLUMN vanished_at INTEGER NOT NULL DEFAULT 0; -- its device came back with an empty store
ALTER TABLE replicas ADD COLUMN retired_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX replicas_by_device ON replicas (account, device);

-- Retirements, numbered without gaps: after one no write of the replica with a
-- counter above the last is ever stored.
CREATE TABLE retirements (
  number  INTEGER PRIMARY KEY,
  epoch   BLOB NOT NULL,
  replica INTEGER NOT NULL UNIQUE REFERENCES replicas (no),
  last    INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  why     TEXT NOT NULL CHECK (why IN ('vanished', 'silent'))
) STRICT;
