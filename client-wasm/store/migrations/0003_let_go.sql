-- The last position at which the stream told of a record that left: of a server
-- that goes back behind it the device needs that record again.
ALTER TABLE streams ADD COLUMN let_go INTEGER NOT NULL DEFAULT 0;
