"""The models of ticketing, one short file each."""

from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.models.risk import RISK

MODELS = (FRAUD, RISK)
