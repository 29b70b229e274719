-- PINs that open a device's store together with the server's half of its key
-- (server/auth/README.md, "PINs"). Times are Unix milliseconds.
CREATE TABLE pins (
  device   TEXT PRIMARY KEY REFERENCES devices (id),
  handle   BLOB NOT NULL CHECK (length(handle) = 32), -- SHA-256 of what only the device's own profile holds
  proof    BLOB NOT NULL CHECK (length(proof) = 32),  -- SHA-256 of what follows from the right PIN
  salt     BLOB NOT NULL CHECK (length(salt) = 32),   -- the server's half follows from it and the server's key
  failures INTEGER NOT NULL DEFAULT 0,                -- wrong PINs since the last right one
  set_at   INTEGER NOT NULL,
  used_at  INTEGER
) STRICT, WITHOUT ROWID;
