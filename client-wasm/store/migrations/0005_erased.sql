-- Records that were erased by law, as far as this device was told: nothing is kept
-- of them any more.
CREATE TABLE erased (
    id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
-- Of a changeset of which something was erased the hash is still that of what was
-- made; this is the hash of the bytes that are left.
ALTER TABLE outbox ADD COLUMN left_hash BLOB;
-- 1: the page shows what was erased, and goes once its stream was received again.
ALTER TABLE pages ADD COLUMN spoilt INTEGER NOT NULL DEFAULT 0;
CREATE INDEX pages_spoilt ON pages (unit, register, class) WHERE spoilt = 1;
