-- What a verified backup holds: up to which position of each unit's feed, in
-- the present epoch. How far it holds the replicas stands with them.

CREATE TABLE backed_up (
  unit     TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
