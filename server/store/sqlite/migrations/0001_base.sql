-- Accounts, devices, tokens, codes and the audit log. Times are Unix
-- milliseconds, UTC; an absent time is NULL. Secrets are stored as hashes only.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  id                TEXT PRIMARY KEY,
  name              TEXT NOT NULL UNIQUE,  -- NFC, lower case
  display_name      TEXT NOT NULL,
  role              TEXT NOT NULL CHECK (role IN ('officer', 'supervisor', 'hub', 'admin')),
  unit              TEXT CHECK (unit IS NULL OR length(unit) = 5),
  sensitive         INTEGER NOT NULL CHECK (sensitive IN (0, 1)),
  disabled          INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  password_hash     TEXT NOT NULL,
  must_change       INTEGER NOT NULL CHECK (must_change IN (0, 1)),
  first_device_free INTEGER NOT NULL CHECK (first_device_free IN (0, 1)),
  created_at        INTEGER NOT NULL,
  changed_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  id           TEXT PRIMARY KEY,
  account      TEXT NOT NULL REFERENCES accounts (id),
  label        TEXT NOT NULL,
  enrolled_at  INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  revoked_at   INTEGER,
  reason       TEXT NOT NULL DEFAULT '',
  lost         INTEGER NOT NULL DEFAULT 0 CHECK (lost IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_account ON devices (account);

CREATE TABLE refresh_families (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL REFERENCES accounts (id),
  device     TEXT NOT NULL REFERENCES devices (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  reason     TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_families_by_account ON refresh_families (account);
CREATE INDEX refresh_families_by_device ON refresh_families (device);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
  hash      BLOB PRIMARY KEY CHECK (length(hash) = 32),
  family    TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
  issued_at INTEGER NOT NULL,
  used_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);

CREATE TABLE enrolment_codes (
  hash        BLOB PRIMARY KEY CHECK (length(hash) = 32),
  account     TEXT NOT NULL REFERENCES accounts (id),
  issued_by   TEXT NOT NULL,
  issued_at   INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  used_at     INTEGER,
  used_device TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_codes_by_account ON enrolment_codes (account);

CREATE TABLE login_throttle (
  key           BLOB PRIMARY KEY CHECK (length(key) = 32),
  failures      INTEGER NOT NULL,
  last_at       INTEGER NOT NULL,
  blocked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_throttle_by_time ON login_throttle (last_at);

CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  device  TEXT NOT NULL,
  action  TEXT NOT NULL,
  unit    TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL,
  prev    BLOB NOT NULL CHECK (length(prev) = 32),
  hash    BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The chain of hashes shows a change; these make it hard to do by mistake.
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'audit is append-only'); END;
