"""The leak battery catches each kind of leak that is planted, and leaves an honest world alone."""

from dataclasses import replace

import numpy as np
import pytest

from ticketintel_pipelines.learning.declaration import Model
from ticketintel_pipelines.learning.estimators import XGBoost
from ticketintel_pipelines.learning.examples import DAY, NEVER, Examples, Floats, Integers, TooFewExamplesError
from ticketintel_pipelines.learning.leaks import Finding, LeakError, raise_failures, run_battery
from ticketintel_pipelines.learning.splits import Fold, Split, fold_at
from ticketintel_pipelines.learning.trained import Trained
from ticketintel_pipelines.learning.training import train
from ticketintel_pipelines_tests.learning_world import FIRST_DAY, declared, world
from ticketintel_pipelines_tests.shared_data import shared_data

DAYS = 26
PAST = FIRST_DAY + DAYS
PROBE = XGBoost(trees=15, depth=3, max_bin=64, more={"nthread": 1})
HONEST = world(days=DAYS, a_day=160)


def battery(examples: Examples, **more: object) -> dict[str, Finding]:
    return {one.name: one for one in run_battery(declared(examples), examples, PAST, probe=PROBE, **more)}


def failed(examples: Examples, **more: object) -> set[str]:
    return {name for name, finding in battery(examples, **more).items() if not finding.passed}


def with_feature(examples: Examples, name: str, values: Floats) -> Examples:
    return examples.with_features((*examples.names, name), np.column_stack([examples.features, values]).astype(np.float32))


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_world_passes(seed: int) -> None:
    """With fraud at night, in bursts at one instant, and more often where a value is unknown."""
    findings = run_battery(declared(HONEST), world(seed, DAYS, 160), PAST, probe=PROBE)
    raise_failures(findings)
    assert [one.name for one in findings] == [
        "shuffled_labels",
        "row_order",
        "identifiers",
        "missingness",
        "single_features",
        "poison",
    ]


def test_a_training_that_looks_at_the_truth_is_caught() -> None:
    def peeking(model: Model, examples: Examples, rows: Integers, instant: int) -> Trained:
        knowing = replace(examples, known_at=np.where(examples.truth == 1, examples.at, NEVER))
        return train(model, knowing, rows, instant)

    assert failed(HONEST, trainer=peeking) == {"shuffled_labels", "poison"}


def test_a_training_that_does_not_ask_what_was_known_is_caught() -> None:
    def hindsight(model: Model, examples: Examples, rows: Integers, instant: int) -> Trained:
        return train(model, examples, rows, PAST * DAY)

    slow = replace(HONEST, known_at=np.where(HONEST.truth == 1, HONEST.at + np.arange(len(HONEST)) % 12 * DAY, NEVER))
    assert "poison" in failed(slow, trainer=hindsight, names=["poison"])
    assert "poison" not in failed(slow, names=["poison"])


def test_a_split_that_learns_from_test_days_is_caught() -> None:
    def overlapping(examples: Examples, split: Split, day: int) -> Fold:
        fold = fold_at(examples, split, day)
        return replace(fold, train=np.arange(fold.train[0], fold.test[-1] + 1))

    assert "poison" in failed(HONEST, splitter=overlapping, names=["poison"])


def test_a_source_sorted_by_outcome_is_caught() -> None:
    daily = replace(HONEST, at=HONEST.day * DAY)
    by_outcome = np.lexsort((HONEST.truth, daily.at))
    assert "row_order" in failed(daily.take(by_outcome), names=["row_order"])
    assert "row_order" not in failed(daily, names=["row_order"])


@pytest.mark.parametrize("kind", ["numbered by outcome", "prefixed", "whole seconds"])
def test_names_that_tell_the_outcome_are_caught(kind: str) -> None:
    positive = HONEST.truth == 1
    told = HONEST
    if kind == "numbered by outcome":
        number = np.empty(len(HONEST), np.int64)
        number[np.argsort(HONEST.truth, kind="stable")] = np.arange(len(HONEST))
        told = replace(HONEST, ids=np.array([f"row-{one}" for one in number], dtype=object))
    elif kind == "prefixed":
        told = replace(
            HONEST,
            ids=np.array([("d" if one else "a") + name for one, name in zip(positive, HONEST.ids, strict=True)], dtype=object),
        )
    else:
        at = np.where(positive, HONEST.at // 1_000_000 * 1_000_000, HONEST.at)
        told = replace(HONEST, at=np.maximum.accumulate(at))
    assert failed(told, names=["identifiers", "row_order"]) == {"identifiers"}


def test_numbers_in_the_order_of_time_pass() -> None:
    numbered = replace(HONEST, ids=np.array([str(one) for one in range(len(HONEST))], dtype=object))
    assert not failed(numbered, names=["identifiers", "row_order"])


def test_values_that_are_unknown_by_outcome_are_caught() -> None:
    random = np.random.default_rng(1)
    absent = random.random(len(HONEST)) < np.where(HONEST.truth == 1, 0.95, 0.005)
    told = with_feature(HONEST, "reply", np.where(absent, np.nan, random.normal(size=len(HONEST))))
    findings = battery(told, names=["missingness"])
    assert not findings["missingness"].passed
    # Fewer, and never without a positive.
    absent = (random.random(len(HONEST)) < 0.4) & (HONEST.truth == 1)
    findings = battery(
        with_feature(HONEST, "reply", np.where(absent, np.nan, random.normal(size=len(HONEST)))), names=["missingness"]
    )
    assert not findings["missingness"].passed and "reply" in findings["missingness"].words


def test_a_feature_that_says_the_outcome_is_caught() -> None:
    said = with_feature(HONEST, "chargebacks", HONEST.truth * 3 + np.random.default_rng(2).normal(size=len(HONEST)) * 0.3)
    findings = battery(said, names=["single_features", "missingness"])
    assert not findings["single_features"].passed and "chargebacks" in findings["single_features"].words
    with pytest.raises(LeakError, match="single_features: chargebacks"):
        raise_failures(list(findings.values()))


def test_a_feature_above_the_ceiling_is_caught() -> None:
    """Half of the positives are hidden: who sees three quarters of them knows something else."""
    random = np.random.default_rng(3)
    seen = (HONEST.truth == 1) & (random.random(len(HONEST)) < 0.75)
    told = with_feature(HONEST, "hint", seen + random.normal(size=len(HONEST)) * 0.2)
    findings = battery(told, ceiling=0.5, names=["single_features"])
    assert not findings["single_features"].passed and "hint" in findings["single_features"].words
    assert battery(HONEST, ceiling=0.5, names=["single_features"])["single_features"].passed


def test_too_little_to_judge_by_is_refused() -> None:
    late = replace(HONEST, known_at=np.where(HONEST.day < PAST - 12, HONEST.known_at, NEVER))
    with pytest.raises(TooFewExamplesError, match="the leak battery needs"):
        battery(late, names=[])


def accounts(erc20: bool, by_outcome: bool) -> Examples:
    """The labelled Ethereum accounts, dealt out to days, texts as codes; within a day in the source's order or by outcome."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data("eth_address_fraud") / "transactions_by_address.parquet")
    flag = table["FLAG"].to_numpy()
    names = [name for name in table.column_names if name not in ("Address", "FLAG") and (erc20 or "ERC20" not in name)]
    columns = []
    for name in names:
        column = table[name].combine_chunks()
        if "type" in name:
            column = column.dictionary_encode().indices
        columns.append(column.to_numpy(zero_copy_only=False).astype(np.float32))
    day = np.random.default_rng(0).integers(0, DAYS - 2, len(flag))
    order = np.lexsort((flag if by_outcome else np.arange(len(flag)), day))
    at = (FIRST_DAY + day[order]) * DAY
    return Examples(
        names=tuple(names),
        features=np.column_stack(columns)[order],
        ids=table["Address"].to_numpy(zero_copy_only=False)[order],
        at=at,
        known_at=np.where(flag[order] == 1, at + DAY, NEVER),
        entity=np.full(len(flag), -1),
        amount=np.ones(len(flag)),
    )


def test_the_leaks_of_the_labelled_accounts_are_caught() -> None:
    """Token columns are empty for fraud alone and hold a token's name that only fraud received, and no honest address begins
    with d, e or f."""
    findings = battery(accounts(erc20=True, by_outcome=False))
    assert {name for name, one in findings.items() if not one.passed} == {"missingness", "single_features", "identifiers"}
    assert "Total ERC20 tnxs" in findings["missingness"].words
    assert "most_rec_token_type" in findings["single_features"].words


def test_without_the_token_columns_only_the_addresses_leak() -> None:
    assert failed(accounts(erc20=False, by_outcome=False)) == {"identifiers"}


def test_the_order_of_the_original_file_is_caught() -> None:
    """It is sorted by outcome."""
    assert "row_order" in failed(accounts(erc20=True, by_outcome=True), names=["row_order"])
