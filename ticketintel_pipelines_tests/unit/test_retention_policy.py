"""How long what is kept: the policy as it is without settings, and what settings may change of it."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from ticketintel_pipelines.contract import RetentionClass
from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.retention.months import label, last_day_of, next_month
from ticketintel_pipelines.retention.policy import DEFAULT_POLICY, DEFAULTS, Policy, read_policy
from ticketintel_pipelines.settings import read_settings

EXAMPLE = Path(__file__).parents[2] / "data" / "retention.example.toml"
TODAY = date(2026, 5, 20)


def written(folder: Path, text: str) -> Path:
    file = folder / "retention.toml"
    file.write_text(text)
    return file


def test_the_periods_are_those_that_were_decided() -> None:
    words = {one.value: DEFAULT_POLICY.of(one).words for one in RetentionClass}
    assert words == {
        "on-chain data": "permanent",
        "transaction logs": "90 days in Postgres, deleted after 731 days",
        "failed transactions": "180 days in Postgres, then deleted",
        "user sessions": "30 days in Postgres, then deleted",
        "predictions and scores": "180 days in Postgres, deleted after 1,827 days",
        "audit and security logs": "366 days in Postgres, deleted after 2,557 days",
        "debug logs": "30 days in Postgres, then deleted",
        "user master data": "permanent, erased on request",
    }


@pytest.mark.parametrize(("retention", "years"), [("transaction logs", 2), ("predictions and scores", 5)])
def test_nothing_leaves_the_archive_before_its_years_are_full(retention: str, years: int) -> None:
    periods = DEFAULT_POLICY.of(RetentionClass(retention))
    for number in range(4 * 366):
        day = date(2026, 1, 1) + timedelta(days=number)
        full = day.replace(year=day.year + years, **({"day": 28} if (day.month, day.day) == (2, 29) else {}))
        first_kept = periods.archived_from(full - timedelta(days=1))
        assert first_kept is not None
        assert first_kept <= day


def test_the_day_on_which_a_period_ends_still_belongs_to_it() -> None:
    sessions = DEFAULT_POLICY.of(RetentionClass.USER_SESSION)
    assert sessions.kept_from(TODAY) == date(2026, 4, 20)
    assert DEFAULT_POLICY.of(RetentionClass.ON_CHAIN).kept_from(TODAY) is None
    assert DEFAULT_POLICY.of(RetentionClass.USER_MASTER).archived_from(TODAY) is None


def test_the_example_file_says_what_holds_without_it() -> None:
    assert read_policy(EXAMPLE) == DEFAULT_POLICY


def test_a_period_that_differs_makes_another_version_and_leaves_the_others(tmp_path: Path) -> None:
    changed = read_policy(written(tmp_path, '[periods."user sessions"]\nhot_days = 7\n'))
    assert changed.of(RetentionClass.USER_SESSION).hot_days == 7
    assert changed.of(RetentionClass.DEBUG_LOG) == DEFAULT_POLICY.of(RetentionClass.DEBUG_LOG)
    assert changed.version != DEFAULT_POLICY.version
    same = read_policy(written(tmp_path, '[periods."user sessions"]\nhot_days = 30\n'))
    assert same.version == DEFAULT_POLICY.version == read_policy(tmp_path / "none").version


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("periods = ", "cannot be read|can be read"),
        ("[other]\n", "nothing else"),
        ("periods = 3\n", "nothing else"),
        ('[periods."sessions"]\nhot_days = 7\n', "no class 'sessions'"),
        ('[periods]\n"user sessions" = 7\n', "are a table"),
        ('[periods."on-chain data"]\nhot_days = 7\n', "permanent"),
        ('[periods."user master data"]\nhot_days = 7\n', "erased on request"),
        ('[periods."user sessions"]\ndeleted_after_days = 7\n', "have no deleted_after_days"),
        ('[periods."user sessions"]\nhot_days = 0\n', "from 1 on"),
        ('[periods."user sessions"]\nhot_days = true\n', "from 1 on"),
        ('[periods."user sessions"]\nhot_days = "7"\n', "from 1 on"),
        ('[periods."transaction logs"]\nhot_days = 800\n', "deleted after 731 days, before the 800"),
        ('[periods."transaction logs"]\nhot = 8\n', "have no hot; they take hot_days and deleted_after_days"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused_with_what_it_takes(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        read_policy(written(tmp_path, text))


def test_a_class_without_periods_makes_no_policy() -> None:
    with pytest.raises(ValueError, match="debug logs"):
        Policy({one: periods for one, periods in DEFAULTS.items() if one is not RetentionClass.DEBUG_LOG})


def test_the_file_lies_in_the_home_unless_another_is_named() -> None:
    home = read_settings({"TICKETINTEL_HOME": "/somewhere"})
    assert home.retention_settings == Path("/somewhere/retention.toml")
    assert home.archive_root == Path("/somewhere/archive")
    assert read_settings({"TICKETINTEL_RETENTION": "/etc/periods.toml"}).retention_settings == Path("/etc/periods.toml")


def test_months_end_where_the_next_one_begins() -> None:
    for year in (2024, 2025, 2100):
        for number in range(1, 13):
            month = date(year, number, 1)
            assert last_day_of(month) + timedelta(days=1) == next_month(month)
            assert next_month(month).day == 1
            assert label(month) == f"{year}-{number:02}"
