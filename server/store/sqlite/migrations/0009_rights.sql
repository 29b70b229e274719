-- Rights that accounts had and have no more: an offline write is judged by those
-- that its device had last been told of. Version n of an account's rights is its
-- n-th row; the present one is one more than the last.
CREATE TABLE account_rights (
  account   TEXT NOT NULL, -- name
  version   INTEGER NOT NULL CHECK (version > 0),
  unit      TEXT NOT NULL,
  sensitive INTEGER NOT NULL CHECK (sensitive IN (0, 1)),
  ended_at  INTEGER NOT NULL,
  PRIMARY KEY (account, version)
) STRICT, WITHOUT ROWID;
