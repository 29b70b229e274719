-- Pages that no backup of the server holds yet, as they came and in that order:
-- what a restored server has lost is given back from here.
CREATE TABLE pages (
    no       INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch    BLOB    NOT NULL, -- in which it was signed
    unit     TEXT    NOT NULL,
    register TEXT    NOT NULL,
    class    INTEGER NOT NULL,
    through  INTEGER NOT NULL, -- the last position that it brings
    given    BLOB,             -- epoch in which it was given back
    given_at INTEGER NOT NULL DEFAULT 0, -- position of that epoch's feed which shows it
    body     BLOB    NOT NULL
) STRICT;
CREATE INDEX pages_by_epoch ON pages (epoch, given);
