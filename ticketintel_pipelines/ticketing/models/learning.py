"""Where the models of ticketing learn from and what they score."""

from dataclasses import replace
from pathlib import Path

from ticketintel_pipelines.stages.learning import Learning
from ticketintel_pipelines.stages.model_catalogue import Listed
from ticketintel_pipelines.stages.score import Scoring
from ticketintel_pipelines.stages.window_learning import WindowLearning
from ticketintel_pipelines.ticketing.features.families import FAMILIES, FEATURES, FORMULAS
from ticketintel_pipelines.ticketing.features.observations import OBSERVATIONS
from ticketintel_pipelines.ticketing.models import WINDOW_MODELS
from ticketintel_pipelines.ticketing.models.examples import fraud_examples, reviewers_verdicts
from ticketintel_pipelines.ticketing.models.fraud import FRAUD
from ticketintel_pipelines.ticketing.models.queries import QUERIES
from ticketintel_pipelines.ticketing.models.risk import RISK
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.ticketing.tables.predictions import FRAUD_PREDICTIONS
from ticketintel_pipelines.ticketing.tables.risk import RISK_SCORES

COLUMNS = {
    table.name: {column.name: column.type.duckdb for column in table.columns} for table in (*OBSERVATIONS, *FAMILIES, FEATURES)
}
"""Of the tables of the stage `feature`, as they lie in the lake."""
FEATURE_CODE = Path(__file__).parents[1] / "features"

FRAUD_LEARNING = Learning(
    TICKETING, FRAUD, FEATURES.name, fraud_examples, (FEATURE_CODE, FORMULAS, QUERIES), reviewers_verdicts
)
FRAUD_SCORING = Scoring(TICKETING, FRAUD, FEATURES.name, FRAUD_PREDICTIONS, "fraud_score")
RISK_LEARNING = replace(FRAUD_LEARNING, model=RISK)
RISK_SCORING = Scoring(TICKETING, RISK, FEATURES.name, RISK_SCORES, "risk_score", "band")
LEARNINGS = ((FRAUD_LEARNING, FRAUD_SCORING), (RISK_LEARNING, RISK_SCORING))
WINDOW_LEARNINGS = tuple(WindowLearning(TICKETING, model, COLUMNS) for model in WINDOW_MODELS)
MODEL_NAMES = (*(learning.model.name for learning, _ in LEARNINGS), *(model.name for model in WINDOW_MODELS))
LISTED = (
    *(Listed(one.model.name, one.model.title, one.model.card.purpose, scoring.table.name) for one, scoring in LEARNINGS),
    *(Listed(model.name, model.title, model.card.purpose, model.table.name) for model in WINDOW_MODELS),
)
SCORINGS = tuple(scoring for _, scoring in LEARNINGS)
