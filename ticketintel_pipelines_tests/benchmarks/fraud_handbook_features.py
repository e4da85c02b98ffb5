"""Our features of card transactions: each row sees what was there strictly before it, and labels a week after they happened.

Labels are a table of their own, seen when they become known: no window has to be shifted, and no fold can look past the delay.
"""

from collections.abc import Iterable

import numpy as np

from ticketintel_pipelines.features.folds import DAY, Aggregate, Fold, Latest, Lifetime, Median, Trailing, run_fold
from ticketintel_pipelines.features.rows import MISSING, SEEN, Integers, Rows
from ticketintel_pipelines.learning.examples import Examples, Features, Flags, Floats
from ticketintel_pipelines_tests.handbook import DELAY_DAYS

THREADS = 2
THOUSAND = 1000
UNUSUAL = 2.5
"""An amount is unusual from so many times the customer's own median on: three deviations where those are half the mean."""
NOTICEABLE = 2.0

SPENT_DAYS = (1, 3, 7, 14, 30)
UNUSUAL_DAYS = (1, 3, 7, 14)
BUSY_DAYS = (1, 7, 28)
LABEL_DAYS = (1, 3, 7, 14, 21, 28)
CUSTOMER_LABEL_DAYS = (7, 14, 28)
NEWEST_LABELS = 4

TRANSACTIONS, LABELS, FRAUDS, QUIET, GENUINE, STARTS = "transactions", "labels", "frauds", "quiet", "genuine", "starts"


def _spans(days: Iterable[int]) -> dict[str, int]:
    return {f"{count}d": count * DAY for count in days}


def _fold(
    name: str, of: str, by: str, aggregate: Aggregate, values: tuple[str, ...] = (), asked_by: str = TRANSACTIONS
) -> Fold:
    return Fold(name, of, by, aggregate, asked_by, by, values)


AMOUNTS = (
    _fold("spent", TRANSACTIONS, "customer_id", Trailing(_spans(SPENT_DAYS)), ("amount_cents", "amount_squared")),
    _fold("all", TRANSACTIONS, "customer_id", Lifetime(), ("amount_cents", "amount_squared")),
    _fold("usual", TRANSACTIONS, "customer_id", Median(), ("amount_cents",)),
)
AFTER_AMOUNTS = (
    _fold("unusual", TRANSACTIONS, "customer_id", Trailing(_spans(UNUSUAL_DAYS)), ("unusual", "times")),
    _fold("newest", TRANSACTIONS, "customer_id", Latest(2), ("times",)),
    _fold("busy", TRANSACTIONS, "terminal_id", Trailing(_spans(BUSY_DAYS)), ("unusual", "times")),
)
PREVIOUS_LABEL = _fold("previous", LABELS, "terminal_id", Latest(1), ("quiet",), LABELS)
AFTER_LABELS = (
    _fold("risk", LABELS, "terminal_id", Trailing(_spans(LABEL_DAYS)), ("fraud", "quiet")),
    _fold("known", LABELS, "terminal_id", Lifetime(), ("quiet",)),
    _fold("label", LABELS, "terminal_id", Latest(NEWEST_LABELS), ("fraud", "quiet")),
    _fold("genuine", GENUINE, "terminal_id", Latest(1)),
    _fold("fraud", FRAUDS, "terminal_id", Latest(1), ("amount_cents", "times")),
    _fold("quiet", QUIET, "terminal_id", Latest(1)),
    _fold("start", STARTS, "terminal_id", Latest(1), ("known_quiet", "silence")),
    _fold("card", LABELS, "customer_id", Trailing(_spans(CUSTOMER_LABEL_DAYS)), ("fraud", "quiet")),
    _fold("card_fraud", FRAUDS, "customer_id", Latest(1)),
)


def _answer(folds: tuple[Fold, ...], tables: dict[str, Rows]) -> None:
    """Append the answers of folds to the rows that ask."""
    horizon = int(tables[TRANSACTIONS][SEEN][-1]) + 1
    for fold in folds:
        tables[fold.asked_by].add(run_fold(fold, tables, horizon, threads=THREADS).answers)


def _some(rows: Rows, mask: Flags) -> Rows:
    return Rows({name: column[mask] for name, column in rows.columns.items()})


def _divided(above: Integers | Floats, below: Integers | Floats) -> Floats:
    """NaN where the divisor is 0."""
    found = np.full(len(above), np.nan)
    return np.divide(above, below, out=found, where=below != 0)


def _known(column: Integers) -> Floats:
    return np.where(column == MISSING, np.nan, column.astype(np.float64))


def fold_rows(rows: Rows) -> None:
    """Append the answers of all folds to transactions as `handbook.rows_of` has them."""
    tables = {TRANSACTIONS: rows}
    rows.add({"amount_squared": rows["amount_cents"] ** 2})
    _answer(AMOUNTS, tables)
    usual = _known(rows["usual_median_doubled"]) / 2
    # Who has spent nothing yet is compared with everyone.
    usual = np.where(usual > 0, usual, np.median(rows["amount_cents"][:THOUSAND]))
    times = np.minimum(rows["amount_cents"] / usual, THOUSAND)
    rows.add({"times": np.rint(times * THOUSAND).astype(np.int64), "unusual": (times >= UNUSUAL).astype(np.int64)})
    _answer(AFTER_AMOUNTS, tables)

    columns = {name: rows[name] for name in ("customer_id", "terminal_id", "fraud", "amount_cents", "times")}
    # A fraud of an ordinary amount is the terminal's, not the customer's.
    quiet = rows["fraud"] * (1 - rows["unusual"])
    labels = Rows(columns | {SEEN: rows[SEEN] + DELAY_DAYS * DAY, "quiet": quiet})
    tables[LABELS] = labels
    _answer((PREVIOUS_LABEL, _fold("before", LABELS, "terminal_id", Lifetime(), ("quiet",), LABELS)), tables)
    # Where a terminal's first label is a fraud, nobody knows since when.
    silence = np.where(labels["before_last"] == MISSING, MISSING, labels[SEEN] - labels["before_last"])
    labels.add({"known_quiet": np.maximum(labels["before_quiet"], 0), "silence": silence})
    fraud, quiet_rows = labels["fraud"] == 1, quiet == 1
    tables[FRAUDS], tables[QUIET], tables[GENUINE] = _some(labels, fraud), _some(labels, quiet_rows), _some(labels, ~fraud)
    tables[STARTS] = _some(labels, quiet_rows & (labels["previous_1_quiet"] == 0))
    _answer(AFTER_LABELS, tables)


def suspicious(examples: Examples) -> Flags:
    """Rows at a terminal that once had a quiet fraud known, or of about twice the customer's usual amount or more."""
    return ~np.isnan(examples.column("spell.days_since_quiet")) | (examples.column("amount.times_median") >= NOTICEABLE)


def features_of(rows: Rows) -> dict[str, Features]:
    """Features by group and name, `group.name`, of rows with the folds' answers.

    No count grows with the history: what was learned in one month holds in a later one.
    """
    made: dict[str, Floats] = {}
    amount = rows["amount_cents"] / 100
    seen = rows[SEEN]
    made["amount.amount"] = amount
    made["amount.hour"] = seen % DAY / (DAY / 24)
    made["amount.times_median"] = rows["times"] / THOUSAND
    count = np.maximum(rows["all_count"], 0)
    mean = _divided(_known(rows["all_amount_cents"]), 100.0 * count)
    deviation = np.sqrt(np.maximum(_divided(_known(rows["all_amount_squared"]), 1e4 * count) - mean**2, 1))
    made["amount.times_mean"] = _divided(amount, mean)
    made["amount.deviations"] = _divided(amount - mean, deviation)
    made["amount.mean"] = mean
    made["amount.median"] = _known(rows["usual_median_doubled"]) / 200
    month = _divided(rows["spent_30d_amount_cents"], 100.0 * rows["spent_30d"])
    spread = np.sqrt(np.maximum(_divided(rows["spent_30d_amount_squared"], 1e4 * rows["spent_30d"]) - month**2, 1))
    made["amount.times_mean_30d"] = _divided(amount, month)
    made["amount.deviations_30d"] = _divided(amount - month, spread)
    for days in SPENT_DAYS:
        made[f"spending.count_{days}d"] = rows[f"spent_{days}d"]
        if days != 30:
            made[f"spending.times_mean_{days}d"] = (
                _divided(rows[f"spent_{days}d_amount_cents"], 100.0 * rows[f"spent_{days}d"]) / mean
            )
    made["spending.days_since"] = (seen - _known(rows["all_last"])) / DAY
    for days in UNUSUAL_DAYS:
        made[f"unusual.count_{days}d"] = rows[f"unusual_{days}d_unusual"]
        made[f"unusual.mean_times_{days}d"] = _divided(rows[f"unusual_{days}d_times"], 1000.0 * rows[f"unusual_{days}d"])
    for place in (1, 2):
        made[f"unusual.times_{place}"] = _known(rows[f"newest_{place}_times"]) / THOUSAND
    for days in BUSY_DAYS:
        made[f"busy.count_{days}d"] = rows[f"busy_{days}d"]
        made[f"busy.unusual_{days}d"] = rows[f"busy_{days}d_unusual"]
    for days in LABEL_DAYS:
        for kind in ("fraud", "quiet"):
            made[f"risk.{kind}_{days}d"] = rows[f"risk_{days}d_{kind}"]
            made[f"risk.{kind}_share_{days}d"] = _divided(rows[f"risk_{days}d_{kind}"], 1.0 * rows[f"risk_{days}d"])
    made["spell.days_since_genuine"] = (seen - _known(rows["genuine_1_seen"])) / DAY
    made["spell.days_since_fraud"] = (seen - _known(rows["fraud_1_seen"])) / DAY
    made["spell.days_since_quiet"] = (seen - _known(rows["quiet_1_seen"])) / DAY
    made["spell.genuine_after_quiet"] = (_known(rows["genuine_1_seen"]) - _known(rows["quiet_1_seen"])) / DAY
    made["spell.days_since_start"] = (seen - _known(rows["start_1_seen"])) / DAY
    made["spell.frauds"] = _known(rows["known_quiet"]) - _known(rows["start_1_known_quiet"])
    made["spell.silence_before"] = _known(rows["start_1_silence"]) / DAY
    made["spell.fraud_times"] = _known(rows["fraud_1_times"]) / THOUSAND
    made["spell.fraud_amount"] = _known(rows["fraud_1_amount_cents"]) / 100
    for place in range(1, NEWEST_LABELS + 1):
        made[f"spell.label_{place}"] = _known(rows[f"label_{place}_quiet"])
        made[f"spell.label_age_{place}"] = (seen - _known(rows[f"label_{place}_seen"])) / DAY
    for days in CUSTOMER_LABEL_DAYS:
        made[f"card.fraud_{days}d"] = rows[f"card_{days}d_fraud"]
        made[f"card.quiet_{days}d"] = rows[f"card_{days}d_quiet"]
    made["card.days_since_fraud"] = (seen - _known(rows["card_fraud_1_seen"])) / DAY
    return {name: values.astype(np.float32) for name, values in made.items()}
