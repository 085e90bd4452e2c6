-- Budgets were known by their period and match as JSON, in which a field that is not given is null. From schema 5 on they
-- are known by the period and the fields that are given, in alphabetical order: day key="team-a" tag."app"="bot"
CREATE TEMP TABLE budget_names AS
    SELECT old.budget, (old.budget ->> '$.per') || (
        SELECT coalesce(group_concat(' ' || given.field || '=' || json_quote(given.value), '' ORDER BY place, tag), '')
        FROM (
            SELECT key AS place, key AS field, value, '' AS tag FROM json_each(old.budget, '$.match')
                WHERE type = 'text'
            UNION ALL
            SELECT 'tag', 'tag.' || json_quote(key), value, key FROM json_each(old.budget, '$.match.tag')
        ) AS given
    ) AS name
    FROM (SELECT budget FROM budget_spent UNION SELECT budget FROM budget_leases) AS old
    WHERE json_valid(old.budget);
