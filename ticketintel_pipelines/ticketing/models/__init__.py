"""The models of ticketing, one short declaration each.

What a model over windows learns and scores by is its method, in a file of its own; it is imported when it is used.
"""

from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.ticketing.models.bots import BOTS
from ticketintel_pipelines.ticketing.models.fair_price import FAIR_PRICE
from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.models.market_trend import MARKET_TREND
from ticketintel_pipelines.ticketing.models.recommender import RECOMMENDER
from ticketintel_pipelines.ticketing.models.risk import RISK
from ticketintel_pipelines.ticketing.models.scalping import SCALPING
from ticketintel_pipelines.ticketing.models.segments import WALLET_GROUPS
from ticketintel_pipelines.ticketing.models.stream_bands import STREAM_BANDS
from ticketintel_pipelines.ticketing.models.wash_trading import WASH_TRADING

MODELS = (FRAUD, RISK)
"""Classifiers of transactions."""
WINDOW_MODELS: tuple[WindowModel, ...] = (
    BOTS,
    FAIR_PRICE,
    SCALPING,
    WASH_TRADING,
    RECOMMENDER,
    WALLET_GROUPS,
    MARKET_TREND,
    STREAM_BANDS,
)
"""Models over windows of days."""
