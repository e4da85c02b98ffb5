"""Which raw tables each validated table of ticketing is made of."""

from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.chain import LOGS, SALES, TRANSACTIONS, TRANSFERS

RAW_INPUTS: dict[str, tuple[str, ...]] = {
    **{table.name: (table.name,) for table in TICKETING.validated_tables},
    LOGS.name: (LOGS.name,),
    SALES.name: (SALES.name,),
    TRANSFERS.name: (LOGS.name,),
    TRANSACTIONS.name: (LOGS.name, SALES.name, "tickets", "orders"),
}
"""On the same day: a day whose raw rows are newer than what was made of them is worked out again."""
