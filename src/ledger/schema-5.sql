-- What budgets have spent, each window by itself.
CREATE TABLE budget_windows (
    budget TEXT NOT NULL,       -- its period and name, or else its period and match
    began INTEGER NOT NULL,     -- in seconds since 1970
    picos INTEGER NOT NULL,
    estimated INTEGER NOT NULL, -- the part of it that no gateway told
    PRIMARY KEY (budget, began)
) STRICT, WITHOUT ROWID;

-- What requests that were sent may come to cost, until their cost is known. A row stays where its process ends before
-- that, and counts.
CREATE TABLE budget_reservations (
    budget TEXT NOT NULL,
    began INTEGER NOT NULL,     -- of the window, in seconds since 1970
    reservation TEXT NOT NULL,  -- uuid
    picos INTEGER NOT NULL,
    expires INTEGER NOT NULL,   -- in seconds since 1970
    process TEXT NOT NULL,      -- the owner: its number, its boot and PID namespace, its start
    PRIMARY KEY (budget, began, reservation)
) STRICT, WITHOUT ROWID;

INSERT INTO budget_windows
    SELECT name, began, picos, estimated FROM budget_spent JOIN budget_names USING (budget);
-- What had expired was free until now.
INSERT INTO budget_reservations
    SELECT name, began, lease, picos, expires, process FROM budget_leases JOIN budget_names USING (budget)
    WHERE expires >= unixepoch();
DROP TABLE budget_names;
DROP TABLE budget_spent;
DROP TABLE budget_leases;
