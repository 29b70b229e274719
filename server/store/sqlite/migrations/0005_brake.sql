-- How much an author deleted and blanked in a unit on a day (of Vietnam, by the
-- server's clock), for the brake on mass changes.
CREATE TABLE emptied (
  account TEXT NOT NULL,
  unit    TEXT NOT NULL,
  day     INTEGER NOT NULL, -- days since 1970
  records INTEGER NOT NULL,
  fields  INTEGER NOT NULL,
  PRIMARY KEY (account, unit)
) STRICT, WITHOUT ROWID;
