"""Every table of the ticketing domain, declared once.

`chain.py` holds what the chain recorded and what is decoded from it, `platform.py` and `activity.py` what the platform
recorded, `watch_list.py` what others warn of. DDL check, validation, Postgres comments, grants and the data dictionary all
read these declarations.
"""

from ticketintel_pipelines.contract import Domain
from ticketintel_pipelines.ticketing.tables.activity import API_REQUESTS, SECURITY_EVENTS, SESSIONS
from ticketintel_pipelines.ticketing.tables.bots import BOT_SCORES
from ticketintel_pipelines.ticketing.tables.chain import (
    BLOCKS,
    LOGS,
    MARKET_SALES,
    SALES,
    TRANSACTIONS,
    TRANSFERS,
    VALUE_TRANSFERS,
)
from ticketintel_pipelines.ticketing.tables.features import FEATURE_TABLE
from ticketintel_pipelines.ticketing.tables.forecasts import DEMAND_FORECASTS
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
from ticketintel_pipelines.ticketing.tables.prices import FAIR_PRICES
from ticketintel_pipelines.ticketing.tables.recommendations import RECOMMENDATIONS
from ticketintel_pipelines.ticketing.tables.risk import RISK_SCORES
from ticketintel_pipelines.ticketing.tables.scalping import SCALPING_SCORES
from ticketintel_pipelines.ticketing.tables.segments import WALLET_SEGMENTS
from ticketintel_pipelines.ticketing.tables.stream_verdicts import STREAM_VERDICTS
from ticketintel_pipelines.ticketing.tables.wash_trading import WASH_TRADES
from ticketintel_pipelines.ticketing.tables.watch_list import WATCH_LIST

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
        VALUE_TRANSFERS,
        TRANSACTIONS,
        FRAUD_REVIEWS,
        WATCH_LIST,
        FEATURE_TABLE,
        FRAUD_PREDICTIONS,
        RISK_SCORES,
        BOT_SCORES,
        FAIR_PRICES,
        SCALPING_SCORES,
        WASH_TRADES,
        RECOMMENDATIONS,
        WALLET_SEGMENTS,
        DEMAND_FORECASTS,
        STREAM_VERDICTS,
    ),
)
