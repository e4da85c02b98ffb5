"""A small simulated world whose rows a model has scored, for tests of evaluation and report."""

from typing import Any

import numpy as np

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.learning.declaration import Card, Costs, Decision, Model, Targets
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples
from ticketintel_pipelines.learning.splits import Split
from ticketintel_pipelines.learning.tested import BASELINE, CHAMPION, Tested

NAMES = ("resales_7_days", "<b>price & face</b>", "age_days")


def model(**changes: Any) -> Model:
    declared: dict[str, Any] = {
        "name": "fraud",
        "title": "Fraud <in> tickets",
        "card": Card("Ranks rows.", "A row that was confirmed as fraud.", "Two months of rows.", ("Simulated <data>.",)),
        "features": tuple(Column(name, ColumnType.NUMBER, f"Describes {name}.") for name in NAMES),
        "estimator": XGBoost(),
        "split": Split(60, 7, 7),
        "decisions": (Decision("BLOCKED", 0.85, "stopped"), Decision("REVIEW", 0.5, "looked at"), Decision("APPROVED", 0, "")),
        "operating_threshold": 0.5,
        "costs": Costs(0.9, 4.0, "USD"),
        "baseline": NAMES[0],
        "targets": Targets({"auc_pr": 0.823, "f1": 0.81, "false_positive_rate": 0.018}, 0.65, 0.012),
        "excluded": {"verdict": "known only <afterwards>"},
    }
    return Model(**(declared | changes))


def judged(rows: int = 4_000, days: int = 14, champion_noise: float = 1.5) -> Tested:
    """5 % positives, a fifth of them undetectable and a tenth unknown; kinds are `bot` and, always hidden, `ghost`."""
    random = np.random.default_rng(11)
    at = np.sort(random.integers(20_000 * DAY, (20_000 + days) * DAY, rows))
    truth = (random.random(rows) < 0.05).astype(np.int64)
    hidden = (truth == 1) & (random.random(rows) < 0.2)
    known_at = np.where((truth == 1) & (random.random(rows) < 0.9), at + DAY, NEVER)
    odds = random.normal(-4, 1, rows) + np.where((truth == 1) & ~hidden, 5.5, 0)
    examples = Examples(
        names=NAMES,
        features=random.normal(size=(rows, 3)).astype(np.float32),
        ids=np.arange(rows).astype(str).astype(object),
        at=at,
        known_at=known_at,
        entity=random.integers(0, 1_000, rows),
        amount=random.gamma(2, 60, rows),
        slices={"size": np.where(random.random(rows) < 0.02, "tiny", "usual").astype(object)},
        truth=truth,
        kind=np.where(hidden, "ghost", np.where(truth == 1, "bot", "")).astype(object),
        hidden=hidden,
    )
    return Tested(
        examples=examples,
        labels=examples.labels(NEVER - 1),
        scores=1 / (1 + np.exp(-odds)),
        fold=(at // DAY - 20_000) // 7,
        contenders={
            BASELINE: odds + random.normal(0, 4, rows),
            CHAMPION: 1 / (1 + np.exp(-odds - random.normal(0, champion_noise, rows))),
        },
        importance=np.array([0.2, 0.5, 0.1]),
        removed=17,
        trained_rows=(900, 1_000),
        trained_positives=(40, 50),
    )
