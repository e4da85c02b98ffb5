"""What publishing some days of one table means for other days: which of them have to be worked out again.

Night after night nothing of this applies, since no later day exists yet; it does when rows arrive late. Each query touches the
tokens of the changed days only.
"""

from ticketintel_pipelines.ticketing.tables.chain import TRANSACTIONS, TRANSFERS
from ticketintel_pipelines.ticketing.tables.platform import ORDERS, TICKETS
from ticketintel_pipelines.warehouse.publish import Consequence

CHANGED_ROWS = """
    n.{time} >= (SELECT min(d) FROM unnest(%(changed)s::date[]) AS d)
    AND n.{time} < (SELECT max(d) + 1 FROM unnest(%(changed)s::date[]) AS d)
    AND (n.{time} AT TIME ZONE 'UTC')::date = ANY (%(changed)s::date[])
"""

LATER_OWNERS = Consequence(
    TRANSFERS.name,
    "earlier movements of the same token were published",
    f"""
    SELECT (later.block_timestamp AT TIME ZONE 'UTC')::date
    FROM ticketing.transfers n
    JOIN ticketing.transfers later USING (contract_address, token_id)
    WHERE n.standard = 'erc721' AND later.block_timestamp > n.block_timestamp
        AND {CHANGED_ROWS.format(time="block_timestamp")}
    UNION
    SELECT q.day
    FROM ops.quarantine q
    JOIN ticketing.transfers n
        ON n.contract_address = q.content ->> 'contract_address' AND n.token_id = (q.content ->> 'token_id')::numeric
    WHERE q.domain = 'ticketing' AND q.table_name = 'transfers' AND NOT q.mended
        AND (q.content ->> 'block_timestamp')::timestamptz > n.block_timestamp
        AND {CHANGED_ROWS.format(time="block_timestamp")}
    """,
)

EARLIER_BUYERS = Consequence(
    TRANSACTIONS.name,
    "a later sale of the same token tells who had bought it",
    f"""
    SELECT (earlier.occurred_at AT TIME ZONE 'UTC')::date
    FROM ticketing.transactions n
    JOIN ticketing.transactions earlier
        ON earlier.token_id = n.token_id AND earlier.contract_address IS NOT DISTINCT FROM n.contract_address
    WHERE earlier.buyer_source <> 'recorded' AND n.kind = 'resale' AND earlier.occurred_at < n.occurred_at
        AND {CHANGED_ROWS.format(time="occurred_at")}
    """,
)

TICKETS_OF_OTHER_DAYS = Consequence(
    TRANSACTIONS.name,
    "the tickets of its tokens were published or have changed",
    f"""
    SELECT (t.occurred_at AT TIME ZONE 'UTC')::date
    FROM ticketing.tickets n
    JOIN ticketing.transactions t USING (contract_address, token_id)
    WHERE t.ticket_id IS NULL AND {CHANGED_ROWS.format(time="issued_at")}
    UNION
    SELECT (t.occurred_at AT TIME ZONE 'UTC')::date
    FROM ticketing.tickets n
    JOIN ticketing.transactions t USING (ticket_id)
    WHERE (t.event_id, t.contract_address, t.token_id) IS DISTINCT FROM (n.event_id, n.contract_address, n.token_id)
        AND {CHANGED_ROWS.format(time="issued_at")}
        -- Where no ticket has a newer version, which is nearly always, the transactions are not searched.
        AND EXISTS (
            SELECT 1
            FROM ops.published_days p
            WHERE p.domain = 'ticketing' AND p.table_name = 'tickets' AND p.superseded > 0 AND p.day = ANY (%(changed)s::date[])
        )
    """,
)

ORDERS_OF_THE_DAY_BEFORE = Consequence(
    TRANSACTIONS.name,
    "orders of the day before were published",
    """
    SELECT p.day
    FROM ops.published_days p
    WHERE p.domain = 'ticketing' AND p.table_name = 'transactions' AND p.published > 0
        AND p.day - 1 = ANY (%(changed)s::date[])
    """,
)

CONSEQUENCES: dict[str, tuple[Consequence, ...]] = {
    TRANSFERS.name: (LATER_OWNERS,),
    TRANSACTIONS.name: (EARLIER_BUYERS,),
    TICKETS.name: (TICKETS_OF_OTHER_DAYS,),
    ORDERS.name: (ORDERS_OF_THE_DAY_BEFORE,),
}
