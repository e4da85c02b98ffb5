"""The models of ticketing, one short file each."""

from ticketintel_pipelines.ticketing.models.fraud import FRAUD

MODELS = (FRAUD,)
