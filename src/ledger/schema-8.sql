-- Batches: what was asked for, and how far it has come. What is done says the output file.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    began_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,       -- when its process last told how far it is
    state TEXT NOT NULL,            -- running, stopped, finished, cancelled, submitted
    via TEXT NOT NULL,              -- calls, or api: the gateway's own batches
    input TEXT NOT NULL,            -- the path of the data set, or -
    output TEXT,                    -- the path of the output; NULL is standard output
    directory TEXT NOT NULL,        -- where the command was given
    command TEXT NOT NULL,          -- its arguments, as a JSON array
    plan TEXT NOT NULL,             -- the hashes of what shapes the requests, as a JSON object
    models TEXT NOT NULL,           -- as a JSON array
    total INTEGER,                  -- rows × models, once all rows were read
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    truncated INTEGER NOT NULL,
    picos INTEGER,                  -- what it has cost, in picodollars; NULL is unknown
    concurrency INTEGER NOT NULL,   -- how many calls may be running
    is_cancelled INTEGER NOT NULL   -- whether another process has asked for its end
) STRICT;

-- The runs of a job. The place of a call in its run is (row - 1) × models + the place of its model.
CREATE TABLE job_runs (
    job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    run TEXT NOT NULL,
    models INTEGER NOT NULL,
    PRIMARY KEY (job, run)
) STRICT, WITHOUT ROWID;

-- What was handed over to the Batch API of a gateway, each batch of it by itself.
CREATE TABLE job_parts (
    job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    model TEXT NOT NULL,            -- as it was asked for
    first INTEGER NOT NULL,         -- the number of its first row
    last INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    remote TEXT,                    -- the gateway's id of it; NULL until that was received
    state TEXT NOT NULL,            -- submitting, submitted, collected
    detail TEXT,                    -- what the gateway said of it last
    PRIMARY KEY (job, part)
) STRICT, WITHOUT ROWID;
