"""The real command on bad input, without its database and on a full disk: an exit code and one sentence, nothing imported."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from ticketintel_pipelines.errors import EXIT_BAD_INPUT, EXIT_UNAVAILABLE
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines_tests.conftest import environment_of
from ticketintel_pipelines_tests.unit.raw_files import user, write_rows

COMMAND = Path(sys.executable).with_name("ticketintel")


def import_folder(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "import", folder], env=environment, capture_output=True, text=True, timeout=120)


def assert_one_sentence(result: subprocess.CompletedProcess[str], exit_code: int, *parts: str) -> None:
    # The embedded server's library may warn on other lines; a sentence of ours starts with the program's name.
    assert result.returncode == exit_code, result.stderr
    assert "Traceback" not in result.stderr
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("ticketintel: ")]
    assert result.stderr.splitlines()[-1] == sentence
    assert len(sentence) < 400
    for part in parts:
        assert part in sentence


def imported(settings: Settings) -> list[tuple]:
    with psycopg.connect(settings.database_url or "") as connection:
        return connection.execute("SELECT source_file, rows::int FROM ops.imported_files ORDER BY 1").fetchall()


def landed(settings: Settings) -> list[Path]:
    return [path for path in settings.lake_root.rglob("*") if path.is_file()]


def test_a_bad_file_ends_the_command_and_once_mended_everything_is_taken_in(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    write_rows(tmp_path / "a_users.parquet", [user(1), user(2)])
    write_rows(tmp_path / "b_users.csv", [user(3), user(4, wallet_address="alice")])
    refused = import_folder(tmp_path, environment_of(settings))
    assert_one_sentence(
        refused,
        EXIT_BAD_INPUT,
        "b_users.csv, row 2, column wallet_address: ",
        "rule wallet_address_type",
    )
    assert (imported(settings), landed(settings)) == ([], [])
    write_rows(tmp_path / "b_users.csv", [user(3), user(4)])
    assert import_folder(tmp_path, environment_of(settings)).returncode == 0
    assert imported(settings) == [("a_users.parquet", 2), ("b_users.csv", 2)]


def test_a_database_that_is_down_is_told_without_its_password(tmp_path: Path) -> None:
    write_rows(tmp_path / "users.csv", [user(1)])
    environment = {
        **os.environ,
        "TICKETINTEL_HOME": str(tmp_path / "home"),
        "TICKETINTEL_DATABASE_URL": "postgresql://x:very-secret@127.0.0.1:9/x",
    }
    result = import_folder(tmp_path, environment)
    assert_one_sentence(result, EXIT_UNAVAILABLE, "127.0.0.1:9", "TICKETINTEL_DATABASE_URL")
    assert "very-secret" not in result.stdout + result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_ends_the_command_and_with_room_the_same_command_succeeds(
    make_settings: Callable[..., Settings], tmp_path: Path, small_disk: Path
) -> None:
    settings = make_settings(TICKETINTEL_HOME=str(small_disk))
    raw = tmp_path / "raw"
    raw.mkdir()
    moments = [f"2026-01-{1 + n % 9:02d}T00:00:00Z" for n in range(20_000)]
    users = [user(n, full_name=os.urandom(150).hex(), created_at=moment) for n, moment in enumerate(moments)]
    write_rows(raw / "users.csv", users[:100])
    write_rows(raw / "users_2.csv", users)
    refused = import_folder(raw, environment_of(settings))
    assert_one_sentence(refused, EXIT_UNAVAILABLE, "full", "free some space")
    assert (imported(settings), landed(settings)) == ([], [])
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert import_folder(raw, environment_of(settings)).returncode == 0
    assert imported(settings) == [("users.csv", 100), ("users_2.csv", 20_000)]
    assert sum(pq.read_metadata(path).num_rows for path in landed(settings)) == 20_100
