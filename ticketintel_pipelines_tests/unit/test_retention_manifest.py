"""Manifests: read as they were written, or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ticketintel_pipelines.contract import ColumnType
from ticketintel_pipelines.retention.manifest import (
    MANIFEST,
    DamagedArchiveError,
    Manifest,
    code_version,
    file_hash,
    read_manifest,
    require_intact,
)

MADE = Manifest(
    domain="depot",
    table="orders",
    month="2026-01",
    file="rows-1.parquet",
    file_hash="",
    file_bytes=4,
    rows=3,
    content_hash="ab",
    first_day="2026-01-01",
    last_day="2026-01-31",
    columns=(("order_id", "TEXT"), ("price_wei", "UINT256")),
    source="depot.orders_2026_01",
    policy_version="0123",
    code_version=code_version(),
    made_at="2026-05-20T03:00:00+00:00",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / MADE.file).write_bytes(b"rows")
    manifest = replace(MADE, file_hash=file_hash(tmp_path / MADE.file))
    (tmp_path / MANIFEST).write_bytes(manifest.encoded)
    return tmp_path


def test_a_manifest_is_read_as_it_was_written(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    assert replace(manifest, file_hash="") == MADE
    assert [column.type for column in manifest.typed_columns] == [ColumnType.TEXT, ColumnType.UINT256]
    assert require_intact(folder, manifest).read_bytes() == b"rows"
    assert read_manifest(folder.parent) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"columns": 3}', '{"columns": [["a", "NOTHING"]]}'])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(DamagedArchiveError, match="is no manifest any more"):
        read_manifest(folder)


def rewritten(folder: Path, change: dict) -> None:
    content = json.loads((folder / MANIFEST).read_bytes()) | change
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


@pytest.mark.parametrize("change", [{"more": 1}, {"columns": [["order_id", "NOTHING"]]}])
def test_a_manifest_with_other_fields_or_types_is_refused(folder: Path, change: dict) -> None:
    rewritten(folder, change)
    with pytest.raises(DamagedArchiveError, match="is no manifest any more"):
        read_manifest(folder)


def test_a_manifest_with_another_value_has_another_hash(folder: Path) -> None:
    rewritten(folder, {"rows": 3.0})
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.hash != replace(MADE, file_hash=manifest.file_hash).hash


def test_a_manifest_that_says_the_same_in_another_form_is_refused(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps(json.loads((folder / MANIFEST).read_bytes())))
    with pytest.raises(DamagedArchiveError, match="not written as it was"):
        read_manifest(folder)


def test_the_code_version_names_the_package_and_its_code() -> None:
    version, _, code = code_version().partition("+")
    assert version.count(".") == 2
    assert len(code) == 12
