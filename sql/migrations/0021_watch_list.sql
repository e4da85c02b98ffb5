-- Addresses that lists warn of, and what features say of them.

CREATE TABLE ticketing.watch_list (
    list_name  text NOT NULL,
    address    text NOT NULL,
    listed_at  timestamp with time zone NOT NULL,
    label      text,
    known_at   timestamp with time zone,
    deleted_at timestamp with time zone,
    PRIMARY KEY (list_name, address, listed_at)
) PARTITION BY RANGE (listed_at);
CREATE INDEX watch_list_by_time ON ticketing.watch_list USING brin (listed_at);

-- All lists that name one wallet.
CREATE INDEX watch_list_by_address ON ticketing.watch_list (address);

ALTER TABLE ticketing.features ADD COLUMN wallet_listings bigint;
ALTER TABLE ticketing.features ADD COLUMN counterparty_listings bigint;
