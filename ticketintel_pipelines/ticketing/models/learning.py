"""Where the models of ticketing learn from and what they score."""

from dataclasses import replace
from pathlib import Path

from ticketintel_pipelines.stages.learning import Learning
from ticketintel_pipelines.stages.score import Scoring
from ticketintel_pipelines.ticketing.features.families import FEATURES, FORMULAS
from ticketintel_pipelines.ticketing.models.examples import QUERIES, fraud_examples, reviewers_verdicts
from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.models.risk import RISK
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.predictions import FRAUD_PREDICTIONS
from ticketintel_pipelines.ticketing.tables.risk import RISK_SCORES

FEATURE_CODE = Path(__file__).parents[1] / "features"

FRAUD_LEARNING = Learning(
    TICKETING, FRAUD, FEATURES.name, fraud_examples, (FEATURE_CODE, FORMULAS, QUERIES), reviewers_verdicts
)
FRAUD_SCORING = Scoring(TICKETING, FRAUD, FEATURES.name, FRAUD_PREDICTIONS, "fraud_score")
RISK_LEARNING = replace(FRAUD_LEARNING, model=RISK)
RISK_SCORING = Scoring(TICKETING, RISK, FEATURES.name, RISK_SCORES, "risk_score", "band")
LEARNINGS = ((FRAUD_LEARNING, FRAUD_SCORING), (RISK_LEARNING, RISK_SCORING))
SCORINGS = tuple(scoring for _, scoring in LEARNINGS)
