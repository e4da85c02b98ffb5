"""Feature families over days: day by day equals one go, late rows, deaths in between."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.contract import Column, ColumnType
from ticketintel_pipelines.features.families import Family
from ticketintel_pipelines.features.folds import DAY, HOUR, Distinct, Fold, Latest, Lifetime, Median, Trailing
from ticketintel_pipelines.features.spark_session import why_not
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.stages import feature
from ticketintel_pipelines.stages.feature import FamilyReport, bring_family_up_to_date
from ticketintel_pipelines.stages.feature_rows import FEATURE_STAGE, by_day, content_hash, start_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.feature_days import FeatureDay, FeatureDays

FIRST = date(2026, 3, 1)
DAYS = DayRange(FIRST, FIRST + timedelta(days=11))
FIGURES = ("visits_1h", "visits_3d", "visits_3d_amount", "so_far_count", "so_far_first", "so_far_amount", "kinds_distinct")
FIGURES += ("kinds_is_new", "price_median_doubled", "last_1_seen", "last_1_amount")


def _rows(seed: int, count: int = 3000) -> pa.Table:
    random = np.random.default_rng(seed)
    # Whole minutes, so that many rows share an instant.
    seen = np.sort(start_of(FIRST) + random.integers(0, len(DAYS.days) * 1440, count) * (HOUR // 60))
    wallets = pa.array(random.integers(0, 40, count), mask=random.random(count) < 0.05)
    amounts = pa.array(random.integers(1, 1000, count), mask=random.random(count) < 0.1)
    return pa.table({"seen": seen, "wallet": wallets, "kind": random.integers(0, 9, count), "amount": amounts})


@pytest.fixture
def family(tmp_path: Path) -> Family:
    formula = tmp_path / "formula.sql"
    formula.write_text(f"SELECT seen, wallet, {', '.join(FIGURES)} FROM asked;\n")
    columns = tuple(Column(name, ColumnType.INTEGER, name, required=False) for name in ("seen", "wallet", *FIGURES))
    return Family(
        "visits",
        "Visits.",
        "seen_visits",
        formula,
        columns,
        folds=(
            Fold(
                "visits",
                "seen_visits",
                "wallet",
                Trailing({"1h": HOUR, "3d": 3 * DAY}),
                "seen_visits",
                "wallet",
                ("amount",),
            ),
            Fold("so_far", "seen_visits", "wallet", Lifetime(), "seen_visits", "wallet", ("amount",)),
            Fold("kinds", "seen_visits", "wallet", Distinct(), "seen_visits", "wallet", ("kind",), "kind"),
            Fold("price", "seen_visits", "kind", Median(), "seen_visits", "kind", ("amount",)),
            Fold("last", "seen_visits", "wallet", Latest(1), "seen_visits", "wallet", ("amount",)),
        ),
        features=columns[2:],
    )


@pytest.fixture
def see(workspace: Workspace) -> Iterator["See"]:
    yield See(workspace)


class See:
    """Puts observations into the lake and records them, as observing does."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __call__(self, table: pa.Table, days: DayRange = DAYS) -> None:
        lake, parts, figures = self.workspace.lake(TICKETING), {}, {}
        with scratch_folder(lake) as scratch, self.workspace.catalog() as catalog:
            for day, rows in by_day(table, DAYS).items():
                if day in days:
                    parts[day] = scratch / f"{day}.parquet"
                    pq.write_table(rows, parts[day])
                    figures[day] = FeatureDay(len(rows), content_hash(rows), "")
            swap_in(lake, FEATURE_STAGE, "seen_visits", days, parts)
            FeatureDays(catalog.connection, TICKETING.name).record("seen_visits", figures, "test")
            catalog.connection.commit()


def work(workspace: Workspace, family: Family, days: DayRange) -> FamilyReport:
    return bring_family_up_to_date(workspace, TICKETING, family, days, run_id="test")


def result(workspace: Workspace, family: Family, days: Sequence[date] = DAYS.days) -> pa.Table:
    parts = workspace.lake(TICKETING).parts(FEATURE_STAGE, family.name, days)
    return pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts])


def in_one_go(table: pa.Table, family: Family) -> pa.Table:
    """The same from the plain functions, without days, states and a lake."""
    import duckdb

    from ticketintel_pipelines.features.states import no_states
    from ticketintel_pipelines.stages.feature_rows import columns_by_table, fold_all, formula, rows_of, with_columns

    tables = {name: rows_of(table, columns) for name, columns in columns_by_table(family).items()}
    answers, _ = fold_all(family, tables, start_of(DAYS.last + timedelta(days=1)), no_states)
    with duckdb.connect() as engine:
        return formula(engine, family, with_columns(table, answers), {})


def test_day_by_day_equals_one_go(workspace: Workspace, see: See, family: Family) -> None:
    table = _rows(1)
    see(table)
    for day in DAYS.days:
        report = work(workspace, family, DayRange(day, day))
        assert report.worked_out == [day]
    assert result(workspace, family).equals(in_one_go(table, family))


def test_a_range_equals_one_go_and_a_second_run_has_nothing_to_do(workspace: Workspace, see: See, family: Family) -> None:
    table = _rows(2)
    see(table)
    assert work(workspace, family, DAYS).changed == DAYS.days
    assert result(workspace, family).equals(in_one_go(table, family))
    again = work(workspace, family, DAYS)
    assert not again.worked_out
    assert sum(again.rows_by_day.values()) == len(table)


def test_a_late_row_rewrites_exactly_the_days_that_it_changes(workspace: Workspace, see: See, family: Family) -> None:
    table = _rows(3)
    # A wallet that is seen on the fourth and on the ninth day only.
    lone = pa.table({"seen": [start_of(DAYS.days[8]) + 7], "wallet": [999], "kind": [77], "amount": pa.array([5])})
    table = pa.concat_tables([table, lone]).sort_by("seen")
    see(table)
    for day in DAYS.days:
        work(workspace, family, DayRange(day, day))
    before = {day: workspace.lake(TICKETING).part(FEATURE_STAGE, family.name, day).stat().st_ino for day in DAYS.days}
    late = pa.table({"seen": [start_of(DAYS.days[3]) + 5], "wallet": [999], "kind": [77], "amount": pa.array([9])})
    table = pa.concat_tables([table, late]).sort_by("seen")
    see(table, DayRange(DAYS.days[3], DAYS.days[3]))
    report = work(workspace, family, DayRange(DAYS.days[3], DAYS.days[3]))
    assert report.worked_out == DAYS.days[3:]
    assert report.changed == [DAYS.days[3], DAYS.days[8]]
    after = {day: workspace.lake(TICKETING).part(FEATURE_STAGE, family.name, day).stat().st_ino for day in DAYS.days}
    assert [day for day in DAYS.days if before[day] != after[day]] == report.changed
    assert result(workspace, family).equals(in_one_go(table, family))


def test_a_late_row_is_still_known_when_another_comes_for_a_later_day(workspace: Workspace, see: See, family: Family) -> None:
    table = _rows(11)
    see(table)
    for day in DAYS.days:
        work(workspace, family, DayRange(day, day))
    for number in (3, 8, 6):
        day = DAYS.days[number]
        late = pa.table({"seen": [start_of(day) + 5], "wallet": [1], "kind": [2], "amount": [900 + number]})
        table = pa.concat_tables([table, late]).sort_by("seen")
        see(table, DayRange(day, day))
        work(workspace, family, DayRange(day, day))
        assert result(workspace, family).equals(in_one_go(table, family))


@pytest.mark.parametrize("step", ["swap_in", "commit", "record"])
def test_a_death_in_between_is_made_good_by_the_next_run(
    workspace: Workspace, see: See, family: Family, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, second = _rows(4), _rows(5)
    see(first)
    for day in DAYS.days:
        work(workspace, family, DayRange(day, day))
    # Other content on all days from the fifth on.
    cut = start_of(DAYS.days[4])
    import pyarrow.compute as pc

    table = pa.concat_tables([first.filter(pc.less(first["seen"], cut)), second.filter(pc.greater_equal(second["seen"], cut))])
    see(table)

    class DeadError(Exception):
        pass

    def die(*arguments: object, **more: object) -> None:
        raise DeadError

    with monkeypatch.context() as patched:
        if step == "swap_in":
            patched.setattr(feature, "swap_in", die)
        elif step == "commit":
            patched.setattr("ticketintel_pipelines.features.store.StateStore.commit", die)
        else:
            patched.setattr(FeatureDays, "record", die)
        with pytest.raises(DeadError):
            work(workspace, family, DAYS)
    work(workspace, family, DayRange(DAYS.days[4], DAYS.days[4]))
    assert result(workspace, family).equals(in_one_go(table, family))


def test_spark_works_out_the_same_features(workspace: Workspace, see: See, family: Family) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    table = _rows(8, 800)
    see(table)
    settings = replace(workspace.settings, engine="spark")
    on_spark = Workspace(workspace.domains, lambda: settings)
    work(on_spark, family, DayRange(DAYS.first, DAYS.days[5]))
    work(on_spark, family, DAYS)
    assert result(workspace, family).equals(in_one_go(table, family))


def test_a_late_row_starts_from_a_day_near_its_own_also_after_a_backfill(
    workspace: Workspace, see: See, family: Family
) -> None:
    see(_rows(12))
    work(workspace, family, DAYS)
    states = workspace.states(TICKETING, family.name)
    checkpoints = [states.checkpoint_before(day) for day in DAYS.days]
    number = {day: at for at, day in enumerate(DAYS.days)}
    assert [None if day is None else number[day] for day in checkpoints] == [None, None, None, None, 3, 3, 3, 3, 7, 7, 9, 10]


def test_another_formula_works_everything_out_again(workspace: Workspace, see: See, family: Family) -> None:
    see(_rows(6))
    work(workspace, family, DAYS)
    family.formula.write_text(family.formula.read_text().replace("visits_1h,", "visits_1h + 1 AS visits_1h,"))
    assert work(workspace, family, DayRange(DAYS.last, DAYS.last)).changed == DAYS.days


@pytest.mark.parametrize("carried", [1, 1_000_000])
def test_states_that_are_carried_from_piece_to_piece_make_no_difference(
    workspace: Workspace, see: See, family: Family, monkeypatch: pytest.MonkeyPatch, carried: int
) -> None:
    monkeypatch.setattr(feature, "LONGEST_PIECE_DAYS", 2)
    monkeypatch.setattr(feature, "STATES_CARRIED", carried)
    table = _rows(9)
    see(table)
    work(workspace, family, DAYS)
    assert result(workspace, family).equals(in_one_go(table, family))
    last = workspace.states(TICKETING, family.name).checkpoint_before(DAYS.last + timedelta(days=1))
    assert last == DAYS.last


def test_nothing_is_worked_out_before_anybody_asks_and_all_that_went_before_then(
    workspace: Workspace, see: See, family: Family
) -> None:
    asking = replace(family, asked_by="asking_visits", folds=tuple(replace(f, asked_by="asking_visits") for f in family.folds))
    table = _rows(10)
    see(table)
    assert work(workspace, asking, DAYS).worked_out == []
    # The same rows ask, from the sixth day on.
    late = [day for day in DAYS.days if day >= DAYS.days[5]]
    rows = by_day(table, DAYS)
    lake = workspace.lake(TICKETING)
    with scratch_folder(lake) as scratch, workspace.catalog() as catalog:
        parts = {day: scratch / f"{day}.parquet" for day in late}
        for day, part in parts.items():
            pq.write_table(rows[day], part)
        swap_in(lake, FEATURE_STAGE, "asking_visits", DayRange(late[0], late[-1]), parts)
        figures = {day: FeatureDay(len(rows[day]), content_hash(rows[day]), "") for day in late}
        FeatureDays(catalog.connection, TICKETING.name).record("asking_visits", figures, "test")
        catalog.connection.commit()
    work(workspace, asking, DAYS)
    expected = by_day(in_one_go(table, family), DAYS)
    assert result(workspace, asking).equals(pa.concat_tables([expected[day] for day in late]))
