-- For people who open the file with a tool of SQLite: a row a call. The program itself does not read it.
CREATE VIEW calls_readable AS
SELECT
    c.uuid AS id,
    r.uuid AS run,
    r.command,
    strftime('%Y-%m-%d %H:%M:%f', c.at_ms / 1000.0, 'unixepoch') AS at_utc,
    (SELECT name FROM names WHERE id = c.asked) AS asked,
    (SELECT name FROM names WHERE id = c.model) AS model,
    (SELECT name FROM names WHERE id = c.gateway) AS gateway,
    (SELECT name FROM names WHERE id = c.key) AS key,
    (SELECT name FROM names WHERE id = c.task) AS task,
    (SELECT name FROM names WHERE id = c.tags) AS tags,
    (SELECT name FROM names WHERE id = c.status) AS status,
    (SELECT name FROM names WHERE id = c.error) AS error,
    c.first_token_us / 1000.0 AS first_token_ms,
    c.total_us / 1000.0 AS total_ms,
    c.input AS input_tokens,
    c.output AS output_tokens,
    iif(
        c.cost IS NULL,
        NULL,
        rtrim(rtrim(printf('%d.%012d', c.cost / 1000000000000, c.cost % 1000000000000), '0'), '.')
    ) AS cost_usd,
    (SELECT name FROM names WHERE id = c.origin) AS cost_origin,
    (SELECT group_concat(json_extract(part.value, '$.text'), char(10))
     FROM json_each(q.body, '$.messages') AS message, json_each(message.value, '$.parts') AS part
     WHERE json_extract(message.value, '$.role') = 'user') AS prompt,
    d.answer
FROM calls AS c
JOIN runs AS r ON r.id = c.run
JOIN requests AS q ON q.id = c.request
JOIN details AS d ON d.call = c.id;
