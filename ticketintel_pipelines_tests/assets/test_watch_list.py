"""A list taken in by the command: published once, and known to the transactions that come after it alone."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ticketintel_pipelines.cli import main
from ticketintel_pipelines.commands.watch_list import add_watch_lists
from ticketintel_pipelines.nights import stale_ranges, work_out
from ticketintel_pipelines.progress import Console
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines_tests.assets.handing_in import SALES, address, hand_in, rows, sale

FEATURES = (
    "SELECT extract(day FROM occurred_at)::int, wallet_listings::int, counterparty_listings::int "
    "FROM ticketing.features ORDER BY 1"
)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def take(workspace: Workspace, path: Path, *lines: str, listed_at: datetime) -> str:
    """Take in a list; what the command said."""
    path.write_text("\n".join(["address,wallet_tag", *lines]) + "\n")
    stream = io.StringIO()
    assert add_watch_lists(workspace, TICKETING, [path], None, listed_at, Console(stream)) == 0
    return stream.getvalue()


def test_listings_count_for_the_transactions_that_come_after_them(workspace: Workspace, tmp_path: Path) -> None:
    a, b, d = (address(name) for name in "abd")
    days = ("01-04", "01-05", "01-06", "01-08", "01-09")
    passed = [sale(day, n, 5, *((b, a) if n % 2 else (a, b))) for n, day in enumerate(days, start=2)]
    hand_in(workspace, tmp_path / "1", sales=SALES + "".join(passed))
    nothing = [(day, None, None) for day in (4, 5, 6, 8, 9)]
    assert rows(workspace, FEATURES) == nothing

    take(workspace, tmp_path / "scams.csv", f"{b},Phisher", f"{d},", "0x1234,", listed_at=NOON)
    take(workspace, tmp_path / "exploits.csv", f"{b},", listed_at=NOON.replace(day=7))
    work_out(workspace, TICKETING, None, Console(stream=io.StringIO()))
    # The one of the fifth happens in the very instant of the first listing.
    assert rows(workspace, FEATURES) == [*nothing[:2], (6, 1, 0), (8, 0, 2), (9, 2, 0)]
    published = "SELECT list_name, address, label FROM ticketing.watch_list ORDER BY 1, 2"
    assert rows(workspace, published) == [("exploits", b, None), ("scams", b, "Phisher"), ("scams", d, None)]
    assert rows(workspace, "SELECT rules, content ->> 'address' FROM ops.quarantine") == [(["address_form"], "0x1234")]

    again = take(workspace, tmp_path / "scams.csv", f"{b},Renamed", f"{d.upper().replace('X', 'x')},", listed_at=NOON)
    assert "nothing is new" in again
    assert stale_ranges(workspace, TICKETING) == []


@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        ("missing.csv", (), "missing.csv is not a file"),
        ("notes.txt", (), "notes.txt is no list that can be read"),
        ("scams.csv", ("--listed-at", "2999-01-01"), "lies in the future"),
        ("scams.csv", ("--listed-at", "1999-01-01"), "before 2015-07-30, the first day of the pipeline"),
    ],
)
def test_the_command_refuses_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    file: str,
    options: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.setenv("TICKETINTEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICKETINTEL_FIRST_DAY", "2015-07-30")
    for name in ("scams.csv", "notes.txt"):
        (tmp_path / name).write_text(f"address\n{address('b')}\n")
    assert main(["watch-list", str(tmp_path / file), *options]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("ticketintel: ") and sentence in said
