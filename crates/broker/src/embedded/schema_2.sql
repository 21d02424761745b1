-- What the payload was when it was published: the first 8 bytes of its SHA-256. Null for jobs of version 1 and
-- for dead letters that somebody made jobs again.
ALTER TABLE jobs ADD COLUMN checksum INTEGER;
