"""The fraud model: how likely is it that a ticket transaction turns out to be fraud?"""

from ticketintel_pipelines.learning.declaration import Card, Costs, Decision, Model, Targets
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.estimators_more import Ensemble, IsolationForest, LightGBM, LogisticRegression, RandomForest
from ticketintel_pipelines.learning.splits import Split
from ticketintel_pipelines.ticketing.features.families import FEATURES

BOOSTED = XGBoost(depth=4, rate=0.05, columns=0.5)
"""Shallow and slow: a few hundred positives are all there is to learn from."""

FRAUD = Model(
    name="fraud",
    title="Fraud of ticket transactions",
    card=Card(
        purpose="Decides each night which transactions of the day pass, which ask for a second factor, which a person looks "
        "at, and which are blocked.",
        target="The transaction became known as fraud: a chargeback with the reason fraud, or a reviewer's verdict.",
        learned_from="Ticket transactions with what was known strictly before each.",
        limits=(
            "Fraud of which nobody ever hears is learned as honest.",
            "The labels of the newest weeks are still coming in: figures of a test count what was known when it was made.",
            "A wallet's first transactions have little history; see the slice by wallet age.",
        ),
    ),
    features=FEATURES.features,
    estimator=BOOSTED,
    candidates=(
        LightGBM(),
        RandomForest(trees=100),
        LogisticRegression(),
        IsolationForest(),
        Ensemble((BOOSTED, LightGBM(), RandomForest(trees=100))),
    ),
    split=Split(train_days=90, delay_days=7, test_days=7, folds=4, settle_days=4, least_train_days=7, least_test_days=2),
    decisions=(
        Decision("BLOCKED", 0.85, "blocked"),
        Decision("MANUAL_REVIEW", 0.65, "waits for a person"),
        Decision("REQUIRE_2FA", 0.40, "asks for a second factor"),
        Decision("APPROVED", 0.0, "passes"),
    ),
    operating_threshold=0.65,
    costs=Costs(missed_share=1.0, false_alarm=0.005, unit="ETH"),
    baseline="amount_ratio_30d",
    least_positives=30,
    guarded=("amount_ratio_30d", "price_deviation_ratio", "txn_velocity_1h", "txn_velocity_1d", "session_distance_km"),
    targets=Targets(
        {
            "auc_roc": 0.947,
            "auc_pr": 0.823,
            "precision_at_90_recall": 0.78,
            "f1": 0.81,
            "false_positive_rate": 0.018,
            "detection": 0.942,
        },
        threshold=0.65,
        positive_share=0.012,
    ),
)
