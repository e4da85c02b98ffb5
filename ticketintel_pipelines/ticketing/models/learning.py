"""Where the models of ticketing learn from and what they score."""

from pathlib import Path

from ticketintel_pipelines.stages.learning import Learning
from ticketintel_pipelines.stages.score import Scoring
from ticketintel_pipelines.ticketing.features.families import FEATURES, FORMULAS
from ticketintel_pipelines.ticketing.models.examples import QUERIES, fraud_examples, reviewers_verdicts
from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.predictions import FRAUD_PREDICTIONS

FEATURE_CODE = Path(__file__).parents[1] / "features"

FRAUD_LEARNING = Learning(
    TICKETING, FRAUD, FEATURES.name, fraud_examples, (FEATURE_CODE, FORMULAS, QUERIES), reviewers_verdicts
)
FRAUD_SCORING = Scoring(TICKETING, FRAUD, FEATURES.name, FRAUD_PREDICTIONS)
LEARNINGS = ((FRAUD_LEARNING, FRAUD_SCORING),)
SCORINGS = tuple(scoring for _, scoring in LEARNINGS)
