-- What servers on several machines share. Money is picodollars; moments are milliseconds since 1970 where the name ends with
-- _ms, else seconds; NULL is unknown, never zero.

-- A call each. `record` is all of it but the texts, as JSON, and what the other columns say comes from there.
CREATE TABLE calls (
    uuid text PRIMARY KEY,
    run text NOT NULL,
    at_ms int8 NOT NULL,
    asked text NOT NULL,
    gateway text NOT NULL,
    model text NOT NULL,
    key text,
    task text,
    status text NOT NULL,
    is_demo bool NOT NULL,
    cost int8,
    first_token_us int8,    -- where the first request of the call was answered
    record text NOT NULL,
    request text,           -- as JSON; NULL where only metadata is kept
    answer text             -- as JSON, likewise
);
CREATE INDEX calls_at ON calls (at_ms);
CREATE INDEX calls_key ON calls (key, at_ms) WHERE key IS NOT NULL;
CREATE INDEX calls_model ON calls (gateway, model, at_ms);
CREATE INDEX calls_run ON calls (run);

-- What budgets have spent, each window by itself.
CREATE TABLE budget_windows (
    budget text NOT NULL,
    began int8 NOT NULL,
    picos int8 NOT NULL,
    estimated int8 NOT NULL,    -- the part of it that no gateway told
    PRIMARY KEY (budget, began)
);
-- What requests that were sent may come to cost, until their cost is known. A row stays where its process ends before
-- that, and counts.
CREATE TABLE budget_reservations (
    budget text NOT NULL,
    began int8 NOT NULL,
    reservation text NOT NULL,  -- uuid
    picos int8 NOT NULL,
    expires int8 NOT NULL,
    process text NOT NULL,
    PRIMARY KEY (budget, began, reservation)
);

-- The keys of the clients of servers.
CREATE TABLE scoped_keys (
    name text PRIMARY KEY,
    hash bytea NOT NULL UNIQUE, -- SHA-256 of the secret
    last_four text NOT NULL,
    previous bytea,             -- of the secret before
    previous_until int8,
    created int8 NOT NULL,
    expires int8,
    revoked int8,
    rules text NOT NULL         -- as JSON
);
-- Who changed which key; the last id tells servers that something has changed.
CREATE TABLE audit (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms int8 NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    key text NOT NULL,
    detail text NOT NULL
);

-- What is left of the rates of keys, and since when.
CREATE TABLE key_rates (
    key text NOT NULL,
    kind text NOT NULL,         -- requests, tokens
    level float8 NOT NULL,
    at float8 NOT NULL,
    PRIMARY KEY (key, kind)
);
-- The servers, and the running requests of keys that limit them.
CREATE TABLE servers (
    id text PRIMARY KEY,
    seen float8 NOT NULL
);
CREATE TABLE key_requests (
    key text NOT NULL,
    id text NOT NULL,
    server text NOT NULL,
    PRIMARY KEY (key, id)
);
