"""Every table of the ticketing domain, declared once.

`chain.py` holds what the chain recorded and what is decoded from it, `platform.py` and `activity.py` what the platform
recorded. DDL check, validation, Postgres comments, grants and the data dictionary all read these declarations.
"""

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.ticketing.tables.activity import API_REQUESTS, SECURITY_EVENTS, SESSIONS
from ticketintel_pipelines.ticketing.tables.chain import BLOCKS, LOGS, MARKET_SALES, SALES, TRANSACTIONS, TRANSFERS
from ticketintel_pipelines.ticketing.tables.features import FEATURE_TABLE
from ticketintel_pipelines.ticketing.tables.platform import (
    CHARGEBACKS,
    CHECK_INS,
    EVENTS,
    FRAUD_REVIEWS,
    ORDERS,
    PAYMENTS,
    TICKETS,
    USERS,
)
from ticketintel_pipelines.ticketing.tables.predictions import FRAUD_PREDICTIONS
from ticketintel_pipelines.ticketing.tables.risk import RISK_SCORES

TICKETING = Domain(
    name="ticketing",
    description="NFT ticketing: primary sales, resales and everything the platform records around them.",
    tables=(
        BLOCKS,
        LOGS,
        SALES,
        TRANSFERS,
        MARKET_SALES,
        USERS,
        EVENTS,
        TICKETS,
        SESSIONS,
        ORDERS,
        PAYMENTS,
        CHECK_INS,
        CHARGEBACKS,
        SECURITY_EVENTS,
        API_REQUESTS,
        TRANSACTIONS,
        FRAUD_REVIEWS,
        FEATURE_TABLE,
        FRAUD_PREDICTIONS,
        RISK_SCORES,
    ),
)
