-- What was asked, what answered, how long it took and what it cost. Times are microseconds since the call's first
-- request could go out, moments are milliseconds since 1970 (UTC), money is picodollars; NULL is unknown, never zero.

-- Every distinct text of the columns below that are said to hold a name.
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    command TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

-- What was sent, each distinct request once. Without a body where only metadata is kept.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    chars INTEGER NOT NULL,
    body TEXT
) STRICT;

-- Nothing but small numbers, so that a million of them can be read in a moment.
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs (id),
    place INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    asked INTEGER NOT NULL,     -- name
    gateway INTEGER NOT NULL,   -- name
    model INTEGER NOT NULL,     -- name: what answered, or was tried last
    answered INTEGER NOT NULL,  -- whether anything did
    key INTEGER,                -- name
    task INTEGER,               -- name
    tags INTEGER,               -- name: a JSON object with its keys in order
    status INTEGER NOT NULL,    -- name
    error INTEGER,              -- name: the kind
    finish INTEGER,             -- name
    cached INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL, -- attempts at another target than the one before
    input INTEGER,
    cache_read INTEGER,
    cache_write INTEGER,
    output INTEGER,
    reasoning INTEGER,
    cost INTEGER,
    origin INTEGER,             -- name
    retry_cost INTEGER,         -- part of the cost that went into failed attempts
    saved INTEGER,              -- what the provider's cache saved, or our own
    connect_us INTEGER,
    first_byte_us INTEGER,
    first_reasoning_us INTEGER,
    first_token_us INTEGER,
    total_us INTEGER,
    tokens_per_second REAL,
    request INTEGER NOT NULL REFERENCES requests (id)
) STRICT;

CREATE INDEX calls_at ON calls (at_ms);
CREATE INDEX calls_model ON calls (model, at_ms);
CREATE INDEX calls_status ON calls (status, at_ms);
CREATE INDEX calls_tags ON calls (tags, at_ms) WHERE tags IS NOT NULL;
CREATE INDEX calls_run ON calls (run);

-- The rest of each call. The texts are NULL where only metadata is kept.
CREATE TABLE details (
    call INTEGER PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    conversation TEXT,          -- uuid of its first call
    parent TEXT,                -- uuid of the call it continues
    price TEXT,                 -- the rates that the cost was computed from, as JSON
    error TEXT,                 -- as JSON
    answer_chars INTEGER NOT NULL,
    answer TEXT,
    reasoning TEXT,
    signature TEXT,
    tool_calls TEXT             -- as JSON
) STRICT;

CREATE INDEX details_conversation ON details (conversation) WHERE conversation IS NOT NULL;

CREATE TABLE attempts (
    call INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    gateway INTEGER NOT NULL,   -- name
    model INTEGER NOT NULL,     -- name
    status INTEGER,             -- of HTTP
    error TEXT,                 -- as JSON
    start_us INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    cost INTEGER,
    request_id TEXT,
    PRIMARY KEY (call, place)
) STRICT, WITHOUT ROWID;

-- Prompts and answers by their words; a row has the id of its call.
CREATE VIRTUAL TABLE words USING fts5 (prompt, answer, content = '', contentless_delete = 1, detail = 'none');
