-- Writes that a restored server had lost and knows again from pages that it once
-- signed. A write's changeset may come yet; then its row in intake speaks.

CREATE TABLE given_back (
  record_replica INTEGER NOT NULL REFERENCES replicas (no),
  record_counter INTEGER NOT NULL,
  replica        INTEGER NOT NULL REFERENCES replicas (no),
  counter        INTEGER NOT NULL,
  unit           TEXT NOT NULL,
  received       INTEGER NOT NULL, -- as the page said
  position       INTEGER NOT NULL, -- of the feed at which it was applied, or 0
  aside          INTEGER NOT NULL CHECK (aside IN (0, 1)), -- in quarantine
  body           BLOB NOT NULL,    -- as a changeset of this write alone
  PRIMARY KEY (record_replica, record_counter, replica, counter)
) STRICT, WITHOUT ROWID;

-- Records whose review was given back and does not stand among the approvals
-- yet: of what it approved something is still to come.
CREATE TABLE unsealed (
  replica INTEGER NOT NULL REFERENCES replicas (no),
  counter INTEGER NOT NULL,
  PRIMARY KEY (replica, counter)
) STRICT, WITHOUT ROWID;
