-- The calls for which nobody but the demo gateway was asked, so that nothing was paid for them.
CREATE TABLE demo_calls (
    call INTEGER PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE
) STRICT;

INSERT INTO demo_calls
    SELECT c.id FROM calls AS c
    WHERE c.gateway = (SELECT id FROM names WHERE name = 'demo')
        AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.call = c.id AND a.gateway <> c.gateway);
