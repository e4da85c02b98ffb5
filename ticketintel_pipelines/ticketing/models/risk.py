"""The risk score: a random forest on amount, number of transactions and history."""

from ticketintel_pipelines.learning.declaration import Card, Costs, Decision, Model
from ticketintel_pipelines.learning.estimators_sklearn import RandomForest
from ticketintel_pipelines.learning.splits import Split
from ticketintel_pipelines.ticketing.features.families import AMOUNT, FEATURES

HISTORY = (
    "txn_velocity_1h",
    "txn_velocity_1d",
    "purchases_7d",
    "purchases_30d",
    "wallet_age_days",
    "avg_ticket_hold_time",
    "cross_event_attendance",
    "amount_ratio_7d",
    "amount_ratio_30d",
    "wallet_frauds_90d",
    "seller_risk_90d",
    "event_risk_90d",
)

RISK = Model(
    name="risk",
    title="Risk of ticket transactions",
    card=Card(
        purpose="Says from 0 to 1 how risky a transaction is by what can be explained in a sentence: what it costs, how often "
        "the wallet trades, and what became of its earlier trades.",
        target="The transaction became known as fraud: a chargeback with the reason fraud, or a reviewer's verdict.",
        learned_from="Ticket transactions: amount, number of transactions and history, known strictly before each.",
        limits=(
            "It knows nothing of devices, addresses and sessions: the fraud score does.",
            "Fraud of which nobody ever hears is learned as honest.",
        ),
    ),
    features=(AMOUNT, *(column for column in FEATURES.features if column.name in HISTORY)),
    estimator=RandomForest(trees=300),
    split=Split(train_days=90, delay_days=7, test_days=7, folds=4, settle_days=4, least_train_days=7, least_test_days=2),
    decisions=(Decision("HIGH", 0.3, "risky"), Decision("MEDIUM", 0.1, "unusual"), Decision("LOW", 0.0, "usual")),
    operating_threshold=0.3,
    costs=Costs(missed_share=1.0, false_alarm=0.005, unit="ETH"),
    baseline=AMOUNT.name,
    least_positives=30,
)
