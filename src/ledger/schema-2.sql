-- What budgets have spent, each window by itself.
CREATE TABLE budget_spent (
    budget TEXT NOT NULL,       -- what it matches and how often it begins anew, as JSON
    began INTEGER NOT NULL,     -- of the window, in seconds since 1970
    picos INTEGER NOT NULL,
    estimated INTEGER NOT NULL, -- part of it that nobody told
    PRIMARY KEY (budget, began)
) STRICT, WITHOUT ROWID;

-- What calls that are under way may come to cost.
CREATE TABLE budget_leases (
    lease TEXT NOT NULL,        -- uuid
    budget TEXT NOT NULL,
    began INTEGER NOT NULL,
    picos INTEGER NOT NULL,
    expires INTEGER NOT NULL,   -- in seconds since 1970
    process TEXT NOT NULL,      -- what tells a process that is gone from one that has its number now
    PRIMARY KEY (lease, budget)
) STRICT, WITHOUT ROWID;
