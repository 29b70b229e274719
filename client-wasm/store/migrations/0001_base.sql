-- A record id is a BLOB of 24 bytes: the replica, then the counter with its
-- highest byte first, so that ids sort as package conflict sorts dots.

-- What the store says of itself; JSON.
CREATE TABLE meta (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body BLOB NOT NULL
) STRICT;

-- What the server said of each record (base), and what its head is found by.
CREATE TABLE records (
    no       INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL,
    register TEXT    NOT NULL,
    unit     TEXT    NOT NULL,
    leaving  INTEGER NOT NULL, -- 1: out of scope, forgotten once nothing of it is pending
    flags    INTEGER NOT NULL, -- replica.Flags
    sort     BLOB    NOT NULL, -- unique, for it ends with the id
    search   TEXT    NOT NULL, -- register.SearchText of the head
    keys     BLOB    NOT NULL, -- the hashes of table lookups, 8 bytes each
    base     BLOB    NOT NULL  -- record.AppendState without positions
) STRICT;
CREATE UNIQUE INDEX records_by_id ON records (id);
-- Lists and searches read this index only.
CREATE INDEX records_listed ON records (register, sort, flags, search);
-- What needs somebody is counted at the start: FlagConflict, FlagReturned,
-- FlagRefused, FlagQuarantined.
CREATE INDEX records_flagged ON records (flags) WHERE flags & 113 <> 0;

CREATE TABLE lookups (
    key INTEGER NOT NULL,
    id  BLOB    NOT NULL,
    PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;

-- The changesets that were made here.
CREATE TABLE outbox (
    no       INTEGER PRIMARY KEY, -- order of making
    replica  BLOB    NOT NULL,
    first    INTEGER NOT NULL,    -- counter of its first write
    last     INTEGER NOT NULL,
    at       INTEGER NOT NULL,    -- device clock, Unix milliseconds
    received INTEGER NOT NULL,    -- server clock of its receipt, 0 before
    refusal  BLOB,                -- JSON: why it is in quarantine
    replaced BLOB,                -- JSON: the values it took the place of
    hash     BLOB    NOT NULL,
    body     BLOB    NOT NULL     -- canonical bytes
) STRICT;
CREATE UNIQUE INDEX outbox_by_counter ON outbox (replica, first);

-- Which records a changeset touches.
CREATE TABLE touches (
    id BLOB    NOT NULL,
    no INTEGER NOT NULL REFERENCES outbox (no) ON DELETE CASCADE,
    PRIMARY KEY (id, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX touches_by_no ON touches (no);

CREATE TABLE streams (
    unit           TEXT    NOT NULL,
    register       TEXT    NOT NULL,
    class          INTEGER NOT NULL,
    neighbourhoods BLOB    NOT NULL, -- JSON
    priority       INTEGER NOT NULL,
    cursor         INTEGER NOT NULL,
    floor          INTEGER NOT NULL, -- last position at which the stream was whole
    head           INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    have           INTEGER NOT NULL,
    granted        INTEGER NOT NULL,
    code           INTEGER NOT NULL,
    withdrawn      INTEGER NOT NULL,
    PRIMARY KEY (unit, register, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE definitions (
    register TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    PRIMARY KEY (register, version)
) STRICT;

CREATE TABLE drafts (
    key    TEXT    PRIMARY KEY,
    opened INTEGER NOT NULL,
    body   BLOB    NOT NULL -- JSON
) STRICT;

-- What came of forms, so that a repeated save gives the first result.
CREATE TABLE saved (
    key       TEXT    PRIMARY KEY,
    id        BLOB    NOT NULL,
    submitted INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX saved_by_time ON saved (at);

CREATE TABLE hubmarks (
    unit     TEXT    NOT NULL,
    register TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (unit, register)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    no        INTEGER PRIMARY KEY,
    replica   BLOB    NOT NULL,
    through   INTEGER NOT NULL,
    received  INTEGER NOT NULL,
    marks     BLOB    NOT NULL, -- JSON
    signature BLOB    NOT NULL
) STRICT;

CREATE TABLE reveals (
    no    INTEGER PRIMARY KEY AUTOINCREMENT,
    id    BLOB    NOT NULL,
    field TEXT    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
