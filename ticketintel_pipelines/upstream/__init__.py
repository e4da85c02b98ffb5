"""Upstream: rows taken from the platform's own PostgreSQL, increment by increment, into the raw stage of the lake.

It lands the same fragments as `intake/` does from files, so that everything downstream is one path. It knows no domain and no
Dagster, and never writes to the source. The role that reads needs no more than this (a schema of views serves as well):

    CREATE ROLE ticketintel_reader LOGIN PASSWORD '…';
    GRANT CONNECT ON DATABASE platform TO ticketintel_reader;
    GRANT USAGE ON SCHEMA public TO ticketintel_reader;
    GRANT SELECT ON public.users, public.orders … TO ticketintel_reader;
    GRANT pg_read_all_stats TO ticketintel_reader;   -- optional: lets it see how long transactions are open

Each table has its declared columns, `updated_at`, and `deleted_at` where rows are deleted softly. An index on `updated_at`
makes an increment cost what is new. What no watermark can see: a row deleted hard (it stays published as it was), a change that
leaves an `updated_at` from before the overlap as it was, and one dated earlier than that when it is committed, where the role
does not see transactions.

Rows of days before the pipeline's first day are passed over. To take a table anew, delete its row of `ops.platform_watermarks`:
rows that were taken before are then exact duplicates, which validation drops and counts.
"""
