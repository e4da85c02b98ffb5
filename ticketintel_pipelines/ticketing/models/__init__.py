"""The models of ticketing, one short file each."""

from ticketintel_pipelines.learning.window_model import WindowModel
from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.models.risk import RISK

MODELS = (FRAUD, RISK)
"""Classifiers of transactions."""
WINDOW_MODELS: tuple[WindowModel, ...] = ()
"""Models over windows of days."""
