-- Addresses of clients are stored nowhere any more: a keyed hash of each is kept, and one of its network block. The key belongs
-- to the pipeline and not to the database, so what stands here already is digested with a random salt that is thrown away: equal
-- addresses stay equal among these rows, they cannot be joined with rows that come from now on, and nobody can try addresses out.
-- The days of these rows are noted as stale. The next run works them out again from the lake, with the key.

SELECT set_config('ticketintel.salt', gen_random_uuid()::text || gen_random_uuid()::text, true);

CREATE FUNCTION pg_temp.digest(value text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT left(encode(sha256(convert_to(current_setting('ticketintel.salt') || value, 'UTF8')), 'hex'), 32)
$$;

CREATE FUNCTION pg_temp.block_digest(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN pg_temp.digest('block' || set_masklen(address::inet, CASE family(address::inet) WHEN 4 THEN 24 ELSE 48 END)::cidr);
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- To one decimal of a degree: a finer place is personal data, too.
CREATE FUNCTION pg_temp.coarse(degrees double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT round(degrees::numeric, 1)::double precision
$$;

CREATE FUNCTION pg_temp.hidden(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN NOT content ? 'ip_address' THEN content
        ELSE (content - 'ip_address' - 'latitude' - 'longitude')
            || jsonb_build_object('ip_hash', pg_temp.digest(content ->> 'ip_address'),
                                  'ip_block_hash', pg_temp.block_digest(content ->> 'ip_address'))
            || CASE WHEN NOT content ? 'latitude' THEN '{}'::jsonb
               ELSE jsonb_build_object('latitude', pg_temp.coarse((content ->> 'latitude')::double precision),
                                       'longitude', pg_temp.coarse((content ->> 'longitude')::double precision)) END
    END
$$;

-- A column's type is changed to itself rather than its rows updated: that writes the whole table anew, so that no address is
-- left behind on its pages.
ALTER TABLE ticketing.sessions
    ADD COLUMN ip_block_hash text,
    ALTER COLUMN latitude TYPE double precision USING pg_temp.coarse(latitude),
    ALTER COLUMN longitude TYPE double precision USING pg_temp.coarse(longitude);
ALTER TABLE ticketing.security_events ADD COLUMN ip_block_hash text;
ALTER TABLE ticketing.api_requests ADD COLUMN ip_block_hash text;
ALTER TABLE ticketing.sessions
    ALTER COLUMN ip_block_hash TYPE text USING pg_temp.block_digest(ip_address),
    ALTER COLUMN ip_address TYPE text USING pg_temp.digest(ip_address);
ALTER TABLE ticketing.security_events
    ALTER COLUMN ip_block_hash TYPE text USING pg_temp.block_digest(ip_address),
    ALTER COLUMN ip_address TYPE text USING pg_temp.digest(ip_address);
ALTER TABLE ticketing.api_requests
    ALTER COLUMN ip_block_hash TYPE text USING pg_temp.block_digest(ip_address),
    ALTER COLUMN ip_address TYPE text USING pg_temp.digest(ip_address);
ALTER TABLE ticketing.sessions RENAME COLUMN ip_address TO ip_hash;
ALTER TABLE ticketing.security_events RENAME COLUMN ip_address TO ip_hash;
ALTER TABLE ticketing.api_requests RENAME COLUMN ip_address TO ip_hash;
ALTER TABLE ops.quarantine ALTER COLUMN content TYPE jsonb USING pg_temp.hidden(content);

INSERT INTO ops.stale_days (domain, table_name, day, because)
SELECT domain, table_name, day, 'addresses of clients were still stored when it was published'
FROM ops.published_days
WHERE domain = 'ticketing' AND table_name IN ('sessions', 'security_events', 'api_requests') AND rows_in > 0
ON CONFLICT DO NOTHING;

-- Digests of rows with their addresses: rows that are asked for again are landed once more, and found to be duplicates.
DELETE FROM ops.platform_taken
WHERE domain = 'ticketing' AND table_name IN ('sessions', 'security_events', 'api_requests');
COMMENT ON COLUMN ops.platform_taken.row_digests IS
    'MD5 of the columns of each row by which rows are compared, 16 bytes after 16 bytes; addresses of clients only as keyed hashes.';

DROP FUNCTION pg_temp.hidden(jsonb), pg_temp.block_digest(text), pg_temp.digest(text), pg_temp.coarse(double precision);
