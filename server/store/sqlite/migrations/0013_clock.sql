-- By how many milliseconds the clock of a replica's device was ahead of the server's
-- when it was last seen: what people are told beside the times that it wrote.
ALTER TABLE replicas ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
