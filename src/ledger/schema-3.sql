-- What may have been billed though nobody told; NULL in calls that were recorded before.
ALTER TABLE attempts ADD COLUMN maybe_billed INTEGER;
-- How many of its attempts.
ALTER TABLE calls ADD COLUMN maybe_billed INTEGER;
