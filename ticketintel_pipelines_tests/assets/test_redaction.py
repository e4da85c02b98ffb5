"""Personal values planted in failing rows are found in the data, and in nothing that Dagster or the command says of them."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import psycopg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType
from psycopg import sql

from ticketintel_pipelines.cli import main
from ticketintel_pipelines.dagster_kit import compute_logs, extract
from ticketintel_pipelines.dagster_kit.compute_logs import RedactedComputeLogs, compute_logs_at
from ticketintel_pipelines.errors import EXIT_RUN_FAILED
from ticketintel_pipelines.nights import dagster_instance
from ticketintel_pipelines.settings import Settings
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, write
from ticketintel_pipelines_tests.conftest import environment_of

MAIL, WALLET, CARD, IP, IPV6 = (
    "zora.planted@mail.example",
    "0x5c1a77edc0ffee5c1a77edc0ffee5c1a77edc0ff",
    "4111 1111 1111 1111",
    "203.0.113.77",
    "2001:db8:77::5c1a",
)
PLANTED = (MAIL, WALLET, CARD, CARD.replace(" ", ""), IP, IPV6)
TRACES = ("zora.planted", WALLET[7:], "1111 1111", "11111111", "203.0.113", "2001:db8:77")
"""Pieces of them that are not to be found either."""
USERS = "user_id,created_at,email,is_verified,wallet_address,full_name\n"
EVENTS = (
    "event_id,created_at,name,category,venue,city,country_code,organiser_id,contract_address,capacity,face_value_usd,"
    f"on_sale_at,starts_at\ne1,2026-01-01T08:00:00Z,Night,concert,{IP},{MAIL},CH,o1,{CONTRACT},100,40.00,"
    "2026-01-01T09:00:00Z,2026-02-01T19:00:00Z\n"
)
ORDERS = "order_id,created_at,user_id,event_id,market,quantity,amount,currency,status\n"
PAYMENTS = "payment_id,paid_at,order_id,user_id,method,instrument_id,amount,currency,status\n"


def traces(text: str) -> list[str]:
    return [trace for trace in (*PLANTED, *TRACES) if trace.lower() in text.lower()]


def everything_dagster_stored(dsn: str) -> dict[str, str]:
    """Every row of every table of Dagster's database, as text."""
    with psycopg.connect(dsn.replace("+psycopg2", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            table: "\n".join(
                row for (row,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))
            )
            for (table,) in tables
        }


def assert_nothing_is_left(workspace: Workspace) -> dict[str, str]:
    """Neither in the database of Dagster nor in the files of its home; returns the former."""
    stored = everything_dagster_stored(workspace.server.dagster.render_as_string(hide_password=False))
    assert {table: found for table, text in stored.items() if (found := traces(text))} == {}
    for path in workspace.settings.dagster_home.rglob("*"):
        assert not path.is_file() or not traces(path.read_text(errors="replace")), path
    return stored


@pytest.fixture
def deployed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A new deployment that commands of this process work on."""
    settings = make_settings()
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    return Workspace([], lambda: settings)


def test_a_night_over_failing_rows_says_nothing_of_what_they_hold(
    deployed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check_landed = extract.check_landed

    def quoting_a_row(workspace, domain, table, days):
        if table.name == "payments":
            # Within the lake the raw rows are whole; a step that casts what it should not has them quoted by DuckDB.
            users = [str(path) for path in workspace.settings.lake_root.rglob("*.parquet") if "/raw/users/" in str(path)]
            duckdb.execute("SELECT CAST(full_name || ' ' || wallet_address AS INTEGER) FROM read_parquet(?)", [users])
        return check_landed(workspace, domain, table, days)

    monkeypatch.setattr(extract, "check_landed", quoting_a_row)
    folder = write(
        tmp_path / "raw",
        # The key of a row is shown among the samples of the rule that it breaks.
        users=f"{USERS}{MAIL},2026-01-01T09:00:00Z,nothing,true,{WALLET},{MAIL} {IPV6}\n"
        f"u1,2026-01-01T09:00:00Z,{MAIL},true,{WALLET},{CARD}\n",
        events=EVENTS,
        orders=f"{ORDERS}{IP},2026-01-01T10:00:00Z,u1,e1,primary,1,-40.00,USD,paid\n"
        f"{WALLET},2026-01-01T10:00:00Z,{MAIL},e1,primary,1,40.00,USD,{CARD}\n"
        f"{CARD},2026-01-01T10:00:00Z,u1,e1,primary,-1,40.00,USD,paid\n",
        payments=f"{PAYMENTS}{CARD},2026-01-01T10:01:00Z,{IPV6},{MAIL},card,{CARD},-1.00,USD,paid\n",
    )
    assert main(["import", str(folder)]) == 0
    assert main(["run", "--verbose"]) == EXIT_RUN_FAILED
    said = capsys.readouterr()
    assert "Could not convert string" in said.err, "DuckDB quotes the cell that it could not convert"
    assert "[e-mail]" in said.err
    assert not traces(said.out + said.err)

    stored = assert_nothing_is_left(deployed)
    assert "STEP_FAILURE" in stored["event_logs"] and "amount_range" in stored["event_logs"]
    for label in ("[e-mail]", "[IP address]", "[card number]", "[wallet]"):
        assert label in stored["asset_check_executions"], "the samples of a rule are the keys of failing rows"
    with deployed.catalog() as catalog:
        (rows,) = catalog.connection.execute("SELECT string_agg(content::text, ' ') FROM ops.quarantine").fetchone() or ("",)
    assert CARD in rows and IPV6 in rows, "what is set aside is data, and kept whole"


class Unlucky(Exception):
    """An error of a library, with more than a message."""


@dg.asset(check_specs=[dg.AssetCheckSpec("told", asset="telling")])
def telling(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    context.log.info(f"of {MAIL}")
    context.add_asset_metadata({"more": f"paid with {CARD}"})
    print(f"printed {WALLET}")
    logging.getLogger("somebody").warning("logged %s", IPV6)
    check = dg.AssetCheckResult(
        check_name="told",
        passed=False,
        description=f"such as {MAIL}",
        metadata={"samples": dg.MetadataValue.json({IP: [MAIL]})},
    )
    metadata = {
        "text": f"from {IP}",
        "table": dg.MetadataValue.md(f"| {MAIL} |\n| --- |\n| {WALLET} |"),
        "rows": dg.MetadataValue.json({"who": [{"mail": MAIL, "card": CARD}], WALLET: 1}),
        "link": dg.MetadataValue.url(f"http://{IP}/"),
    }
    yield dg.MaterializeResult(metadata=metadata, check_results=[check])


@dg.asset
def failing(workspace: dg.ResourceParam[Workspace]) -> None:
    try:
        with psycopg.connect(workspace.server.dsn) as connection:
            connection.execute("CREATE TEMP TABLE person (email text UNIQUE, card text)")
            for _ in range(2):
                connection.execute("INSERT INTO person VALUES (%s, %s)", (MAIL, CARD))
    except psycopg.Error as error:
        unlucky = Unlucky(f"no row for {WALLET}", {"ip": IP})
        unlucky.add_note(f"while at {IPV6}")
        raise unlucky from error


@dg.asset
def refused() -> None:
    raise dg.Failure(f"{MAIL} is refused", metadata={"row": dg.MetadataValue.json({"ip": IP, "card": CARD})})


def test_whatever_a_step_says_or_fails_with_is_stored_redacted(workspace: Workspace) -> None:
    assets = [telling, failing, refused]
    job = dg.Definitions(assets, jobs=[dg.define_asset_job("every")], resources={"workspace": workspace})
    with dagster_instance(workspace) as instance:
        result = job.resolve_job_def("every").execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        instance.report_runless_asset_event(dg.AssetMaterialization("telling", metadata={"late": MAIL}))
        # What was stored is read back as what it was.
        (check,) = [record for record in instance.all_logs(result.run_id) if "ASSET_CHECK_EVALUATION" in record.to_json()][-1:]
        assert check.get_dagster_event().asset_check_evaluation_data.description == "such as [e-mail]"
        newest = instance.get_latest_materialization_event(dg.AssetKey("telling"))
        assert newest is not None and newest.asset_materialization is not None
        assert newest.asset_materialization.metadata["late"].value == "[e-mail]"
        failures = {
            record.step_key: record.get_dagster_event().step_failure_data.error
            for record in instance.all_logs(result.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        }
        error = failures["failing"]
        assert error is not None and error.cause is not None and error.cause.cause is not None
        assert "Key (email)=([e-mail]) already exists" in error.cause.cause.message
        log = "".join(path.read_text() for path in workspace.settings.dagster_home.rglob("*.err"))
        out = "".join(path.read_text() for path in workspace.settings.dagster_home.rglob("*.out"))
    assert_nothing_is_left(workspace)
    assert log.count("of [e-mail]") >= 1 and "Key (email)=([e-mail])" in log, "the console's log is kept, redacted"
    assert out == "printed 0x5c1a…[wallet]\n"


def test_a_sensor_that_says_a_value_is_stored_redacted(workspace: Workspace) -> None:
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import TickData, TickStatus

    with dagster_instance(workspace) as instance:
        tick = instance.create_tick(
            TickData("origin", "asking", InstigatorType.SENSOR, TickStatus.STARTED, 1.0, selector_id="selector")
        )
        instance.update_tick(tick.with_status(TickStatus.SKIPPED, skip_reason=f"{IP} does not answer {MAIL}"))
        (found,) = instance.get_ticks("origin", "selector")
        assert found.skip_reason == "[IP address] does not answer [e-mail]"
    assert_nothing_is_left(workspace)


@pytest.fixture
def manager(tmp_path: Path) -> RedactedComputeLogs:
    return RedactedComputeLogs(str(tmp_path / "logs"))


def test_what_steps_and_their_programs_write_is_kept_and_passed_on_redacted(
    manager: RedactedComputeLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ["run", "compute_logs", "step"]
    terminal = tmp_path / "terminal"
    with terminal.open("w") as out, (tmp_path / "errors").open("w") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with manager.capture_logs(key):
            print(f"first {MAIL}")
            out.flush()
            subprocess.run(["echo", f"second {CARD}"], stdout=out, check=True)
            # A value that comes in two writes, and the bytes of another encoding.
            os.write(out.fileno(), f"third \u00fc {WALLET[:20]}".encode() + b"\xff")
            os.write(out.fileno(), f" and {IP[:6]}".encode())
            os.write(out.fileno(), f"{IP[6:]}\runfinished {IPV6}".encode())
        assert manager.is_capture_complete(key)
        print("afterwards")
        monkeypatch.undo()
    expected = f"first [e-mail]\nsecond [card number]\nthird \u00fc {WALLET[:20]}".encode() + b"\xff and [IP address]\r"
    expected += b"unfinished [IP address]"
    assert Path(manager.get_captured_local_path(key, "out")).read_bytes() == expected
    assert terminal.read_bytes() == expected + b"afterwards\n"
    assert manager.get_log_data(key).stderr == b""


def test_a_log_that_is_looked_at_while_it_is_written_is_redacted_already(
    manager: RedactedComputeLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute_logs, "LOOK_AGAIN_SECONDS", 0.01)
    path = Path(manager.get_captured_local_path(["step"], "out"))
    with (tmp_path / "terminal").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with manager.capture_logs(["step"]):
            print(f"a line of {MAIL}", flush=True)
            print("x" * (compute_logs.LONGEST_LINE + 1), flush=True)
            seen = next(text for _ in range(10_000_000) if len(text := path.read_text()) > compute_logs.LONGEST_LINE)
        monkeypatch.undo()
    assert seen.startswith("a line of [e-mail]\nxxx")


def test_what_a_sensor_logs_is_redacted_and_stays_json(manager: RedactedComputeLogs) -> None:
    with manager.open_log_stream(["tick"], ComputeIOType.STDERR) as stream:
        assert stream is not None
        stream.write('{"message": "of\\n' + MAIL + '", "ip": "' + IP + '"}\n')
    assert Path(manager.get_captured_local_path(["tick"], "err")).read_text() == (
        '{"message": "of\\n[e-mail]", "ip": "[IP address]"}\n'
    )


def test_the_committed_configuration_names_them(tmp_path: Path) -> None:
    import yaml

    named = yaml.safe_load((Path(__file__).parents[2] / "dagster.yaml").read_text())["compute_logs"]
    there = compute_logs_at(tmp_path)["compute_logs"]
    assert (named["module"], named["class"]) == (there["module"], there["class"])
