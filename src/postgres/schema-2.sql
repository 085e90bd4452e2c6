-- Tables that an llm of version 1 does not need to know.

-- The numbers of the changes that only add something: whoever does not know them can work with the database all the same.
CREATE TABLE schema_additions (version int4 PRIMARY KEY);

-- Batches that several machines do in shards. What shards of one batch have in common is the fingerprint: a hash.
CREATE TABLE batch_jobs (
    id text PRIMARY KEY,        -- uuid
    fingerprint text NOT NULL,
    began_ms int8 NOT NULL,
    of int8 NOT NULL,           -- how many shards
    input text NOT NULL         -- the name of the data set, without its directory
);
CREATE INDEX batch_jobs_fingerprint ON batch_jobs (fingerprint, began_ms);
CREATE TABLE batch_shards (
    id text PRIMARY KEY,        -- uuid of the job in the ledger of its machine
    job text NOT NULL REFERENCES batch_jobs ON DELETE CASCADE,
    shard int8 NOT NULL,        -- from 1
    began_ms int8 NOT NULL,
    seen_ms int8 NOT NULL,
    state text NOT NULL,
    is_replaced bool NOT NULL,  -- another one was begun in its place
    via text NOT NULL,          -- calls, api
    models text NOT NULL,       -- as JSON
    total int8,
    ok int8 NOT NULL,
    failed int8 NOT NULL,
    truncated int8 NOT NULL,
    picos int8
);
CREATE INDEX batch_shards_job ON batch_shards (job, shard);
-- Of each number, one counts.
CREATE UNIQUE INDEX batch_shards_current ON batch_shards (job, shard) WHERE NOT is_replaced;
