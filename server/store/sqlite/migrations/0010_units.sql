-- Lists of units that follow the one that the program brings. A list is named by
-- the day from which it is in force.

-- What became of a unit's code: one row for each successor.
CREATE TABLE unit_changes (
  list   TEXT NOT NULL,
  old    TEXT NOT NULL,
  new    TEXT NOT NULL,
  before TEXT NOT NULL, -- the list that gave the old code its meaning
  at     INTEGER NOT NULL,
  PRIMARY KEY (list, old, new)
) STRICT, WITHOUT ROWID;
CREATE INDEX unit_changes_new ON unit_changes (new);

-- Units that a list has new, or under another name.
CREATE TABLE unit_names (
  list    TEXT NOT NULL,
  code    TEXT NOT NULL,
  name_vi TEXT NOT NULL,
  name_en TEXT NOT NULL,
  kind    TEXT NOT NULL CHECK (kind IN ('ward', 'commune', 'special_zone')),
  PRIMARY KEY (list, code)
) STRICT, WITHOUT ROWID;
