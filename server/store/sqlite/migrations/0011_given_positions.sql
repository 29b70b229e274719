-- The feed positions that were taken by what was given back. A write may take
-- several, when it is given back again with a later receipt.

CREATE TABLE given_positions (
  unit     TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (unit, position)
) STRICT, WITHOUT ROWID;
INSERT INTO given_positions (unit, position) SELECT DISTINCT unit, position FROM given_back WHERE position > 0;
