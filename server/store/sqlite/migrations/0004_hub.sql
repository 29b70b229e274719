-- What the hub's feed derives and keeps, so that counting does not read every
-- record's history again. The table can be emptied without loss.

CREATE TABLE hub_content (
  unit     TEXT NOT NULL,
  register TEXT NOT NULL,
  revision INTEGER NOT NULL,
  sha256   BLOB NOT NULL CHECK (length(sha256) = 32), -- over the canonical JSON of the item's data
  PRIMARY KEY (unit, register, revision)
) STRICT, WITHOUT ROWID;
