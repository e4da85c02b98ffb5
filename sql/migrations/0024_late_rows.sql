-- Late rows: on which days rows of a day became known, where that was later than whoever reads them looks back.

ALTER TABLE ops.published_days ADD COLUMN late_on date[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN ops.published_days.late_on IS
    'Days on which rows of this day first became known, where that was more than 30 days later. Whatever is made of rows by the day '
    'on which they became known finds them by it. Days published before the column was there have none until they are judged again.';

-- Lists that were kept elsewhere for years became known as a whole; features have seen them since.
UPDATE ops.published_days AS p
SET late_on = l.known_on
FROM (
    SELECT
        (listed_at AT TIME ZONE 'UTC')::date AS day,
        array_agg(DISTINCT (known_at AT TIME ZONE 'UTC')::date ORDER BY (known_at AT TIME ZONE 'UTC')::date) AS known_on
    FROM ticketing.watch_list
    WHERE (known_at AT TIME ZONE 'UTC')::date - (listed_at AT TIME ZONE 'UTC')::date > 30
    GROUP BY 1
) AS l
WHERE p.domain = 'ticketing' AND p.table_name = 'watch_list' AND p.day = l.day;
