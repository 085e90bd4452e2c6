-- What scorers and judges said of answers. A row may be written before its call, so it is known by the uuid alone.
CREATE TABLE scores (
    call TEXT NOT NULL,         -- uuid
    place INTEGER NOT NULL,
    scorer TEXT NOT NULL,       -- as the user wrote it; judge: all judges together; judge:NAME: one of them
    weight REAL NOT NULL,       -- 0 where it counts as part of another one
    score REAL,                 -- NULL where it is not known
    reason TEXT,                -- NULL where only metadata is kept
    PRIMARY KEY (call, place)
) STRICT, WITHOUT ROWID;

-- Which answers of a run a person liked best.
CREATE TABLE votes (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,          -- uuid
    at_ms INTEGER NOT NULL,
    task TEXT
) STRICT;

-- The answers of a vote. One that was chosen won against those that were not; several that were chosen are equal.
CREATE TABLE ballots (
    vote INTEGER NOT NULL REFERENCES votes (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,     -- in the order in which they were shown
    call TEXT NOT NULL,         -- uuid
    chosen INTEGER NOT NULL,
    PRIMARY KEY (vote, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX ballots_call ON ballots (call);

CREATE TRIGGER scores_of_deleted_calls AFTER DELETE ON calls BEGIN
    DELETE FROM scores WHERE call = OLD.uuid;
    DELETE FROM votes WHERE id IN (SELECT vote FROM ballots WHERE call = OLD.uuid);
END;
