-- The keys of the clients of a server.
CREATE TABLE scoped_keys (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,  -- SHA-256 of the secret
    last_four TEXT NOT NULL,
    previous BLOB,              -- of the secret before
    previous_until INTEGER,     -- in seconds since 1970, as all times here but `at_ms`
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    rules TEXT NOT NULL         -- as JSON
) STRICT, WITHOUT ROWID;

-- Who changed which key; the last id tells servers that something has changed.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    key TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- What is left of the rates of keys, and since when, in seconds since 1970.
CREATE TABLE key_rates (
    key TEXT NOT NULL,
    kind TEXT NOT NULL,         -- requests, tokens
    level REAL NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (key, kind)
) STRICT, WITHOUT ROWID;

-- The running requests of keys that limit them, and the servers on which they run.
CREATE TABLE key_requests (
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    server TEXT NOT NULL,
    PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    seen REAL NOT NULL
) STRICT, WITHOUT ROWID;
